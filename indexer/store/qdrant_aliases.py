"""An alias on a server: what it answers with, what it answered with before, and names for what comes next."""

from __future__ import annotations

import re

from indexer.store.port import Alias
from indexer.store.qdrant_gateway import QdrantGateway

PREVIOUS_SUFFIX = "--previous"


class QdrantAliases:
    """The two aliases of a catalog in a space: the one that is searched and, beside it, the one to roll back to.

    Both change in the same atomic operation.
    """

    def __init__(self, gateway: QdrantGateway, alias: Alias) -> None:
        self._gateway = gateway
        self._name = alias.name
        self._numbered = re.compile(rf"{re.escape(alias.name)}--(\d{{6,}})")

    def current(self) -> str:
        """The collection behind the alias, empty if there is none."""
        return self._gateway.aliases().get(self._name, "")

    def previous(self) -> str:
        """The one that was behind it before, empty if there is none."""
        return self._gateway.aliases().get(self._name + PREVIOUS_SUFFIX, "")

    def point_to(self, collection: str) -> None:
        """Makes the alias answer with a collection; the one before it stays by as the previous one."""
        before = self.current()
        if before == collection:
            return
        wanted = {self._name: collection}
        if before:
            wanted[self._name + PREVIOUS_SUFFIX] = before
        self._gateway.set_aliases(wanted)

    def collections(self) -> list[str]:
        """Every collection that was made for the alias, oldest first."""
        return sorted((name for name in self._gateway.names() if self._number(name)), key=self._number)

    def next_name(self) -> str:
        """A name that none of them has."""
        taken = [self._number(name) for name in self.collections()]
        return f"{self._name}--{max(taken, default=0) + 1:06d}"

    def _number(self, collection: str) -> int:
        match = self._numbered.fullmatch(collection)
        return int(match[1]) if match else 0
