"""One vector for a query of many parts: photos, products, texts, what is liked and what is not.

Photos and texts of a model like SigLIP lie apart: every text is nearer to every other text than to any picture. So they
are never averaged. Each modality is centred by its own mean over the catalog (of its pictures, of its titles), and what
is added to a photo is a *difference* of texts, scaled so that an average text differs from its mean by as much as an
average picture does from its own:

    q = m + Σ a_i (v_i - m) + s Σ b_j (t_j - e_j) - n [ s Σ c_k (u_k - μ) + Σ d_l (w_l - m) ]

``v`` pictures (photos, products, liked ones) with weights ``a`` that add up to 1, ``m`` the mean of the catalog's
pictures; ``t`` texts with weights ``b``, ``μ`` the mean of its titles, ``s`` the ratio of the two spreads; ``u``
negative texts and ``w`` disliked pictures with theirs; ``n`` is ``NEGATIVE_SHARE``. The result is scaled to length 1.

``e_j`` is what a text takes away. Most texts take away the mean title. But "in blue" said to a red mug means that it is
not to be red. Where a text is about an attribute of the catalog, as one of its values is near to it ("blue", of color),
what it takes away is the value that the picture has now: the values' mean by how well each fits the picture. The
difference is then "blue instead of red" and says nothing of mugs. Nearness is measured between embeddings, so
it works in every language of the model. On the demo catalog this puts a product of the asked colour and the same kind
first in 0.88 of the cases, the plain difference ``t - μ`` in 0.74, and adding ``t`` itself in 0.74
(``python -m indexer.demo.measure_variants``).

Centring is in use for this: e.g. BASIC (Psomas et al., Instance-level composed image retrieval, 2025); differences of
texts added to pictures: PDV (Tursun et al., 2025). Both need no training, as this.

A query of texts alone, or of one picture alone, is that vector itself: there is no gap to bridge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from indexer.points import Vectors

PartKind = Literal["photo", "product", "text", "liked", "disliked", "negative_text"]
_PICTURES = frozenset({"photo", "product", "liked"})

NEGATIVE_SHARE = 0.5
"""What is not wanted pushes half as much as what is wanted pulls: Rocchio's weights have the same order."""
_SHARPNESS = 20.0
"""How clearly the value that fits a picture best stands out; 10 to 60 measured alike on the demo catalog."""
_ABOUT_FROM, _ABOUT_TO = 0.5, 0.85
"""Cosine of a text and a value, both centred: below, the text is not about the attribute; above, it is. In the demo
model "in blue" and "blue" have 0.99, "but red" and "red" 0.9, and "in leather" and the nearest value 0.4."""


@dataclass(frozen=True, slots=True)
class QueryPart:
    """One part of a query.

    Attributes:
        kind: what it is.
        label: the text, the product's id, or which photo it is.
        vector: float32 (D,), length 1.
        weight: more than 0.
    """

    kind: PartKind
    label: str
    vector: Vectors
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ValueGroup:
    """Values that exclude each other: those of one attribute.

    Attributes:
        name: of the attribute.
        vectors: embeddings of the values as texts, float32 (N, D), rows of length 1.
    """

    name: str
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class CatalogGeometry:
    """Where a catalog's pictures and texts lie.

    Attributes:
        image_mean: of the pictures' embeddings, float32 (D,); shorter than 1.
        text_mean: of the titles' embeddings, float32 (D,).
        groups: values of attributes.
    """

    image_mean: Vectors
    text_mean: Vectors
    groups: tuple[ValueGroup, ...] = ()

    @property
    def text_scale(self) -> float:
        """Spread of pictures around their mean, divided by that of texts around theirs.

        Embeddings have length 1, so their mean squared distance to their mean is ``1 - |mean|²``.
        """
        image, text = (max(1e-6, 1.0 - float(mean @ mean)) for mean in (self.image_mean, self.text_mean))
        return float(np.sqrt(image / text))


@dataclass(frozen=True, slots=True)
class Share:
    """What one part of the query adds to the score of a picture ``v``: ``vector @ v``.

    Attributes:
        kind: of the part; ``catalog``: what lies in no part, the mean of the pictures.
        label: of the part.
        vector: float32 (D,).
    """

    kind: PartKind | Literal["catalog"]
    label: str
    vector: Vectors


@dataclass(frozen=True, slots=True)
class ComposedQuery:
    """A query's vector and what it is made of.

    Attributes:
        vector: float32 (D,), length 1.
        shares: their vectors add up to ``vector``.
    """

    vector: Vectors
    shares: tuple[Share, ...]


def needs_geometry(parts: Sequence[QueryPart]) -> bool:
    """Whether a composition asks where the catalog lies; one picture alone and texts alone do not."""
    return len(parts) > 1 and any(part.kind != "text" for part in parts)


def compose(parts: Sequence[QueryPart], geometry: CatalogGeometry | None = None) -> ComposedQuery:
    """The vector of a query; see above.

    Args:
        parts: at least one.
        geometry: of the catalog; must be given where ``needs_geometry``, or where nothing is asked for but what is
            not wanted.
    """
    wanted = [part for part in parts if part.kind in _PICTURES]
    if len(parts) == 1 and parts[0].kind in {*_PICTURES, "text"}:
        only = parts[0]
        return ComposedQuery(only.vector, (Share(only.kind, only.label, only.vector),))
    if geometry is None:
        total = sum(part.weight for part in parts)
        return _scaled([Share(part.kind, part.label, part.weight / total * part.vector) for part in parts])
    base = Share("catalog", "", geometry.image_mean)
    if not wanted and any(part.kind == "text" for part in parts):
        return _scaled([*_plain_texts(parts), *_unwanted(parts, geometry)])
    pictures, reference = _pictures(wanted, geometry)
    texts = [
        Share(part.kind, part.label, _scaled_difference(part, taken_away(part.vector, reference, geometry), geometry))
        for part in parts
        if part.kind == "text"
    ]
    return _scaled([base, *pictures, *texts, *_unwanted(parts, geometry)])


def taken_away(text: Vectors, reference: Vectors, geometry: CatalogGeometry) -> Vectors:
    """What a text replaces in a picture, as a text's embedding, float32 (D,): the attribute's value that it has now.

    Args:
        text: float32 (D,), length 1.
        reference: the picture, or the mean of several.
        geometry: of the catalog.
    """
    mean = geometry.text_mean
    best, about = None, 0.0
    for group in geometry.groups:
        nearness = float(np.max(_cosines(group.vectors - mean, text - mean)))
        if nearness > about:
            best, about = group, nearness
    share = float(np.clip((about - _ABOUT_FROM) / (_ABOUT_TO - _ABOUT_FROM), 0.0, 1.0))
    if best is None or share == 0.0:
        return mean
    fits = (best.vectors - best.vectors.mean(axis=0)) @ (reference - geometry.image_mean)
    weights = np.exp(_SHARPNESS * (fits - fits.max()))
    now = (weights / weights.sum()) @ best.vectors
    replaced: Vectors = (share * now + (1.0 - share) * mean).astype(np.float32)
    return replaced


def _pictures(wanted: Sequence[QueryPart], geometry: CatalogGeometry) -> tuple[list[Share], Vectors]:
    mean = geometry.image_mean
    total = sum(part.weight for part in wanted)
    shares = [Share(part.kind, part.label, part.weight / total * (part.vector - mean)) for part in wanted]
    reference = mean + sum((share.vector for share in shares), np.zeros_like(mean))
    return shares, reference


def _plain_texts(parts: Sequence[QueryPart]) -> list[Share]:
    texts = [part for part in parts if part.kind == "text"]
    total = sum(part.weight for part in texts)
    return [Share(part.kind, part.label, part.weight / total * part.vector) for part in texts]


def _unwanted(parts: Sequence[QueryPart], geometry: CatalogGeometry) -> list[Share]:
    shares = []
    for part in parts:
        if part.kind == "negative_text":
            difference = _scaled_difference(part, geometry.text_mean, geometry)
        elif part.kind == "disliked":
            difference = part.weight * (part.vector - geometry.image_mean)
        else:
            continue
        shares.append(Share(part.kind, part.label, -NEGATIVE_SHARE * difference))
    return shares


def _scaled_difference(part: QueryPart, away: Vectors, geometry: CatalogGeometry) -> Vectors:
    return part.weight * geometry.text_scale * (part.vector - away)


def _scaled(shares: Sequence[Share]) -> ComposedQuery:
    total: NDArray[np.float64] = np.stack([share.vector for share in shares]).astype(np.float64).sum(axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6:  # parts that cancel each other out leave nothing to look for
        first = shares[0]
        unit = np.zeros_like(first.vector)
        unit[0] = 1.0
        return ComposedQuery(unit, (Share(first.kind, first.label, unit),))
    scaled = tuple(Share(share.kind, share.label, (share.vector / length).astype(np.float32)) for share in shares)
    unit_total: Vectors = (total / length).astype(np.float32)
    return ComposedQuery(unit_total, scaled)


def _cosines(rows: Vectors, vector: Vectors) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    cosines: Vectors = (rows @ vector) / np.maximum(lengths, 1e-6)
    return cosines
