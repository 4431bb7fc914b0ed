"""What columns, JSON keys and XML elements are called, and which field of a product each name means.

Names are Google's (product data specification), Yandex Market's, and those that shops' own exports use for the same
thing. A name nobody knows is a free attribute.

Readers hand rows on as dictionaries. Their keys are fields, written in capitals (``TITLE``), and names of free
attributes, always in lower case: so a shop's attribute called "title" is never mistaken for the field.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from indexer.catalog.text import without_controls

# Field → names that mean it, the one that counts first where a table has several; the others stay free attributes.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "ID": ("id", "product_id", "offer_id", "item_id", "sku"),
    "TITLE": ("title", "name", "product_name", "product_title"),
    "DESCRIPTION": ("description", "product_description"),
    "LINK": ("link", "url", "product_url"),
    "IMAGE": ("image_link", "image", "image_url", "main_image", "image_src"),
    "PRICE": ("price",),
    "CURRENCY": ("currency", "currency_id", "price_currency", "currency_code"),
    "AVAILABILITY": ("availability", "available", "in_stock", "is_available", "stock_status"),
    "BRAND": ("brand", "vendor", "manufacturer"),
    "CATEGORY": ("product_type", "product_types", "category_path", "category", "categories", "category_name"),
    "ITEM_GROUP_ID": ("item_group_id", "group_id"),
    "UPDATED_AT": ("updated_at", "modified_time", "last_modified", "modified_at", "updated"),
}
# Every one of these may hold several pictures, and all of them count.
_PICTURE_LISTS: Final = frozenset({
    "additional_image_link", "additional_image_links", "additional_image", "additional_images", "additional_image_url",
    "additional_image_urls", "images", "image_links", "image_urls", "picture", "pictures", "picture_url", "photo",
    "photos",
})  # fmt: skip
_NUMBERED_PICTURE: Final = re.compile(r"(?:additional_)?(?:image|picture|photo)(?:_link|_url)?_?[0-9]{1,3}")
_RANKED: Final[dict[str, tuple[str, int]]] = {
    name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names)
}
# Attributes of Google's specification that a table may write with spaces; other names keep the spaces they have.
_GOOGLE_ATTRIBUTES: Final = frozenset(
    "age_group availability_date canonical_link cost_of_goods_sold custom_label_0 custom_label_1 custom_label_2 "  # noqa: SIM905
    "custom_label_3 custom_label_4 display_ads_id energy_efficiency_class expiration_date google_product_category "
    "identifier_exists is_bundle lifestyle_image_link mobile_link product_detail product_height product_highlight "
    "product_length product_weight product_width promotion_id sale_price sale_price_effective_date shipping_label "
    "shipping_weight size_system size_type structured_description structured_title unit_pricing_base_measure "
    "unit_pricing_measure".split()
)

REQUIRED: Final[tuple[tuple[str, str], ...]] = (
    ("id", "ID"),
    ("title", "TITLE"),
    ("image_link", "IMAGE"),
)
"""What every row needs: the name to show, and the field."""


_MAX_NAME_CHARS: Final = 200  # what is longer is cut off


def own_name(name: str) -> str:
    """A name as its feed wrote it → lower case, without the prefix ``g:`` and a template's label (``ID [id]``).

    ``imageLink`` and ``image link`` are ``image_link`` where that is a name known here.
    """
    return _own_name(name if len(name) <= _MAX_NAME_CHARS else name[:_MAX_NAME_CHARS])


@lru_cache(maxsize=8192)
def _own_name(name: str) -> str:
    name = without_controls(name.strip())
    if name.endswith("]") and "[" in name:
        name = name[name.rindex("[") + 1 : -1].strip()
    name = name.removeprefix("g:")
    snake = re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).lower()
    known = snake in _RANKED or snake in _PICTURE_LISTS or snake in _GOOGLE_ATTRIBUTES or snake == "attributes"
    return snake if known else name.lower()


def _is_picture_list(name: str) -> bool:
    """Whether a name, as ``own_name`` gives it, stands for any number of additional pictures."""
    return name in _PICTURE_LISTS or _NUMBERED_PICTURE.fullmatch(name) is not None


def keys_of(names: Iterable[str]) -> tuple[str, ...]:
    """One key for each name of a table's header, or of a JSON object, in their order; none but "" twice.

    Where several names mean one field, the preferred one gets it and the others keep their own names, as free
    attributes. Further columns of pictures get ``IMAGES``, ``IMAGES:2``, ``IMAGES:3``, ...; a column without a name
    gets "".
    """
    own = [own_name(name) for name in names]
    best: dict[str, tuple[int, int]] = {}
    for position, name in enumerate(own):
        field, rank = _RANKED.get(name, ("", 0))
        if field:
            best[field] = min(best.get(field, (rank, position)), (rank, position))
    winners = {position: field for field, (_, position) in best.items()}
    seen: Counter[str] = Counter()
    keys = []
    for position, name in enumerate(own):
        key = winners.get(position)
        if key is None:
            # A second column for the main picture is one more picture.
            another = _is_picture_list(name) or _RANKED.get(name, ("", 0))[0] == "IMAGE"
            key = "IMAGES" if another else name
        seen[key] += 1
        keys.append(f"{key}:{seen[key]}" if key and seen[key] > 1 else key)
    return tuple(keys)
