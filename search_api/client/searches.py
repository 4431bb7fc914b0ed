"""Calls that search, one for each route; each is a method of both clients, described here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from search_api.client.call import (
    Answer,
    Call,
    Picture,
    as_file,
    given,
    reading,
    repeated,
    segment,
    sent,
)
from search_api.client.errors import ApiAnswerInvalid
from search_api.find_schemas import DuplicatesResponse, FindQuery, FindResponse, PhotoPart
from search_api.region_schemas import RegionsResponse
from search_api.schemas import ProductResponse, SearchResponse, TextQuery
from search_api.zero_shot_schemas import ClassifyResponse, EmbedBody, EmbedResponse


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of a query, with more than its bytes to say.

    Attributes:
        picture: its bytes or its path.
        box: left, top, right, bottom of the object, as shares of width and height.
        region: auto: the object is looked for.
        weight: beside the query's other parts.
    """

    picture: Picture
    box: tuple[float, float, float, float] | None = None
    region: Literal["whole", "auto"] = "whole"
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ProductPicture:
    """A product's picture.

    Attributes:
        jpeg: its bytes; empty where the shop's own host has it.
        url: where that is; empty where the bytes came.
    """

    jpeg: bytes
    url: str


def search_text(text: str, *, limit: int = 20, offset: int = 0) -> Call[SearchResponse]:
    """Products that a text describes, in any language of the model."""
    body = TextQuery(text=text, limit=limit, offset=offset)
    return Call("POST", "/v1/search/text", reading(SearchResponse), json=sent(body))


def search_image(photo: Picture, *, limit: int = 20, offset: int = 0) -> Call[SearchResponse]:
    """Products that look like a photo, given as bytes or path."""
    page = given({"limit": limit, "offset": offset})
    return Call("POST", "/v1/search/image", reading(SearchResponse), page, files=(as_file(photo),))


def search(query: FindQuery | None = None, *, photos: Sequence[Picture | Photo] = ()) -> Call[FindResponse]:
    """Products by any mix of photos, texts and products, filtered, counted, sorted and in pages.

    Args:
        query: all but the photos; None for photos alone.
        photos: bytes, paths, or a ``Photo`` where there is more to say of it.
    """
    wanted = query or FindQuery()
    if not photos:
        return Call("POST", "/v1/search", reading(FindResponse), json=sent(wanted))
    shown = [photo if isinstance(photo, Photo) else Photo(photo) for photo in photos]
    fields = [f"photo{number}" for number in range(len(shown))]
    parts = [
        PhotoPart(file=field, box=photo.box, region=photo.region, weight=photo.weight)
        for field, photo in zip(fields, shown, strict=True)
    ]
    whole = wanted.model_copy(update={"photos": [*wanted.photos, *parts]})
    files = tuple(as_file(photo.picture, field) for field, photo in zip(fields, shown, strict=True))
    return Call("POST", "/v1/search", reading(FindResponse), form=(("query", sent(whole).decode()),), files=files)


def next_page(query: FindQuery | None, answer: FindResponse) -> FindQuery | None:
    """The query of the page after an answer; None after the last one."""
    if answer.cursor is None:
        return None
    return (query or FindQuery()).model_copy(update={"cursor": answer.cursor})


def duplicates(photo: Picture, *, limit: int = 20) -> Call[DuplicatesResponse]:
    """Products that already show a picture, byte by byte or saved anew."""
    path, page = "/v1/duplicates", given({"limit": limit})
    return Call("POST", path, reading(DuplicatesResponse), page, files=(as_file(photo),))


def regions(photo: Picture, *, crops: bool = True) -> Call[RegionsResponse]:
    """The objects in a photo, the clearest first; ``crops=False`` leaves out their pictures."""
    return Call("POST", "/v1/regions", reading(RegionsResponse), given({"crops": crops}), files=(as_file(photo),))


def product(product_id: str) -> Call[ProductResponse]:
    """All that is indexed of a product."""
    return Call("GET", f"/v1/products/{segment(product_id)}", reading(ProductResponse))


def similar(product_id: str, *, limit: int = 20, offset: int = 0) -> Call[SearchResponse]:
    """Products that look like a product's main picture, itself left out."""
    page = given({"limit": limit, "offset": offset})
    return Call("GET", f"/v1/products/{segment(product_id)}/similar", reading(SearchResponse), page)


def product_image(
    product_id: str, position: int = 0, *, size: Literal["full", "thumbnail"] = "full"
) -> Call[ProductPicture]:
    """A product's picture as JPEG, or where the shop's own host has it."""
    path = f"/v1/products/{segment(product_id)}/images/{position}"
    return Call("GET", path, _picture, given({"size": size}))


def heat_map(heat_map_url: str) -> Call[bytes]:
    """Which places of a hit's picture agree with the query: a square PNG, to be stretched over the picture.

    Args:
        heat_map_url: of the hit's explanation, where ``search`` was asked to explain.
    """
    path, _, parameters = heat_map_url.partition("?")
    return Call("GET", path, _png, tuple(parse_qsl(parameters)))


def photo_heat_map(photo: Picture, product_id: str, position: int = 0) -> Call[bytes]:
    """Which places of a photo agree with a product's picture: a square PNG, to be stretched over the photo."""
    path = f"/v1/products/{segment(product_id)}/images/{position}/heat"
    return Call("POST", path, _png, files=(as_file(photo),))


def classify(photo: Picture, labels: Sequence[str], *, templates: Sequence[str] = ()) -> Call[ClassifyResponse]:
    """What a photo shows, of the labels.

    Args:
        photo: bytes or path.
        labels: in any language of the model.
        templates: prompts with ``{}`` for the label; the API's own if there is none.
    """
    form = (*repeated("labels", labels), *repeated("templates", templates))
    return Call("POST", "/v1/classify", reading(ClassifyResponse), form=form, files=(as_file(photo),))


def embed_photos(photos: Sequence[Picture]) -> Call[EmbedResponse]:
    """Vectors of photos, in their order."""
    return Call("POST", "/v1/embed", reading(EmbedResponse), files=tuple(as_file(photo) for photo in photos))


def embed_texts(texts: Sequence[str]) -> Call[EmbedResponse]:
    """Vectors of texts, in their order."""
    return Call("POST", "/v1/embed", reading(EmbedResponse), json=sent(EmbedBody(texts=list(texts))))


def health() -> Call[dict[str, str]]:
    """Whether the process lives."""
    return Call("GET", "/healthz", reading(dict[str, str]))


def ready() -> Call[dict[str, str]]:
    """Whether model and store answer; with ``space_id`` and ``collection``."""
    return Call("GET", "/readyz", reading(dict[str, str]))


def _png(answer: Answer) -> bytes:
    if answer.headers.get("content-type", "") != "image/png":
        raise ApiAnswerInvalid(f"The answer {answer.status} is no PNG.")
    return answer.content


def _picture(answer: Answer) -> ProductPicture:
    if answer.status == 200 and answer.headers.get("content-type", "") == "image/jpeg":
        return ProductPicture(answer.content, "")
    if answer.status in {302, 303, 307, 308} and (url := answer.headers.get("location", "")):
        return ProductPicture(b"", url)
    raise ApiAnswerInvalid(f"The answer {answer.status} is neither a JPEG nor the address of a picture.")
