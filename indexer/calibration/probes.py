"""Where probes come from: labelled queries, products' other pictures, changed copies, titles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from indexer.calibration.evidence import Probe
from indexer.calibration.shopper_photos import shopper_photo
from indexer.embedding.port import Embedder
from indexer.errors import ConfigurationError, ImageError, QueryTextEmpty
from indexer.evaluation.queries import LabelledQuery
from indexer.images.decoder import Decoder
from indexer.images.source import ImageSource
from indexer.points import StoredPoint, Vectors
from indexer.store.port import CollectionReader

_SEED = 11
_PASS = 32


@dataclass(frozen=True, slots=True)
class Pictures:
    """How pictures become vectors.

    Attributes:
        embedder: of the collection's space.
        source: of pictures' bytes.
        decoder: of pictures.
    """

    embedder: Embedder
    source: ImageSource
    decoder: Decoder

    def embed(self, pictures: Sequence[Image.Image]) -> Iterator[Vectors]:
        """Float32 (D,) of each RGB picture, in passes of 32."""
        for start in range(0, len(pictures), _PASS):
            part = [self.embedder.prepare_image(picture) for picture in pictures[start : start + _PASS]]
            yield from self.embedder.embed_images(np.stack(part))


def from_other_pictures(
    products: Mapping[str, tuple[StoredPoint, ...]], reader: CollectionReader, most: int
) -> list[Probe]:
    """One picture of each product that has another one: the picture is the query and is left out of the search.

    Args:
        products: with all their points.
        reader: that has their vectors.
        most: probes.
    """
    rng = np.random.default_rng(_SEED)
    chosen: list[StoredPoint] = []
    for points in products.values():
        if len({point.payload.image_sha256 for point in points}) > 1 and len(chosen) < most:
            chosen.append(points[int(rng.integers(len(points)))])
    vectors = reader.vectors([point.id for point in chosen])
    return [
        Probe(
            vectors[point.id],
            frozenset({point.payload.product_id}),
            category=point.payload.category,
            without_sha256=point.payload.image_sha256,
        )
        for point in chosen
        if point.id in vectors
    ]


def from_copies(mains: Sequence[StoredPoint], pictures: Pictures, most: int) -> list[Probe]:
    """Changed copies of main pictures, as far as these can be fetched and are still the ones that were indexed."""
    rng = np.random.default_rng(_SEED)
    fetched: list[tuple[StoredPoint, Image.Image]] = []
    failed = 0
    for point in mains:
        picture = _picture(point, pictures)
        if picture is None:
            failed += 1
        else:
            fetched.append((point, picture))
        if len(fetched) == most or failed > most:
            break
    photos = [shopper_photo(picture, fetched[int(rng.integers(len(fetched)))][1], rng) for _, picture in fetched]
    return [
        Probe(
            vector,
            frozenset({point.payload.product_id}),
            category=point.payload.category,
            same_sha256=point.payload.image_sha256,
        )
        for (point, _), vector in zip(fetched, pictures.embed(photos), strict=True)
    ]


def _picture(point: StoredPoint, pictures: Pictures) -> Image.Image | None:
    payload = point.payload
    try:
        found = pictures.source.fetch(payload.image_ref, payload.image_root)
        if found.sha256 != payload.image_sha256:
            return None
        # large enough that a cropped part still fills the model's input
        least_px = 2 * pictures.embedder.space.image_size_px
        picture = pictures.decoder.picture(found.data, min_side_px=least_px).image
        picture.thumbnail((512, 512))  # many are held at once
    except ImageError:
        return None
    return picture


def from_titles(mains: Sequence[StoredPoint], embedder: Embedder, most: int) -> list[Probe]:
    """Titles of products, each once."""
    titled = {point.payload.title.strip(): point for point in mains if _has_words(point.payload.title)}
    chosen = list(titled.items())[:most]
    vectors = embed_texts([title for title, _ in chosen], embedder)
    return [
        Probe(vector, frozenset({point.payload.product_id}), point.payload.title, point.payload.category)
        for (_, point), vector in zip(chosen, vectors, strict=True)
        if vector is not None
    ]


def from_labelled(
    queries: Sequence[LabelledQuery], reader: CollectionReader, pictures: Pictures
) -> tuple[list[Probe], list[Probe]]:
    """Photo probes and text probes of labelled queries whose products are there.

    Raises:
        ConfigurationError: a photo cannot be used; names its line.
    """
    categories: dict[str, tuple[str, ...]] = {}
    wanted = sorted({product_id for query in queries for product_id in query.relevant})
    for start in range(0, len(wanted), 256):
        for product_id, points in reader.product_points(wanted[start : start + 256]).items():
            categories[product_id] = points[0].payload.category
    known = [query for query in queries if any(product_id in categories for product_id in query.relevant)]
    photos = [query for query in known if query.image is not None]
    texts = [query for query in known if query.image is None]
    images = [_opened(query, pictures) for query in photos]
    found = list(pictures.embed(images)), embed_texts([query.text or "" for query in texts], pictures.embedder)

    def probe(query: LabelledQuery, vector: Vectors) -> Probe:
        relevant = frozenset(query.relevant)
        category = next(categories[product_id] for product_id in sorted(relevant) if product_id in categories)
        return Probe(vector, relevant, category=category)

    return (
        [probe(query, vector) for query, vector in zip(photos, found[0], strict=True)],
        [probe(query, vector) for query, vector in zip(texts, found[1], strict=True) if vector is not None],
    )


def _opened(query: LabelledQuery, pictures: Pictures) -> Image.Image:
    try:
        data = query.image.read_bytes() if query.image else b""
        return pictures.decoder.picture(data, min_side_px=pictures.embedder.space.image_size_px).image
    except (OSError, ImageError) as error:
        raise ConfigurationError(f"The photo of query line {query.line} cannot be used: {error}") from error


def embed_texts(texts: Sequence[str], embedder: Embedder) -> list[Vectors | None]:
    """Float32 (D,) of each text; None where the tokenizer keeps nothing."""
    found: list[Vectors | None] = []
    for start in range(0, len(texts), _PASS):
        part = list(texts[start : start + _PASS])
        try:
            found += list(embedder.embed_texts(part))
        except QueryTextEmpty:
            found += [_embed_one(text, embedder) for text in part]
    return found


def _embed_one(text: str, embedder: Embedder) -> Vectors | None:
    try:
        vector: Vectors = embedder.embed_texts([text])[0]
    except QueryTextEmpty:
        return None
    return vector


def _has_words(title: str) -> bool:
    return any(character.isalnum() for character in title)
