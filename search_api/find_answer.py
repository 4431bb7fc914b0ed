"""From what was found to the answer of ``POST /v1/search``."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.calibration.model import Match
from indexer.points import StoredPoint
from indexer.search.cursor import write_cursor
from indexer.search.hits import RankedHit
from indexer.store.queries import Hit
from search_api.find_schemas import (
    Contribution,
    Explanation,
    FindResponse,
    FindTimings,
    FoundProduct,
    MatchedImage,
    Offer,
    RegionNote,
    Variant,
)
from search_api.heat_maps import heat_map_url
from search_api.photo_regions import ChosenPart
from search_api.product_search import Found, Meaning
from search_api.schemas import ImageLink, image_url, product_hit


def find_response(found: Found) -> FindResponse:
    """The answer; hits that were removed meanwhile are left out."""
    hits = [_hit(found, hit) for hit in found.page.hits if hit.group.best.id in found.points]
    return FindResponse(
        hits=hits,
        nothing_close=_nothing_close(found),
        facets=found.facets.by_name if found.facets else {},
        facets_over=found.facets.over if found.facets else None,
        cursor=write_cursor(found.page.cursor, found.cursor_key) if found.page.cursor else None,
        total=found.page.total,
        regions=[_region(number, part) for number, part in enumerate(found.regions)],
        notes=list(found.notes),
        space_id=found.space_id,
        collection=found.collection,
        timings_ms=FindTimings(
            embed=round(found.embed_ms, 3),
            search=round(found.search_ms, 3),
            facets=round(found.facets_ms, 3),
            total=round(found.total_ms, 3),
        ),
    )


def _hit(found: Found, hit: RankedHit) -> FoundProduct:
    best, meaning = hit.group.best, found.meaning
    point = found.points[best.id]
    payload = point.payload
    shown = product_hit(Hit(best.product_id, best.score, point))
    pictures = hit.group.of_best_product()
    images = [_image(found.points[item.id], item.score) for item in pictures if item.id in found.points]
    return FoundProduct(
        **shown.model_dump(),
        match=_match(meaning, hit),
        probability=_probability(found, hit),
        images=images,
        in_stock=payload.in_stock,
        attributes=dict(payload.attributes),
        item_group_id=payload.item_group_id,
        variants=[_variant(item) for item in _others(found.related.get(payload.item_group_id, ()), payload.product_id)],
        offers=[offer_of(item) for item in _same_picture(found, hit)],
        explanation=_explanation(found, hit, images[0]) if found.vectors else None,
    )


def _region(number: int, part: ChosenPart) -> RegionNote:
    box = None if part.box is None else (part.box.left, part.box.top, part.box.right, part.box.bottom)
    return RegionNote(photo=number, won=part.won, box=box, note=part.note)


def _nothing_close(found: Found) -> bool:
    if found.meaning is None or not found.is_first:
        return False
    if any(hit.is_identified or hit.is_worded for hit in found.page.hits):
        return False
    scores = [hit.group.best.score for hit in found.page.hits]
    return found.meaning.calibration.nothing_close(scores, found.meaning.kind)


def _match(meaning: Meaning | None, hit: RankedHit) -> Match | None:
    """What was named by its number is what was asked for, whatever it looks like."""
    if hit.is_identified:
        return "same"
    return meaning.calibration.match(hit.group.best.score, meaning.kind) if meaning else None


def _probability(found: Found, hit: RankedHit) -> float | None:
    if found.meaning is None:
        return None
    score, hits = hit.group.best.score, found.page.hits
    is_best = found.is_first and hits[0] is hit and all(other.group.best.score <= score for other in hits)
    probability = found.meaning.calibration.probability(score, found.meaning.kind, is_best=is_best)
    return None if probability is None else round(probability, 4)


def _same_picture(found: Found, hit: RankedHit) -> Sequence[StoredPoint]:
    """Products with the same bytes, and those whose picture is as near as the same."""
    payload = found.points[hit.group.best.id].payload
    points = {point.payload.product_id: point for point in found.related.get(payload.image_sha256, ())}
    points |= {
        group.best.product_id: found.points[group.best.id] for group in hit.duplicates if group.best.id in found.points
    }
    return _others([points[product_id] for product_id in sorted(points)], payload.product_id)


def _others(points: Sequence[StoredPoint], product_id: str) -> Sequence[StoredPoint]:
    return [point for point in points if point.payload.product_id != product_id]


def _image(point: StoredPoint, score: float) -> MatchedImage:
    return MatchedImage(url=image_url(point.payload), position=point.payload.position, score=round(score, 6))


def _variant(point: StoredPoint) -> Variant:
    payload = point.payload
    image = ImageLink(url=image_url(payload), position=payload.position)
    return Variant(product_id=payload.product_id, title=payload.title, image=image)


def offer_of(point: StoredPoint) -> Offer:
    """What is for sale under a picture."""
    payload = point.payload
    return Offer(
        product_id=payload.product_id,
        title=payload.title,
        price_minor=payload.price_minor,
        currency=payload.currency,
        brand=payload.brand,
        link=payload.link,
    )


def _explanation(found: Found, hit: RankedHit, image: MatchedImage) -> Explanation | None:
    vector = found.vectors.get(hit.group.best.id)
    if found.query is None or vector is None:
        return None
    parts = [
        Contribution(kind=share.kind, label=share.label, contribution=round(float(share.vector @ vector), 6))
        for share in found.query.shares
    ]
    heat_map = heat_map_url(found.points[hit.group.best.id].payload, found.query.vector)
    return Explanation(image=image, parts=parts, lexical_terms=list(hit.words), heat_map_url=heat_map)
