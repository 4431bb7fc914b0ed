"""Loading checkpoints: what belongs together loads, what does not is an error and never a warning."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import sentencepiece
import torch
from huggingface_hub.errors import EntryNotFoundError
from PIL import Image
from safetensors.torch import load_file, save_file

from indexer.embedding import hub
from indexer.embedding.choice import ModelChoice
from indexer.embedding.load import load_embedder
from indexer.embedding.openclip import _resolve, load_open_clip
from indexer.embedding.port import Embedder
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.errors import (
    ConfigurationError,
    ModelFailed,
    ModelHubUnreachable,
    ModelMismatch,
    ModelNotFound,
    ModelWeightsMissing,
    QueryTextEmpty,
)
from tests.checkpoints import CONTEXT_LENGTH, DIM, EOS_ID, IMAGE_SIZE_PX, PAD_ID, write_tiny_checkpoint
from tests.pictures import drawn_picture


def choice(folder: Path) -> ModelChoice:
    return ModelChoice(model=f"local-dir:{folder}", device="cpu")


def embed_pictures(embedder: Embedder, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return embedder.embed_images(np.stack([embedder.prepare_image(drawn_picture(seed)) for seed in range(count)]))


def test_a_saved_checkpoint_gives_the_vectors_of_the_model_it_was_saved_from(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    embedder = load_embedder(choice(folder))
    # the reference: open_clip as its README uses it
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    pictures = [drawn_picture(seed, size=(50 + seed, 70)) for seed in range(5)]
    texts = ["red mug", "Красная КРУЖКА!", "红色马克杯"]
    with torch.no_grad():
        images = torch.nn.functional.normalize(
            model.eval().encode_image(torch.stack([transform(picture) for picture in pictures])), dim=-1
        )
        words = torch.nn.functional.normalize(model.encode_text(tokenizer(texts)), dim=-1)
    ours = embedder.embed_images(np.stack([embedder.prepare_image(picture) for picture in pictures]))
    np.testing.assert_allclose(ours, images.numpy(), atol=1e-5)
    np.testing.assert_allclose(embedder.embed_texts(texts), words.numpy(), atol=1e-5)


def test_embeddings_are_float32_and_of_length_one(tiny_embedder: Embedder) -> None:
    for vectors in (embed_pictures(tiny_embedder, 3), tiny_embedder.embed_texts(["red mug", "blue bag", "a"])):
        assert vectors.dtype == np.float32
        assert vectors.shape == (3, DIM)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_picture_embeds_alike_alone_and_among_others(tiny_embedder: Embedder) -> None:
    together = embed_pictures(tiny_embedder, 35)
    alone = np.concatenate(
        [tiny_embedder.embed_images(tiny_embedder.prepare_image(drawn_picture(seed))[None]) for seed in range(35)]
    )
    np.testing.assert_allclose(together, alone, atol=1e-5)
    texts = [f"mug {number}" for number in range(9)]
    apart = np.concatenate([tiny_embedder.embed_texts([text]) for text in texts])
    np.testing.assert_allclose(tiny_embedder.embed_texts(texts), apart, atol=1e-5)


def test_nothing_to_embed_is_an_empty_array(tiny_embedder: Embedder) -> None:
    assert tiny_embedder.embed_images(np.zeros((0, IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3), np.uint8)).shape == (0, DIM)
    assert tiny_embedder.embed_texts([]).shape == (0, DIM)


def test_pinned_first_numbers(tiny_embedder: Embedder) -> None:
    """Silent drift of the preprocessing, the tokenizer or a tower shows here (fastembed's canonical vectors)."""
    image = tiny_embedder.embed_images(tiny_embedder.prepare_image(drawn_picture(11))[None])[0]
    text = tiny_embedder.embed_texts(["A red MUG, please!"])[0]
    np.testing.assert_allclose(image[:5], PINNED_IMAGE, atol=2e-4)
    np.testing.assert_allclose(text[:5], PINNED_TEXT, atol=2e-4)


PINNED_IMAGE = [0.29428, 0.28082, 0.12916, 0.20936, -0.12598]
PINNED_TEXT = [0.18763, 0.4442, 0.09696, -0.01506, 0.08299]


def test_texts_are_canonicalised_and_padded(tmp_path: Path) -> None:
    model = load_open_clip(choice(write_tiny_checkpoint(tmp_path / "tiny")))
    ids = model.tokenize(["A Red, MUG!", "a red mug", "a_red  mug"])
    assert ids.shape == (3, CONTEXT_LENGTH)
    np.testing.assert_array_equal(ids[0], ids[1])
    np.testing.assert_array_equal(ids[0], ids[2])
    end = int(np.argmax(ids[0] == EOS_ID))
    np.testing.assert_array_equal(ids[0, end + 1 :], PAD_ID)
    long = model.tokenize(["word " * 500])
    assert long.shape == (1, CONTEXT_LENGTH)
    assert long[0, -1] == EOS_ID


@pytest.mark.parametrize("text", ["", "  ", "!?", "...", "___"])
def test_a_text_of_which_nothing_is_left_is_refused(tiny_embedder: Embedder, text: str) -> None:
    with pytest.raises(QueryTextEmpty):
        tiny_embedder.embed_texts(["fine", text])


def test_siglip2_token_ids_agree_with_an_independent_tokenizer(tmp_path: Path, shared_data: Path) -> None:
    """Through the checkpoint's own loading code, against sentencepiece on Gemma's model file."""
    folder = write_tiny_checkpoint(tmp_path / "gemma", changes={"model_cfg.text_cfg.vocab_size": 256_000})
    _with_vocabulary(folder, 256_000)
    packed = (shared_data / "siglip" / "siglip2_tokenizer.json.gz").read_bytes()
    (folder / "tokenizer.json").write_bytes(gzip.decompress(packed))
    model = load_open_clip(choice(folder))
    reference = sentencepiece.SentencePieceProcessor(model_file=str(shared_data / "siglip" / "gemma256k.model"))
    published = json.loads((shared_data / "siglip" / "published" / "SigLIP2_demo_table2.json").read_text("utf-8"))
    prompts = json.loads((shared_data / "siglip/published/naflex_fixtures/text_prompts.json").read_text("utf-8"))
    texts = [*published["texts"], *prompts, "a photo of 2 cats", "Summary of the text.", "Zürich, 100%"]
    ids = model.tokenize(texts)
    assert ids.shape == (len(texts), 64)
    for text, row in zip(texts, ids, strict=True):
        cleaned = " ".join(text.lower().translate(str.maketrans("", "", PUNCTUATION)).split())
        expected = [*reference.encode(cleaned), 1]  # 1 ends a text, there is no token that begins one
        np.testing.assert_array_equal(row, expected + [0] * (64 - len(expected)), err_msg=text)


PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def _with_vocabulary(folder: Path, size: int) -> None:
    state = load_file(folder / "open_clip_model.safetensors")
    name = "text.token_embedding.weight"
    state[name] = torch.zeros(size, state[name].shape[1])
    save_file(state, folder / "open_clip_model.safetensors")


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose image tower is a real SigLIP architecture, with random weights."""
    folder = tmp_path_factory.mktemp("checkpoint") / "siglip"
    vision = {"image_size": 256, "timm_model_name": "vit_base_patch32_siglip_256", "timm_model_pretrained": False}
    vision |= {"timm_pool": "map", "timm_proj": "none"}
    write_tiny_checkpoint(folder, changes={"model_cfg.vision_cfg": vision, "model_cfg.embed_dim": 768})
    written = json.loads((folder / "open_clip_config.json").read_text("utf-8"))["model_cfg"]
    towers = {name: value for name, value in written.items() if name != "custom_text"}
    state = open_clip.CustomTextCLIP(**towers).state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "open_clip_model.safetensors")
    return folder


def changed(folder: Path, target: Path, key: str, value: Any) -> Path:
    """A copy of a checkpoint with one member of its config replaced."""
    shutil.copytree(folder, target)
    config = json.loads((target / "open_clip_config.json").read_text("utf-8"))
    *parents, last = key.split(".")
    member = config
    for parent in parents:
        member = member[parent]
    member[last] = value
    (target / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    return target


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("preprocess_cfg.mean", [0.48145466, 0.4578275, 0.40821073], "mean"),
        ("preprocess_cfg.std", [0.26862954, 0.26130258, 0.27577711], "std"),
        ("preprocess_cfg.resize_mode", "shortest", "resize_mode shortest"),
        ("model_cfg.text_cfg.tokenizer_kwargs", {"clean": "whitespace"}, "capitals or punctuation"),
    ],
)
def test_a_siglip_tower_with_another_recipe_is_refused(
    siglip_folder: Path, tmp_path: Path, key: str, value: Any, message: str
) -> None:
    with pytest.raises(ModelMismatch, match=message):
        load_open_clip(choice(changed(siglip_folder, tmp_path / "changed", key, value)))


def test_a_siglip_tower_with_its_own_recipe_loads(siglip_folder: Path) -> None:
    model = load_open_clip(choice(siglip_folder))
    assert (model.space.dim, model.space.image_size_px) == (768, 256)
    assert model.label_scale.bias == pytest.approx(-10)


@pytest.mark.parametrize("key", ["mean", "std", "interpolation", "resize_mode"])
def test_a_recipe_that_is_not_written_down_is_refused(tmp_path: Path, key: str) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny", changes={f"preprocess_cfg.{key}": None})
    with pytest.raises(ModelMismatch, match=f"lacks {key}"):
        load_open_clip(choice(folder))


def test_a_checkpoint_without_any_recipe_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny", changes={"preprocess_cfg": None})
    with pytest.raises(ModelMismatch, match="mean, std, interpolation, resize_mode"):
        load_open_clip(choice(folder))


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelWeightsMissing, match="safetensors"):
        load_open_clip(choice(folder))
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"pickled weights can run code")
    with pytest.raises(ModelWeightsMissing):
        load_open_clip(choice(folder))


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny", changes={"model_cfg.vision_cfg.width": 64})
    with pytest.raises(ModelMismatch, match="could not be loaded"):
        load_open_clip(choice(folder))


def test_half_of_the_weights_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    state = load_file(folder / "open_clip_model.safetensors")
    save_file(
        {name: value for name, value in state.items() if "visual" in name}, folder / "open_clip_model.safetensors"
    )
    with pytest.raises(ModelMismatch):
        load_open_clip(choice(folder))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    (folder / "open_clip_model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ModelMismatch):
        load_open_clip(choice(folder))
    (folder / "open_clip_config.json").write_text("{", "utf-8")
    with pytest.raises(ModelMismatch, match="no JSON"):
        load_open_clip(choice(folder))


def test_a_tokenizer_of_another_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny", changes={"model_cfg.text_cfg.vocab_size": 60})
    _with_vocabulary(folder, 60)
    with pytest.raises(ModelMismatch, match="tokenizer"):
        load_open_clip(choice(folder))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("ViT-B-32-SigLIP2-25", "Did you mean ViT-B-32-SigLIP2-256"),
        ("local-dir:/no/such/folder", "no checkpoint folder"),
        ("gpt", "no open_clip model named gpt"),
    ],
)
def test_an_unknown_model_is_told_with_the_nearest_names(model: str, message: str) -> None:
    with pytest.raises(ModelNotFound, match=message):
        load_open_clip(ModelChoice(model=model))


def test_several_sets_of_weights_must_be_chosen_from() -> None:
    with pytest.raises(ModelNotFound, match=r"openai.*laion"):
        load_open_clip(ModelChoice(model="ViT-B-32"))
    with pytest.raises(ModelNotFound, match="no weights tagged nope"):
        load_open_clip(ModelChoice(model="ViT-B-16-SigLIP2", pretrained="nope"))


def test_an_unreachable_hub_names_both_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelHubUnreachable, match=r"local-dir:PATH.*demo"):
        load_open_clip(ModelChoice(model="ViT-B-32-SigLIP2-256", cache_dir=str(tmp_path)))


def test_a_dead_connection_to_the_hub_is_an_unreachable_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("connection refused")

    monkeypatch.setattr(hub, "get_hf_file_metadata", refuse)
    with pytest.raises(ModelHubUnreachable, match="refused"):
        hub.safetensors_file(
            "timm/ViT-B-32-SigLIP2-256/", ModelChoice(model="ViT-B-32-SigLIP2-256", cache_dir=str(tmp_path))
        )


def cached(folder: Path, repository: str, file: str) -> Path:
    """A file in the hub client's cache, as it lies there."""
    home = folder / f"models--{repository.replace('/', '--')}"
    path = home / "snapshots" / "0123456789" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    (home / "refs").mkdir(exist_ok=True)
    (home / "refs" / "main").write_text("0123456789")
    return path


def test_pickled_weights_of_the_hub_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(tmp_path, "timm/ViT-B-32-SigLIP2-256", "open_clip_pytorch_model.bin")

    def has_no_safetensors(*_: object, **__: object) -> None:
        raise EntryNotFoundError("404")

    monkeypatch.setattr(hub, "get_hf_file_metadata", has_no_safetensors)
    with pytest.raises(ModelWeightsMissing, match=r"ViT-B-32-SigLIP2-256.*can run code.*local-dir:PATH"):
        load_open_clip(ModelChoice(model="ViT-B-32-SigLIP2-256", cache_dir=str(tmp_path)))


def test_open_clip_is_given_the_safetensors_and_looks_for_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = open_clip.get_pretrained_cfg("ViT-B-32-SigLIP2-256", "webli")
    monkeypatch.setitem(entry, "file", "")  # what is written to the table below is undone
    cached(tmp_path, "timm/ViT-B-32-SigLIP2-256", "open_clip_pytorch_model.bin")
    path = cached(tmp_path, "timm/ViT-B-32-SigLIP2-256", "open_clip_model.safetensors")
    _resolve(ModelChoice(model="ViT-B-32-SigLIP2-256", cache_dir=str(tmp_path)))
    assert open_clip.pretrained.download_pretrained(entry) == str(path)


def test_weights_of_other_names_are_looked_for_as_safetensors_too(tmp_path: Path) -> None:
    path = cached(tmp_path, "apple/some-model", "weights.safetensors")
    choice = ModelChoice(model="some-model", cache_dir=str(tmp_path))
    assert hub.safetensors_file("apple/some-model/weights.bin", choice) == path
    with pytest.raises(ModelWeightsMissing, match="can run code"):
        hub.safetensors_file("", choice)


def test_the_space_tells_what_decides_the_numbers(tmp_path: Path) -> None:
    spaces = [
        load_open_clip(choice(write_tiny_checkpoint(tmp_path / "a"))).space,
        load_open_clip(choice(write_tiny_checkpoint(tmp_path / "weights", seed=1))).space,
        load_open_clip(
            choice(write_tiny_checkpoint(tmp_path / "recipe", changes={"preprocess_cfg.interpolation": "bilinear"}))
        ).space,
        load_open_clip(
            choice(
                write_tiny_checkpoint(
                    tmp_path / "tokens", changes={"model_cfg.text_cfg.tokenizer_kwargs": {"clean": "lower"}}
                )
            )
        ).space,
    ]
    assert len({space.space_id for space in spaces}) == len(spaces)
    moved = load_open_clip(choice(write_tiny_checkpoint(tmp_path / "b"))).space
    assert moved.space_id == spaces[0].space_id
    assert moved.model == "local-dir:b"


def test_half_precision_on_disk_is_the_same_space_and_close(tmp_path: Path) -> None:
    whole = write_tiny_checkpoint(tmp_path / "whole")
    half = write_tiny_checkpoint(tmp_path / "half")
    state = load_file(half / "open_clip_model.safetensors")
    rounded = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    save_file(rounded, half / "open_clip_model.safetensors")
    first, second = load_embedder(choice(whole)), load_embedder(choice(half))
    assert first.space.space_id != second.space.space_id  # other numbers, other space
    cosines = np.sum(embed_pictures(first, 8) * embed_pictures(second, 8), axis=1)
    assert cosines.min() > 0.999


def test_bf16_agrees_with_float32(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    exact = load_embedder(choice(folder))
    fast = TorchEmbedder(load_open_clip(choice(folder)), precision="bf16")
    assert fast.space == exact.space
    assert "bf16" in fast.description
    cosines = np.sum(embed_pictures(exact, 16) * embed_pictures(fast, 16), axis=1)
    assert cosines.min() > 0.99


def test_a_model_with_broken_numbers_fails_by_name(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    state = load_file(folder / "open_clip_model.safetensors")
    state["visual.proj"] = torch.full_like(state["visual.proj"], float("nan"))
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(ModelFailed, match="not finite"):
        load_embedder(choice(folder))


def test_a_batch_size_that_is_no_power_of_two_is_refused(tiny_model: str) -> None:
    with pytest.raises(ConfigurationError, match="power of two"):
        load_embedder(ModelChoice(model=tiny_model, batch_size=24))


def test_a_gpu_that_is_not_there_is_refused(tiny_model: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigurationError, match="no GPU"):
        load_embedder(ModelChoice(model=tiny_model, device="cuda"))


def test_the_label_scale_is_the_learned_one(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    state = load_file(folder / "open_clip_model.safetensors")
    state["logit_scale"], state["logit_bias"] = torch.tensor(4.0), torch.tensor(-12.5)
    save_file(state, folder / "open_clip_model.safetensors")
    scale = load_open_clip(choice(folder)).label_scale
    assert scale.scale == pytest.approx(np.exp(4.0), rel=1e-5)
    assert scale.bias == pytest.approx(-12.5)


def test_grey_pictures_have_three_channels(tiny_embedder: Embedder) -> None:
    assert tiny_embedder.prepare_image(Image.new("RGB", (9, 5))).shape == (IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)
