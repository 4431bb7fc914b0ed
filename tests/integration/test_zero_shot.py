"""Labels and vectors over HTTP, against open_clip's own numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from indexer.bootstrap import open_embedder
from indexer.embedding.choice import LOCAL_DIR, demo_checkpoint
from indexer.embedding.port import Embedder, LabelScale
from indexer.settings import load_settings
from search_api.app import create_app
from search_api.zero_shot_schemas import MAX_LABELS, MAX_PHOTOS
from tests.embedders import Wrapped
from tests.pictures import drawn_picture
from tests.served import served

LABELS = ["red mug", "синяя ваза", "黑色椅子", "quả bóng"]
TEMPLATES = ["a photo of a {}", "{} on a table"]


class Watched(Wrapped):
    """Counts the texts that reach the model."""

    texts = 0
    scale: LabelScale | None = None

    @property
    def label_scale(self) -> LabelScale:
        return self.scale or super().label_scale

    def embed_texts(self, texts: Any) -> Any:
        self.texts += len(texts)
        return super().embed_texts(texts)


@pytest.fixture(scope="module")
def model() -> Embedder:
    return open_embedder(load_settings({"model": "demo", "device": "cpu"}, environment={}).settings)


@pytest.fixture(scope="module")
def watched(model: Embedder) -> Watched:
    return Watched(model)


@pytest.fixture(scope="module")
def client(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = load_settings(
        {"data_dir": tmp_path_factory.mktemp("data"), "image_max_bytes": 400_000, "query_text_max_chars": 60},
        environment={},
    ).settings
    with served(create_app(settings, load_embedder=lambda _: watched)) as opened:
        while opened.post("/v1/embed", json={"texts": ["ready"]}).status_code == 503:
            pass
        yield opened


def png(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(drawn_picture(seed))).convert("RGB").save(out, "PNG")
    return out.getvalue()


def by_open_clip(data: bytes, templates: list[str]) -> tuple[Any, Any]:
    """Probabilities and softmax of the labels, computed as open_clip's users do."""
    name = f"{LOCAL_DIR}{demo_checkpoint()}"
    module, transform = open_clip.create_model_from_pretrained(name)
    module.eval()
    tokenizer = open_clip.get_tokenizer(name)
    with torch.inference_mode():
        picture = transform(Image.open(io.BytesIO(data)).convert("RGB"))
        image = torch.nn.functional.normalize(module.encode_image(picture[None]), dim=-1)
        rows = []
        for label in LABELS:
            prompts = module.encode_text(tokenizer([template.format(label) for template in templates]))
            rows.append(torch.nn.functional.normalize(torch.nn.functional.normalize(prompts, dim=-1).mean(0), dim=-1))
        logits = image @ torch.stack(rows).T * module.logit_scale.exp() + module.logit_bias
        return torch.sigmoid(logits)[0].numpy(), logits.softmax(dim=-1)[0].numpy()


@pytest.mark.parametrize("templates", [TEMPLATES[:1], TEMPLATES])
def test_probabilities_are_open_clips_own(client: httpx.Client, templates: list[str]) -> None:
    data = png(3)
    response = client.post(
        "/v1/classify", files={"file": ("p.png", data, "image/png")}, data={"labels": LABELS, "templates": templates}
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    assert [item["softmax"] for item in answer["labels"]] == sorted(
        (item["softmax"] for item in answer["labels"]), reverse=True
    )
    by_label = {item["label"]: item for item in answer["labels"]}
    probabilities, softmax = by_open_clip(data, templates)
    np.testing.assert_allclose([by_label[label]["probability"] for label in LABELS], probabilities, atol=1e-4)
    np.testing.assert_allclose([by_label[label]["softmax"] for label in LABELS], softmax, atol=1e-4)


def test_labels_may_be_sent_in_every_way(client: httpx.Client, watched: Watched) -> None:
    data = png(4)
    file = {"file": ("p.png", data, "image/png")}
    watched.texts = 0
    answers = [
        client.post("/v1/classify", files=file, data={"labels": "tin mug, tin vase,,  tin mug"}),
        client.post("/v1/classify", files=file, data={"labels": ["tin mug", "tin vase"]}),
        client.post(
            "/v1/classify",
            content=data,
            headers={"content-type": "image/png"},
            params={"labels": ["tin mug", "tin vase"], "templates": "a photo of a {}"},
        ),
        client.post("/v1/classify", json={"photo": base64.b64encode(data).decode(), "labels": "tin mug,tin vase"}),
    ]
    assert all(answer.status_code == 200 for answer in answers), [answer.text for answer in answers]
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert sum(item["softmax"] for item in answers[0].json()["labels"]) == pytest.approx(1.0)
    assert watched.texts == 2  # each prompt went through the model once; the others came from the cache


def test_a_model_without_a_bias_gives_no_probabilities(client: httpx.Client, watched: Watched) -> None:
    watched.scale = LabelScale(100.0, None)
    try:
        file = {"file": ("p.png", png(5), "image/png")}
        answer = client.post("/v1/classify", files=file, data={"labels": "mug,vase"}).json()
    finally:
        watched.scale = None
    assert [item["probability"] for item in answer["labels"]] == [None, None]
    assert sum(item["softmax"] for item in answer["labels"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "labels"),
        ({"labels": " , "}, "labels"),
        ({"labels": [str(number) for number in range(MAX_LABELS + 1)]}, "labels"),
        ({"labels": "a" * 201}, "labels"),
        ({"labels": "mug", "templates": "a photo"}, "one {}"),
        ({"labels": "mug", "templates": "{} and {}"}, "one {}"),
        ({"labels": "mug", "templates": "{} {"}, ""),
    ],
)
def test_what_cannot_be_asked_is_told(client: httpx.Client, fields: dict[str, Any], told: str) -> None:
    response = client.post("/v1/classify", files={"file": ("p.png", png(1), "image/png")}, data=fields)
    if not told:
        assert response.status_code == 200  # a lone brace is text like any other
        return
    assert (response.status_code, response.json()["code"]) == (422, "request_invalid"), response.text
    assert told in response.json()["detail"]


@pytest.mark.parametrize(
    ("request_parts", "status", "code"),
    [
        (
            {"files": {"file": ("p.png", b"no picture", "image/png")}, "data": {"labels": "mug"}},
            415,
            "image_not_an_image",
        ),
        ({"data": {"labels": "mug"}, "files": {"other": ("p.png", b"x", "image/png")}}, 422, "image_empty"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "image_not_an_image"),
        ({"json": {"labels": ["mug"]}}, 422, "request_invalid"),
        ({"json": {"labels": ["mug"], "photo": "no base64!"}}, 415, "image_not_an_image"),
        ({"json": {"labels": ["mug"], "photo": "A"}}, 422, "request_invalid"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "request_invalid"),
        (
            {"files": {"file": ("p.png", png(1), "image/png")}, "data": {"labels": "mug " * 20}},
            422,
            "query_text_too_long",
        ),
        (
            {"files": {"file": ("p.png", png(1), "image/png")}, "data": {"labels": "?!", "templates": "{}"}},
            422,
            "query_text_empty",
        ),
        (
            {"files": {"file": ("p.png", bytes(420_000), "image/png")}, "data": {"labels": "mug"}},
            413,
            "image_too_large",
        ),
    ],
)
def test_bad_photos_and_texts_are_told(
    client: httpx.Client, request_parts: dict[str, Any], status: int, code: str
) -> None:
    response = client.post("/v1/classify", **request_parts)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text


def test_vectors_are_the_models_own(client: httpx.Client, model: Embedder) -> None:
    photos = [png(1), png(2), png(1)]
    pixels = [model.prepare_image(Image.open(io.BytesIO(data)).convert("RGB")) for data in photos]
    expected = model.embed_images(np.stack(pixels))
    form = client.post("/v1/embed", files=[("file", ("p.png", data, "image/png")) for data in photos]).json()
    raw = client.post("/v1/embed", content=photos[0], headers={"content-type": "image/png"}).json()
    coded = client.post("/v1/embed", json={"photos": [base64.b64encode(data).decode() for data in photos]}).json()
    assert (form["dim"], form["space_id"]) == (model.space.dim, model.space.space_id)
    np.testing.assert_allclose(form["vectors"], expected, atol=1e-5)
    assert form == coded
    np.testing.assert_allclose(raw["vectors"], expected[:1], atol=1e-5)
    texts = ["red mug", "красная кружка"]
    expected = model.embed_texts(texts)
    for answer in (
        client.post("/v1/embed", json={"texts": texts}).json(),
        client.post("/v1/embed", data={"texts": texts}, files={"nothing": b""}).json(),
    ):
        np.testing.assert_allclose(answer["vectors"], expected, atol=1e-5)


@pytest.mark.parametrize(
    "body",
    [{}, {"texts": []}, {"texts": ["a"], "photos": ["AAAA"]}, {"photos": ["AAAA"] * (MAX_PHOTOS + 1)}, {"text": ["a"]}],
)
def test_embed_takes_photos_or_texts(client: httpx.Client, body: dict[str, Any]) -> None:
    response = client.post("/v1/embed", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "request_invalid")


def test_one_bad_photo_of_several_is_told(client: httpx.Client) -> None:
    files = [("file", ("a.png", png(1), "image/png")), ("file", ("b.png", b"GIF89a", "image/png"))]
    response = client.post("/v1/embed", files=files)
    assert response.json()["code"] == "image_damaged"


def test_the_description_names_what_they_take(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/v1/classify", "/v1/embed"):
        content = paths[path]["post"]["requestBody"]["content"]
        assert set(content) == {"multipart/form-data", "application/json", "image/*"}
