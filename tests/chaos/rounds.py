"""A round: changes and an index run under way, a process killed, all mended, and what must hold checked."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.changes import KEY, changing, draw_pictures
from tests.chaos.expected import Expected, Offer
from tests.chaos.installations import Installation
from tests.fleet import wait_for
from tests.pictures import DrawnCatalog, catalog_row, write_feed

_LONGEST_S = 1.5
_HOLDS_WITHIN_S = 60.0
_SAME = 0.9999
"""Cosine from which on it is the same picture; the drawn ones are further apart."""


@dataclass(slots=True)
class Chaos:
    """Rounds of one installation.

    Attributes:
        seed: of what is killed when.
        killed: how often each part was.
    """

    shop: Installation
    catalog: DrawnCatalog
    seed: int = 1
    expected: Expected = field(default_factory=Expected)
    killed: Counter[str] = field(default_factory=Counter)
    pictures: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """The feed is indexed, and the API answers."""
        self.pictures = draw_pictures(self.catalog.folder)
        self.shop.begin_index()
        self.shop.finish_index()
        self._wait_for_api()

    def round(self, number: int, parts: Sequence[str] = ()) -> None:
        """One round.

        Args:
            number: from 1; the feed's prices are made of it.
            parts: of which one is killed; all if empty.
        """
        rng = random.Random(self.seed * 1000 + number)
        part = rng.choice(list(parts or self.shop.parts))
        self._offer_feed(number)
        with changing(self.shop.url, self.expected, self.pictures, self.seed * 1000 + number):
            time.sleep(rng.uniform(0, 0.3))
            self.shop.begin_index()
            time.sleep(rng.uniform(0, _LONGEST_S))
            self.shop.kill(part)
            self.killed[part] += 1
            time.sleep(rng.uniform(0, 0.5))
            self.shop.mend(part)
            self._wait_for_api()
            time.sleep(0.3)
        self.shop.finish_index()
        assert not self.expected.surprises, "\n".join([*self.expected.surprises[:5], self.shop.logs()])
        self._check(number)

    def _offer_feed(self, number: int) -> None:
        rows = [
            catalog_row(item, [f"images/p{item}-0.jpg"]) | {"price": f"{number}.{item % 100:02d} EUR"}
            for item in range(len(self.catalog.product_ids))
        ]
        write_feed(self.catalog.feed, rows)

    def _wait_for_api(self) -> None:
        self._wait_for(lambda: self._status_of("/readyz") == 200, "the API to be ready")

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_for(condition, what, every_s=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shop.logs()}") from None

    def _check(self, number: int) -> None:
        """Acknowledged is found, deleted is gone, each product once, counts exact."""
        self._wait_for(self._is_current, "events to be applied")
        deadline_s = time.monotonic() + _HOLDS_WITHIN_S
        while problems := self._problems(number):
            # readers see within a moment what was published
            assert time.monotonic() < deadline_s, "\n".join([*problems, self.shop.logs()])
            time.sleep(0.2)

    def _problems(self, number: int) -> list[str]:
        with self._client() as client:
            problems: list[str] = []
            live = len(self.catalog.product_ids)
            for product_id in self.expected.ids():
                offer = _offer(client, product_id)
                live += offer is not None
                problems += filter(None, [self.expected.found(product_id, offer)])
            for item, product_id in enumerate(self.catalog.product_ids):
                offer, wanted = _offer(client, product_id), Offer(number * 100 + item, f"p{item}-0.jpg")
                if offer is None or offer.price_minor != wanted.price_minor:
                    problems.append(f"{product_id} is {offer}, and must cost {wanted.price_minor}")
            problems += filter(None, [self._unfound(client, picture) for picture in self.pictures])
            answer = client.post("/v1/search", json={"facets": ["in_stock"], "limit": 1}).json()
            if answer.get("facets_over") != live:
                problems.append(f"{answer.get('facets_over')} products are counted, and {live} are there")
            return problems

    def _unfound(self, client: httpx.Client, picture: str) -> str:
        """Whether a photo finds just those products that have that picture."""
        photo = (self.catalog.folder / picture).read_bytes()
        headers = {"content-type": "image/jpeg"}
        hits = client.post("/v1/search/image?limit=100", content=photo, headers=headers).json()["hits"]
        found = {hit["product_id"] for hit in hits if hit["score"] > _SAME}
        states = {product_id: self.expected.of(product_id) for product_id in self.expected.ids()}
        wanted = {
            product_id
            for product_id, offers in states.items()
            if any(offer is not None and offer.picture == picture for offer in offers)
        }
        return "" if found == wanted else f"{picture} finds {sorted(found)}, and must find {sorted(wanted)}"

    def _is_current(self) -> bool:
        with self._client() as client:
            response = client.get("/v1/index-status")
            return response.status_code == 200 and bool(response.json()["is_current"])

    def _status_of(self, path: str) -> int:
        try:
            with self._client() as client:
                return client.get(path).status_code
        except httpx.TransportError:
            return 0

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.shop.url, timeout=30, trust_env=False, headers={"X-API-Key": KEY})


def _offer(client: httpx.Client, product_id: str) -> Offer | None:
    response = client.get(f"/v1/products/{product_id}")
    if response.status_code == 404:
        return None
    assert response.status_code == 200, response.text
    product: dict[str, Any] = response.json()
    assert len(product["images"]) == 1, product
    return Offer(product["price_minor"], product["description"])
