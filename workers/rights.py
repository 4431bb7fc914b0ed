"""Sole rights: what only one worker of the fleet does at a time, kept alive while it does."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from workers.redis_ledger import RedisLedger
from workers.upkeep import Upkeep


class SoleRights:
    """Taken for the length of a block.

    Args:
        ledger: where they are on record.
        upkeep: renews them.
        scope: what the names belong to, e.g. an alias.
        lease_s: how long one holds without a sign of life.
    """

    def __init__(self, ledger: RedisLedger, upkeep: Upkeep, scope: str, *, lease_s: float) -> None:
        self._ledger = ledger
        self._upkeep = upkeep
        self._scope = scope
        self._lease_s = lease_s

    @contextmanager
    def taken(self, name: str) -> Iterator[bool]:
        """Whether nobody else has it now; held until the end of the block.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        right, holder = f"{name}:{self._scope}", secrets.token_hex(8)
        if self._ledger.lease(right, holder, self._lease_s) != holder:
            yield False
            return
        try:
            with self._upkeep.keeping(lambda: self._ledger.lease(right, holder, self._lease_s)):
                yield True
        finally:
            self._ledger.release(right, holder)
