"""Objects found in maps of patches, and what they are called."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from indexer.embedding.patches import PatchMap, PatchTower
from indexer.embedding.port import Embedder, LabelScale
from indexer.regions.box import Box
from indexer.regions.finder import PatchFinder
from indexer.regions.labels import labelled
from indexer.regions.salience import Region, find_regions

DIM = 8


def field(rows: int, columns: int, *objects: tuple[slice, slice, int]) -> PatchMap:
    """Background along the first axis with a little noise; objects along others."""
    rng = np.random.default_rng(7)
    vectors = 0.05 * rng.standard_normal((rows, columns, DIM)).astype(np.float32)
    vectors[..., 0] += 1
    for down, across, axis in objects:
        vectors[down, across, 0] -= 1
        vectors[down, across, axis] += 1
    return PatchMap(vectors, np.full((rows, columns), 1 / (rows * columns), dtype=np.float32))


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (14, 14), (10, 16)])
def test_an_object_is_boxed_to_the_patch(rows: int, columns: int) -> None:
    found = find_regions(field(rows, columns, (slice(2, 6), slice(4, 7), 1)), most=5)
    assert found[0].score == 1
    assert found[0].box == Box(4 / columns, 2 / rows, 7 / columns, 6 / rows)
    assert all(0 < region.score <= 1 for region in found)


def test_several_objects_are_several_boxes_the_clearest_first() -> None:
    patches = field(14, 14, (slice(1, 6), slice(1, 6), 1), (slice(8, 12), slice(8, 13), 2))
    found = find_regions(patches, most=5)
    for box in (Box(1 / 14, 1 / 14, 6 / 14, 6 / 14), Box(8 / 14, 8 / 14, 13 / 14, 12 / 14)):
        assert max(region.box.overlap(box) for region in found[:2]) == pytest.approx(1)
    assert [region.score for region in found] == sorted((region.score for region in found), reverse=True)
    for number, region in enumerate(found):
        assert all(region.box.overlap(other.box) < 0.4 for other in found[:number])
    assert len(find_regions(patches, most=1)) == 1


def test_attention_counts() -> None:
    patches = field(8, 8, (slice(0, 3), slice(0, 3), 1), (slice(5, 8), slice(5, 8), 2))
    weights = patches.weights.copy()
    weights[5:, 5:] *= 10
    found = find_regions(PatchMap(patches.vectors, weights / weights.sum()), most=1)
    assert found[0].box == Box(5 / 8, 5 / 8, 1, 1)


def test_grids_too_small_for_a_box_have_none() -> None:
    assert find_regions(field(2, 2), most=3) == ()
    assert find_regions(field(1, 1), most=3) == ()


@pytest.fixture(scope="module")
def tower(tiny_embedder: Embedder) -> PatchTower:
    return tiny_embedder.open_patches()


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_nothing_is_found_in_an_even_photo(tower: PatchTower, grey: int) -> None:
    finder = PatchFinder(tower, most=3)
    pixels = finder.prepare(Image.new("RGB", (300, 200), (grey, grey, grey)))
    assert finder.regions(pixels, finder.look(pixels)) == ()


def test_labels_are_given_where_one_is_likelier_than_all_others() -> None:
    regions = [Region(Box(0, 0, 0.5, 0.5), 1.0), Region(Box(0.5, 0.5, 1, 1), 0.7)]
    words = np.eye(3, 4, dtype=np.float32)
    unsure = np.full(4, 0.5, dtype=np.float32)
    crops = np.stack([words[1], unsure])
    found = labelled(regions, crops, ("mug", "lamp", "hat"), words, LabelScale(10.0, -10.0))
    assert [region.label for region in found] == ["lamp", ""]
    assert labelled(regions, crops, (), words[:0], LabelScale(10.0, None)) == tuple(regions)
    assert labelled((), crops[:0], ("mug",), words[:1], LabelScale(10.0, None)) == ()
