"""The torch backend on a GPU; where there is none, what can be told without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.embedding.choice import LOCAL_DIR, ModelChoice
from indexer.embedding.openclip import LoadedModel, load_open_clip
from indexer.embedding.port import Pixels
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.errors import ModelFailed
from tests.checkpoints import write_tiny_checkpoint

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "model")


def loaded(folder: Path) -> LoadedModel:
    return load_open_clip(ModelChoice(model=f"{LOCAL_DIR}{folder}"))


def pictures(model: LoadedModel, count: int) -> Pixels:
    side = model.space.image_size_px
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 3, 8, 21])
def test_a_picture_s_vector_does_not_depend_on_the_batches_it_came_in(tiny: Path, count: int) -> None:
    model = loaded(tiny)
    given = pictures(model, count)
    embedder = TorchEmbedder(model, batch_size=8)
    alone = np.concatenate([embedder.embed_images(one[None]) for one in given])
    np.testing.assert_allclose(embedder.embed_images(given), alone, atol=1e-5)


def test_a_pass_that_fails_in_a_later_batch_is_the_model_s_failure(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded(tiny)
    embedder = TorchEmbedder(model, batch_size=4)
    encode, passes = embedder._encode_images, []

    def fails_third(pixels: torch.Tensor) -> torch.Tensor:
        passes.append(len(pixels))
        if len(passes) == 3:
            raise RuntimeError("CUDA out of memory")
        return encode(pixels)

    monkeypatch.setattr(embedder, "_encode_images", fails_third)
    with pytest.raises(ModelFailed, match="out of memory"):
        embedder.embed_images(pictures(model, 12))
    # the lock is free again
    assert embedder.embed_images(pictures(model, 2)).shape == (2, model.space.dim)


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_captured_passes_give_what_the_model_gives(tiny: Path, precision: str) -> None:
    from indexer.embedding.cuda_backend import CudaEmbedder

    embedder = CudaEmbedder(loaded(tiny), precision=precision, batch_size=8)  # type: ignore[arg-type]
    assert embedder._image_graphs is not None
    assert embedder._text_graphs is not None
    reference = TorchEmbedder(loaded(tiny), batch_size=8)
    floor = 0.9999 if precision == "float32" else 0.99
    for count in (1, 2, 5, 8, 9, 40, 77):
        given = pictures(loaded(tiny), count)
        assert np.sum(embedder.embed_images(given) * reference.embed_images(given), axis=1).min() > floor
    texts = [f"a red mug, number {number}" for number in range(37)]
    assert np.sum(embedder.embed_texts(texts) * reference.embed_texts(texts), axis=1).min() > floor


@needs_gpu
def test_batches_of_two_threads_are_not_mixed_up(tiny: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from indexer.embedding.cuda_backend import CudaEmbedder

    model = loaded(tiny)
    embedder = CudaEmbedder(model, precision="float32", batch_size=8)
    given = [pictures(model, count) for count in (3, 8, 17, 30)] * 5
    expected = [embedder.embed_images(item) for item in given]
    with ThreadPoolExecutor(4) as threads:
        for found, wanted in zip(threads.map(embedder.embed_images, given), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-5)
