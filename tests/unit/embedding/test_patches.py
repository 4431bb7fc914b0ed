"""Patches of towers of every kind, against the towers themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from indexer.embedding.build import Builder, Running
from indexer.embedding.choice import DEMO_MODEL, ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.numerics import Numerics
from indexer.embedding.openclip import LoadedModel, load_open_clip
from indexer.embedding.patch_modules import PatchModule
from indexer.embedding.patches import PatchMap, PatchTower
from indexer.errors import ModelFailed, PatchesUnavailable
from tests.pictures import drawn_picture

SIZE_PX, PATCHES, WIDTH = 32, 16, 32


class _Timm(nn.Module):
    """A small tower, put together as open_clip puts together one of timm's."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        sizes = {"img_size": SIZE_PX, "patch_size": 8, "embed_dim": WIDTH, "depth": 2, "num_heads": 1, "num_classes": 0}
        self.trunk: Any = VisionTransformer(**{**sizes, **options})
        self.head = nn.Sequential()
        torch.manual_seed(3)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.4)
        self.eval()


@pytest.fixture(scope="module")
def tiny(tiny_model: str) -> LoadedModel:
    return load_open_clip(ModelChoice(model=tiny_model, device="cpu"))


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_open_clip(ModelChoice(model=DEMO_MODEL, device="cpu"))


def opened(model: LoadedModel, visual: nn.Module) -> Any:
    """The tower inside the module that opens it."""
    holder = nn.Module()
    holder.visual = visual
    return PatchModule(replace(model, module=holder)).tower


def values(size_px: int = SIZE_PX) -> Tensor:
    return torch.from_numpy(np.random.default_rng(4).standard_normal((2, 3, size_px, size_px)).astype(np.float32))


def patches(tower: PatchTower, seed: int = 1) -> PatchMap:
    return tower.embed_patches(tower.prepare_image(drawn_picture(seed))[None])[0]


def test_attention_pooling_gives_its_attention_and_each_patch_alone(tiny: LoadedModel) -> None:
    visual = _Timm(class_token=False, global_pool="map")
    projected: list[Tensor] = []
    visual.trunk.attn_pool.proj.register_forward_pre_hook(lambda _, given: projected.append(given[0]))
    with torch.inference_mode():
        visual.trunk(values())
        vectors, weights = opened(tiny, visual)(values())
        tokens = visual.trunk.forward_features(values())
        # the pooling's values, added up with the weights, are what it projects
        of_patches = visual.trunk.attn_pool.kv(tokens)[..., WIDTH:]
        torch.testing.assert_close(torch.einsum("bn,bnc->bc", weights, of_patches), projected[0][:, 0])
        assert weights.std() > 0.01
        for patch in range(PATCHES):
            torch.testing.assert_close(vectors[:, patch], visual.trunk.forward_head(tokens[:, patch : patch + 1]))


def test_of_several_heads_the_mean_attention_counts(tiny: LoadedModel) -> None:
    with torch.inference_mode():
        vectors, weights = opened(tiny, _Timm(class_token=False, global_pool="map", num_heads=4))(values())
    assert vectors.shape == (2, PATCHES, WIDTH)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2))


@pytest.mark.parametrize("class_token", [False, True])
def test_averaged_patches_have_the_pictures_vector_as_their_mean(tiny: LoadedModel, class_token: bool) -> None:
    visual = _Timm(class_token=class_token, global_pool="avg", fc_norm=False)
    with torch.inference_mode():
        vectors, weights = opened(tiny, visual)(values())
        torch.testing.assert_close(vectors.mean(dim=1), visual.trunk(values()))
    assert vectors.shape == (2, PATCHES, WIDTH)
    assert set(weights.flatten().tolist()) == {1 / PATCHES}


def test_cells_of_a_convolutional_tower_have_the_pictures_vector_as_their_mean(demo: LoadedModel) -> None:
    module = cast("Any", demo.module)
    with torch.inference_mode():
        vectors, _ = PatchModule(demo).tower(values(demo.space.image_size_px))
        torch.testing.assert_close(vectors.mean(dim=1), module.encode_image(values(128)), atol=1e-4, rtol=1e-4)


def test_a_class_tokens_last_attention_gives_weights_and_values(tiny: LoadedModel) -> None:
    visual = cast("Any", tiny.module).visual
    last, given = visual.transformer.resblocks[-1], []
    hook = last.ln_1.register_forward_hook(lambda *call: given.append(call[-1]))
    with torch.inference_mode():
        visual(values())
        hook.remove()
        vectors, weights = PatchModule(tiny).tower(values())
        _, attention = last.attn(given[0], given[0], given[0])
        of_patches = attention[:, 0, 1:]
        torch.testing.assert_close(weights, of_patches / of_patches.sum(dim=-1, keepdim=True))
        # attending to a single patch alone is what its vector stands for
        only = last.attn(given[0][:, :1], given[0][:, 6:7], given[0][:, 6:7])[0]
        torch.testing.assert_close(vectors[:, 5], visual.ln_post(only[:, 0]) @ visual.proj)


@pytest.mark.parametrize(
    "missing", [nn.Module(), nn.Sequential(nn.Flatten())], ids=["no trunk", "another architecture"]
)
def test_towers_of_other_kinds_are_refused(tiny: LoadedModel, missing: nn.Module) -> None:
    with pytest.raises(PatchesUnavailable, match="local-dir:tiny"):
        opened(tiny, missing)


@pytest.mark.parametrize("name", ["tiny", "demo"])
def test_openvino_gives_torchs_patches_and_converts_once(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model: LoadedModel = request.getfixturevalue(name)
    builder = Builder(model, Running(threads=1), tmp_path)
    exact = patches(builder.build(Numerics()).open_patches())
    embedder = builder.build(Numerics("openvino", "float32", "float32"))
    assert not list(tmp_path.rglob("patches*"))
    converted = patches(embedder.open_patches())
    np.testing.assert_allclose(converted.vectors, exact.vectors, atol=2e-4)
    np.testing.assert_allclose(converted.weights, exact.weights, atol=1e-5)
    files = sorted(tmp_path.rglob("patches*"))
    assert len(files) == 3
    embedder.open_patches()
    assert sorted(tmp_path.rglob("patches*")) == files


def test_an_embedder_that_kept_no_modules_loads_them_again_to_convert(tiny_model: str, tmp_path: Path) -> None:
    choice = ModelChoice(
        model=tiny_model, device="cpu", backend="openvino", precision="float32", threads=1, models_dir=str(tmp_path)
    )
    exact = patches(load_embedder(replace(choice, backend="torch")).open_patches())
    tower = load_embedder(choice).open_patches()
    assert "openvino float32" in tower.description
    np.testing.assert_allclose(patches(tower).vectors, exact.vectors, atol=2e-4)


def test_a_map_covers_the_whole_picture_and_has_directions(demo: LoadedModel) -> None:
    tower = Builder(demo, Running(threads=1), Path("unused")).build(Numerics()).open_patches()
    found = patches(tower)
    assert found.vectors.shape == (8, 8, demo.space.dim)
    assert found.weights.shape == (8, 8)
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(found.contributions, found.vectors, atol=1e-5)
    again = PatchMap.from_rows(found.to_rows())
    np.testing.assert_array_equal(again.vectors, found.vectors)
    np.testing.assert_array_equal(again.weights, found.weights)
    # what is in the picture's lower half changes the lower patches most
    picture = drawn_picture(1)
    black = picture.copy()
    black.paste((0, 0, 0), (0, picture.height // 2, picture.width, picture.height))
    change = np.abs(found.vectors - tower.embed_patches(tower.prepare_image(black)[None])[0].vectors).mean(axis=(1, 2))
    assert change[4:].mean() > 2 * change[:3].mean()


def test_numbers_that_are_not_finite_are_a_failure(tiny: LoadedModel) -> None:
    tower = Builder(tiny, Running(threads=1), Path("unused")).build(Numerics()).open_patches()
    raw = np.full((1, 4, 3), np.nan, np.float32), np.ones((1, 4), np.float32)
    spoilt = replace(cast("Any", tower), run=lambda _: raw)
    with pytest.raises(ModelFailed, match="not finite"):
        patches(spoilt)


def test_half_precision_sees_the_same_places(tiny: LoadedModel, tmp_path: Path) -> None:
    builder = Builder(tiny, Running(threads=1), tmp_path)
    exact = patches(builder.build(Numerics()).open_patches())
    half = patches(builder.build(Numerics("torch", "bf16", "bf16")).open_patches())
    assert (exact.directions * half.directions).sum(axis=-1).min() > 0.99
    np.testing.assert_allclose(half.weights, exact.weights, atol=0.01)
