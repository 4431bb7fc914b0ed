"""What a shop must hold after changes of which some were acknowledged and some were cut off."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offer:
    """What a product is, as far as it is changed here.

    Attributes:
        price_minor: its price.
        picture: name of its picture's file.
    """

    price_minor: int
    picture: str


class Expected:
    """By product, what it may be now: one state when all is told, several after a change that was cut off.

    None is a product that is not there. A product is changed by one thread at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[str, frozenset[Offer | None]] = {}
        self.acknowledged = 0
        self.cut_off = 0
        self.surprises: list[str] = []

    def of(self, product_id: str) -> frozenset[Offer | None]:
        """What it may be."""
        with self._lock:
            return self._states.get(product_id, frozenset({None}))

    def begun(self, product_id: str, after: frozenset[Offer | None]) -> None:
        """A change was sent: what was before may be, or what comes of it."""
        with self._lock:
            self._states[product_id] = self._states.get(product_id, frozenset({None})) | after
            self.cut_off += 1

    def unsent(self, product_id: str, before: frozenset[Offer | None]) -> None:
        """Nobody took the connection: it is as it was."""
        with self._lock:
            self._states[product_id] = before
            self.cut_off -= 1

    def done(self, product_id: str, after: frozenset[Offer | None]) -> None:
        """It was acknowledged: only what comes of it may be."""
        with self._lock:
            self._states[product_id] = after
            self.acknowledged += 1
            self.cut_off -= 1

    def found(self, product_id: str, offer: Offer | None) -> str:
        """What is wrong with what was found, empty if nothing is; from now on it has to stay."""
        with self._lock:
            states = self._states.get(product_id, frozenset({None}))
            if offer not in states:
                return f"{product_id} is {offer}, and must be {' or '.join(map(str, states))}"
            self._states[product_id] = frozenset({offer})
            return ""

    def surprise(self, sentence: str) -> None:
        """An answer that must not be."""
        with self._lock:
            self.surprises.append(sentence)

    def ids(self) -> list[str]:
        """Of all products that were ever changed."""
        with self._lock:
            return sorted(self._states)
