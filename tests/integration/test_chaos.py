"""A few rounds of kill -9 while products are changed and a feed is indexed; ``make chaos`` goes through fifty."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.chaos.installations import embedded_shop, fleet_shop
from tests.chaos.rounds import Chaos
from tests.pictures import draw_catalog
from tests.qdrant_server import remove_catalog
from tests.redis_server import require_redis

PRODUCTS = 12


def test_an_api_killed_under_load_forgets_nothing_that_it_acknowledged(tmp_path: Path, tiny_model: str) -> None:
    catalog = draw_catalog(tmp_path / "catalog", products=PRODUCTS)
    with embedded_shop(tmp_path, catalog, tiny_model) as shop:
        chaos = Chaos(shop, catalog)
        chaos.begin()
        chaos.round(1, ["api"])
    assert chaos.expected.acknowledged > 0


def test_any_part_of_a_fleet_killed_under_load_costs_nothing(tmp_path: Path, tiny_model: str, qdrant_url: str) -> None:
    require_redis()
    catalog = draw_catalog(tmp_path / "catalog", products=PRODUCTS)
    name = f"test_{secrets.token_hex(6)}"
    try:
        with fleet_shop(tmp_path, catalog, tiny_model, qdrant_url, name) as shop:
            chaos = Chaos(shop, catalog)
            chaos.begin()
            for number, part in enumerate(("redis", "api", "worker"), 1):
                before = chaos.expected.acknowledged
                chaos.round(number, [part])
                assert chaos.expected.acknowledged > before
    finally:
        remove_catalog(qdrant_url, name)
