"""Batches: which pictures and texts are seen together, and which of them belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexer.demo.assortment import ACCENTS
from indexer.demo.captions import Claims, caption, claims_at, is_held_out, levels_for
from indexer.demo.rendering.colours import PALETTE
from indexer.demo.rendering.patterns import PATTERNS
from indexer.demo.rendering.scene import Look
from indexer.demo.rendering.shapes import DRAWINGS
from indexer.demo.templates import Level
from indexer.demo.training import changes
from indexer.demo.training.clutter import Clutter
from indexer.demo.training.corpus import CLOTHES_NAMES, RELATED, framed, snippet, training_captions
from indexer.demo.training.drawings import VIEWS_PER_LOOK, Drawings, look_codes
from indexer.demo.training.sources import Clothes, Groceries, Pixels
from indexer.demo.words import LANGUAGES

DRAWN, GROCERY, CLOTHING = 0, 1, 2
"""Where a picture or a text comes from."""

Marks = NDArray[np.float32]


@dataclass(frozen=True)
class Mixture:
    """How one process's batch is made up: numbers of pictures of each kind.

    Attributes:
        alike: of the looks, how many come three of a type: what differs then is the colour, pattern or accent.
        false_share: of the captions, how many have a twin with one word changed, mostly true of no picture.
    """

    looks: int = 14
    alike: int = 9
    views_per_look: int = 2
    shop_photos: int = 24
    catalogue: int = 6
    clothes: int = 6
    captions_per_look: int = 2
    false_share: float = 0.6
    grocery_texts: int = 8


@dataclass(frozen=True)
class Batch:
    """One training step's material.

    Attributes:
        pictures: float32 (B, 3, S, S), normalised with mean and std 0.5.
        texts: T texts.
        agreement: float32 (B, T), 1 where the text is true of the picture, -1 where not, 0 where it does not matter.
        sameness: float32 (B, B), 1 where two pictures show the same product, -1 or 0 likewise; the diagonal is 0.
        product: int64 (B,), grocery product number of a picture, -1 for others.
        second_product: int64 (B,), product of the picture mixed in, the same where none was.
        share: float32 (B,), share of the first product in a mixed picture.
        attributes: int64 (B, 4), type, colour, pattern, accent of a drawn product, -1 for others.
        claims: int64 (T, 4), likewise what a caption of drawn products says, -1 where it says nothing.
    """

    pictures: Tensor
    texts: list[str]
    agreement: Tensor
    sameness: Tensor
    product: Tensor
    second_product: Tensor
    share: Tensor
    attributes: Tensor
    claims: Tensor


@dataclass(frozen=True)
class Material:
    """All training data."""

    drawings: Drawings
    groceries: Groceries
    clothes: Clothes


class BatchMaker:
    """Makes random batches; the same step number gives the same batch."""

    def __init__(self, material: Material, mixture: Mixture, seed: int) -> None:
        self._material = material
        self._mixture = mixture
        self._seed = seed
        self._codes = look_codes(material.drawings.looks)
        self._looks_of_type = [np.flatnonzero(self._codes[:, 0] == kind) for kind in range(len(DRAWINGS))]
        groceries = material.groceries
        self._clutter = Clutter(
            (text for texts in groceries.descriptions for text in texts),
            training_captions(20_000, np.random.default_rng([seed, 82])),
        )
        # Rare products are shown more often than they come, but not as often as common ones.
        count = np.bincount(groceries.labels, minlength=len(groceries.titles)).astype(np.float64)
        weight = (1 / np.maximum(count, 1) ** 0.5)[groceries.labels]
        self._photo_chance = weight / weight.sum()

    def make(self, step: int, size_px: int) -> Batch:
        """The batch of a step, pictures at ``size_px``."""
        rng = np.random.default_rng([self._seed, step])
        torch.manual_seed(int(rng.integers(1 << 40)))
        looks = self._chosen_looks(rng)
        shop, shop_labels = self._shop_photos(rng, size_px)
        second, share = mix(shop, shop_labels, rng)
        catalogue, catalogue_labels = self._catalogue(rng, size_px, shop_labels)
        clothes, clothes_labels = self._clothes(rng, size_px)
        pictures = torch.cat([self._drawn(looks, rng, size_px), shop, catalogue, clothes])
        source = np.repeat(
            [DRAWN, GROCERY, CLOTHING],
            [len(looks) * self._mixture.views_per_look, len(shop) + len(catalogue), len(clothes)],
        )
        ident = np.concatenate(
            [np.repeat(looks, self._mixture.views_per_look), shop_labels, catalogue_labels, clothes_labels]
        )
        shown = _Shown(source, ident, self._codes)
        texts, agreement, claims = self._texts(shown, looks, rng)
        product = np.where(source == GROCERY, ident, -1)
        second_product, whole = product.copy(), np.ones(len(product), np.float32)
        begin = len(looks) * self._mixture.views_per_look
        second_product[begin : begin + len(shop)], whole[begin : begin + len(shop)] = second, share
        # A mixed picture is not quite either product: it is left to the product classifier.
        mixed = whole < 0.999
        agreement[mixed] = np.minimum(agreement[mixed], 0)
        sameness = shown.sameness()
        sameness[mixed], sameness[:, mixed] = 0, 0
        return Batch(
            pictures=(pictures * 2 - 1).contiguous(memory_format=torch.channels_last),
            texts=texts,
            agreement=torch.from_numpy(agreement),
            sameness=torch.from_numpy(sameness),
            product=torch.from_numpy(product),
            second_product=torch.from_numpy(second_product),
            share=torch.from_numpy(whole),
            attributes=torch.from_numpy(shown.attributes()),
            claims=torch.from_numpy(claims),
        )

    def _chosen_looks(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of looks, int64: a part of them in threes of one type, the others any."""
        chosen: list[int] = []
        while len(chosen) < self._mixture.alike:
            kind = int(rng.integers(len(DRAWINGS)))
            chosen += [int(row) for row in rng.choice(self._looks_of_type[kind], size=3, replace=False)]
        others = rng.integers(len(self._codes), size=self._mixture.looks - len(chosen))
        return np.array([*chosen, *others], dtype=np.int64)

    def _drawn(self, looks: NDArray[np.int64], rng: np.random.Generator, size_px: int) -> Tensor:
        """Two or more views of each look, next to each other, on random backdrops."""
        drawings, per_look = self._material.drawings, self._mixture.views_per_look
        views = np.stack([rng.permutation(VIEWS_PER_LOOK)[:per_look] for _ in looks]).reshape(-1)
        rows = np.repeat(looks, per_look)
        layers = as_pictures(drawings.layers[rows, views])
        count = len(rows)
        placed = changes.seen_through(layers, changes.frames(changes.PRODUCT, count, rng), size_px, beyond="zeros")
        behind = changes.seen_through(self._backdrops(count, rng), changes.frames(changes.BEHIND, count, rng), size_px)
        cover, shadow = placed[:, 3:4], placed[:, 4:5]
        strength = torch.from_numpy(rng.uniform(0.3, 0.9, (count, 1, 1, 1)).astype(np.float32))
        # Colour is stored undivided by coverage, so an enlarged edge darkens a little: as a lens would.
        joined = placed[:, :3] * cover + behind * (1 - shadow * strength) * (1 - cover)
        joined = changes.toned(joined, changes.GENTLE, rng)
        joined = changes.blurred_some(joined, 0.3, rng)
        return changes.covered_some(changes.spoilt_some(joined, 0.15, rng), 0.08, rng)

    def _backdrops(self, count: int, rng: np.random.Generator) -> Tensor:
        """Studio paper half of the time, else made-up rooms or real photos of shops and rooms."""
        drawings, groceries, clothes = self._material.drawings, self._material.groceries, self._material.clothes
        picked = []
        size_px = drawings.rooms.shape[1]
        for kind in rng.choice(4, size=count, p=[0.5, 0.28, 0.11, 0.11]):
            pool: Pixels = (drawings.studios, drawings.rooms, groceries.photos, clothes.photos)[int(kind)]
            picture = pool[int(rng.integers(len(pool)))]
            start = (picture.shape[0] - size_px) // 2
            picked.append(picture[start : start + size_px, start : start + size_px])
        return as_pictures(np.stack(picked))

    def _shop_photos(self, rng: np.random.Generator, size_px: int) -> tuple[Tensor, NDArray[np.int64]]:
        groceries = self._material.groceries
        chosen = rng.choice(len(groceries.labels), size=self._mixture.shop_photos, replace=False, p=self._photo_chance)
        maps = changes.frames(changes.SHOP_PHOTO, len(chosen), rng)
        pictures = changes.seen_through(as_pictures(groceries.photos[chosen]), maps, size_px)
        pictures = changes.blurred_some(changes.toned(pictures, changes.STRONG, rng), 0.15, rng)
        pictures = changes.covered_some(changes.spoilt_some(pictures, 0.1, rng), 0.3, rng)
        return pictures, groceries.labels[chosen]

    def _catalogue(
        self, rng: np.random.Generator, size_px: int, wanted: NDArray[np.int64]
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Catalogue pictures of products whose photos are in the batch, a third of them cut out onto shop photos."""
        groceries = self._material.groceries
        labels = rng.choice(np.unique(wanted), size=self._mixture.catalogue, replace=False)
        both = np.concatenate([groceries.catalogue[labels], groceries.cutouts[labels][..., None]], axis=-1)
        maps = changes.frames(changes.CATALOGUE_PICTURE, len(labels), rng)
        seen = changes.seen_through(as_pictures(both), maps, size_px, beyond="border")
        shops = groceries.photos[rng.integers(len(groceries.photos), size=len(labels))]
        behind = changes.seen_through(as_pictures(shops), changes.frames(changes.BEHIND, len(labels), rng), size_px)
        pasted = torch.from_numpy((rng.random(len(labels)) < 0.35).astype(np.float32))[:, None, None, None]
        cover = 1 - (1 - seen[:, 3:4]) * pasted
        pictures = seen[:, :3] * cover + behind * (1 - cover)
        pictures = changes.blurred_some(changes.toned(pictures, changes.STRONG, rng), 0.2, rng)
        return pictures, labels

    def _clothes(self, rng: np.random.Generator, size_px: int) -> tuple[Tensor, NDArray[np.int64]]:
        clothes = self._material.clothes
        chosen = rng.integers(len(clothes.labels), size=self._mixture.clothes)
        maps = changes.frames(changes.SHOP_PHOTO, len(chosen), rng)
        pictures = changes.seen_through(as_pictures(clothes.photos[chosen]), maps, size_px)
        return changes.toned(pictures, changes.STRONG, rng), clothes.labels[chosen]

    def _texts(
        self, shown: _Shown, looks: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[list[str], Marks, NDArray[np.int64]]:
        """Texts of the batch; per text, a column of the agreement matrix; what each claims of drawn products."""
        columns: dict[str, Marks] = {}
        codes: dict[str, tuple[int, ...]] = {}
        drawn = self._material.drawings.looks
        for row in looks:
            look = drawn[int(row)]
            levels = levels_for(look)
            for language in rng.permutation(len(LANGUAGES))[: self._mixture.captions_per_look]:
                level = levels[int(rng.integers(len(levels)))]
                said = caption(look, LANGUAGES[int(language)], level, rng, held_out=False)
                text = self._clutter.around(said.text, rng)
                codes[text] = claim_codes(said.claims)
                columns[text] = shown.agreement_with_claims(said.claims)
                other = altered(look, level, rng)
                if other is not None and rng.random() < self._mixture.false_share:
                    false = caption(other, LANGUAGES[int(language)], level, rng, held_out=False)
                    text = self._clutter.around(false.text, rng)
                    codes[text] = claim_codes(false.claims)
                    columns[text] = shown.agreement_with_claims(false.claims)
        groceries, clothes = self._material.groceries, self._material.clothes
        present = rng.permutation(np.unique(shown.ident[shown.source == GROCERY]))
        for label in present[: self._mixture.grocery_texts]:
            text, marks = _grocery_text(groceries, int(label), shown, rng)
            columns[text] = marks
        for label in np.unique(shown.ident[shown.source == CLOTHING]):
            name = clothes.classes[int(label)]
            names = CLOTHES_NAMES[name]
            text = framed(names[int(rng.integers(len(names)))], rng)
            columns[text] = shown.agreement_with_clothing(int(label), RELATED.get(name, frozenset()))
        nothing = (-1, -1, -1, -1)
        claims = np.array([codes.get(text, nothing) for text in columns], dtype=np.int64)
        return list(columns), np.stack(list(columns.values()), axis=1), claims


class _Shown:
    """What the pictures of a batch show, and what is true of them."""

    def __init__(self, source: NDArray[np.int64], ident: NDArray[np.int64], codes: NDArray[np.int64]) -> None:
        self.source = source
        self.ident = ident
        self._codes = np.where((source == DRAWN)[:, None], codes[np.where(source == DRAWN, ident, 0)], np.int64(-1))

    def attributes(self) -> NDArray[np.int64]:
        """Int64 (B, 4); the accent of a plain product cannot be seen and counts as none."""
        codes = self._codes.copy()
        codes[codes[:, 2] == PATTERNS.index("plain"), 3] = -1
        return codes

    def agreement_with_claims(self, claims: Claims) -> Marks:
        """A caption of a made-up product against every picture; clothes of a related class do not matter."""
        true = self.source == DRAWN
        for column, value in enumerate(claim_codes(claims)):
            if value >= 0:
                true = true & (self._codes[:, column] == value)
        marks = np.where(true, 1, -1).astype(np.float32)
        related = [i for i, name in enumerate(sorted(CLOTHES_NAMES)) if claims.product_type in RELATED.get(name, ())]
        marks[(self.source == CLOTHING) & np.isin(self.ident, related)] = 0
        return marks

    def agreement_with_clothing(self, label: int, related: frozenset[str]) -> Marks:
        """A name of a class of clothes against every picture; made-up products of a related type do not matter."""
        true = (self.source == CLOTHING) & (self.ident == label)
        marks = np.where(true, 1, -1).astype(np.float32)
        types = [i for i, name in enumerate(DRAWINGS) if name in related]
        marks[(self.source == DRAWN) & np.isin(self._codes[:, 0], types)] = 0
        return marks

    def sameness(self) -> Marks:
        """Float32 (B, B): the same look or grocery product is the same; looks that differ in shape only, and clothes
        of one class, may or may not be."""
        same_source = self.source[:, None] == self.source[None, :]
        same = same_source & (self.ident[:, None] == self.ident[None, :])
        marks = np.where(same, 1, -1).astype(np.float32)
        alike = (self._codes[:, None, :3] == self._codes[None, :, :3]).all(axis=-1) & (self.source == DRAWN)[:, None]
        marks[alike & ~same] = 0
        clothing = (self.source == CLOTHING)[:, None] & same
        marks[clothing] = 0
        np.fill_diagonal(marks, 0)
        return marks


def altered(look: Look, level: Level, rng: np.random.Generator) -> Look | None:
    """A look that differs in one thing that a caption of this level names; None if that would be a held-out one."""
    drawing, colours = DRAWINGS[look.product_type], list(PALETTE)
    named = {"type": ("product_type",), "pattern": ("pattern",), "accent": ("colour", "pattern", "accent")}
    options = named.get(level, ("colour",) if level in {"colour", "plain"} else ("colour", "pattern"))
    field = options[int(rng.integers(len(options)))]
    pools = {"product_type": list(DRAWINGS), "colour": colours, "accent": list(ACCENTS), "pattern": drawing.patterns}
    # captions of plain things are of a level of their own
    pool = [value for value in pools[field] if value not in {getattr(look, field), "plain"}]
    if not pool:
        return None
    changed: dict[str, Any] = {field: pool[int(rng.integers(len(pool)))]}
    other = replace(look, **changed)
    claims = claims_at(other, level)
    if other.accent == other.colour or is_held_out(claims.product_type, claims.colour, claims.pattern):
        return None
    return other


def claim_codes(claims: Claims) -> tuple[int, int, int, int]:
    """Claims as numbers, in the order of :func:`look_codes`; -1 for none."""
    colours = list(PALETTE)
    return (
        list(DRAWINGS).index(claims.product_type),
        colours.index(claims.colour) if claims.colour else -1,
        PATTERNS.index(claims.pattern) if claims.pattern else -1,
        colours.index(claims.accent) if claims.accent else -1,
    )


def _grocery_text(groceries: Groceries, label: int, shown: _Shown, rng: np.random.Generator) -> tuple[str, Marks]:
    """A title, category or piece of a description of a product, and which pictures it is true of."""
    grocery = shown.source == GROCERY
    same = grocery & (shown.ident == label)
    kin = [i for i, category in enumerate(groceries.categories) if category == groceries.categories[label]]
    akin = grocery & np.isin(shown.ident, kin)
    marks = np.where(same, 1, -1).astype(np.float32)
    draw = rng.random()
    if draw < 0.55:
        return framed(groceries.titles[label], rng), marks
    if draw < 0.7:
        return framed(groceries.categories[label], rng), np.where(akin, 1, -1).astype(np.float32)
    texts = groceries.descriptions[label]
    # Products of one category share sentences, so a description says nothing for sure about its kin.
    marks[akin & ~same] = 0
    return snippet(texts[int(rng.integers(len(texts)))], rng), marks


def mix(pictures: Tensor, labels: NDArray[np.int64], rng: np.random.Generator) -> tuple[NDArray[np.int64], Marks]:
    """Mix a quarter of the pictures (in place) with others: half mixup, half cutmix.

    Mixup (Zhang et al. 2018) blends two pictures; CutMix (Yun et al. 2019) pastes a box of one into the other.

    Returns:
        The label of the picture mixed in, int64 (B,), and the first one's share, float32 (B,).
    """
    count, size_px = len(pictures), pictures.shape[-1]
    other = rng.permutation(count)
    originals = pictures.clone()
    second, share = labels.copy(), np.ones(count, np.float32)
    for i in np.flatnonzero(rng.random(count) < 0.25):
        first_share = float(rng.beta(1.0, 1.0))
        partner = int(other[i])
        if rng.random() < 0.4:
            pictures[i] = originals[i] * first_share + originals[partner] * (1 - first_share)
        else:
            side = round(size_px * float(np.sqrt(1 - first_share)))
            top, left = (int(rng.integers(size_px - side + 1)) for _ in range(2))
            box = (slice(None), slice(top, top + side), slice(left, left + side))
            pictures[(i, *box)] = originals[(partner, *box)]
            first_share = 1 - (side / size_px) ** 2
        second[i], share[i] = labels[partner], first_share
    return second, share


def as_pictures(pixels: Pixels) -> Tensor:
    """Uint8 (B, S, S, C) to float32 (B, C, S, S) in 0-1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().div_(255)
