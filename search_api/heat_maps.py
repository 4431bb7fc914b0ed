"""Heat maps that explain a hit: which places of a picture agree with the query, and which of a photo with the picture.

No query is kept for them: the address of a map holds the query's vector, a byte a number, which moves its direction by
less than a hundredth. So any process answers it, and nothing grows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from indexer.embedding.patches import PatchMap
from indexer.embedding.port import Pixels
from indexer.errors import ProductImageNotFound
from indexer.images.decoder import Decoder
from indexer.points import PointPayload, Vectors
from indexer.products import is_remote
from indexer.regions.heat import agreement, heat_png
from search_api.images import PictureSize, ProductImages
from search_api.model_gate import ModelGate
from search_api.query_embeddings import QueryEmbeddings

_SIDE_PX = 128
_STEPS = 127


class HeatMaps:
    """Draws heat maps; nothing in it knows of HTTP.

    Args:
        gate: to the model.
        queries: whose threads decode.
        images: of indexed products.
        decoder: of pictures.
    """

    def __init__(self, gate: ModelGate, queries: QueryEmbeddings, images: ProductImages, decoder: Decoder) -> None:
        self._gate = gate
        self._queries = queries
        self._images = images
        self._decoder = decoder

    async def of_product(self, payload: PointPayload, toward: Vectors) -> bytes:
        """A PNG to lay over a product's picture: where it agrees with a query.

        Args:
            payload: of the picture's point.
            toward: the query's vector, float32 (D,).

        Raises:
            ProductImageNotFound: the picture lies on another host, or is gone.
            PatchesUnavailable, EmbedderError, Overloaded
        """
        if is_remote(payload.image_ref):
            raise ProductImageNotFound(
                f"Picture {payload.position} of product {payload.product_id!r} lies on another host.",
                "Heat maps are drawn of local pictures.",
            )
        return await self._of(lambda: self._images.picture(payload, PictureSize.THUMBNAIL).jpeg, toward)

    async def of_photo(self, data: bytes, toward: Vectors) -> bytes:
        """A PNG to lay over a shopper's photo: where it agrees with a product's picture.

        Args:
            data: a whole file.
            toward: the picture's vector, float32 (D,).

        Raises:
            ImageError, PatchesUnavailable, EmbedderError, Overloaded
        """
        return await self._of(lambda: data, toward)

    async def _of(self, picture: Callable[[], bytes], toward: Vectors) -> bytes:
        tower = await self._gate.patch_tower()

        def prepared() -> Pixels:
            return tower.prepare_image(self._decoder.picture(picture(), min_side_px=tower.side_px).image)

        def look() -> NDArray[np.float32]:
            return tower.embed_patches(pixels[None])[0].to_rows()

        with self._queries.places() as places:
            places.images.get()  # what cannot be embedded need not be decoded
            pixels = await self._queries.in_decoder(prepared)
            rows = await self._gate.look(look, places.looks.get())
        patches = PatchMap.from_rows(rows)
        return await self._queries.in_decoder(lambda: heat_png(agreement(patches, toward), side_px=_SIDE_PX))


def heat_map_url(payload: PointPayload, query: Vectors) -> str | None:
    """Where the heat map of a product's picture for a query can be had; None for pictures on other hosts.

    Args:
        payload: of the picture's point.
        query: its vector, float32 (D,).
    """
    if is_remote(payload.image_ref):
        return None
    return f"/v1/products/{quote(payload.product_id, safe='')}/images/{payload.position}/heat?toward={packed(query)}"


def packed(vector: Vectors) -> str:
    """A vector's direction as text for an address."""
    largest = float(np.abs(vector).max()) or 1.0
    steps = np.rint(vector / largest * _STEPS).astype(np.int8)
    return base64.urlsafe_b64encode(steps.tobytes()).decode().rstrip("=")


def unpacked(text: str, dim: int) -> Vectors | None:
    """The vector that was packed, of length 1; None if the text is none of that dimension."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    steps = np.frombuffer(raw, dtype=np.int8).astype(np.float32)
    length = float(np.linalg.norm(steps))
    return None if len(steps) != dim or length == 0 else np.asarray(steps / length, dtype=np.float32)
