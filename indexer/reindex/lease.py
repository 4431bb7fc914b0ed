"""The sole right to reindex a catalog, or to promote and roll back in it; kept alive while its holder lives."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from types import TracebackType
from typing import Self

from indexer.errors import LedgerUnavailable, StoreLocked
from indexer.ledger.port import RunLedger, new_run_id

_log = logging.getLogger(__name__)
_TTL_S = 30.0
_RENEWALS = 3
_ATTEMPTS = 5
_PROBE_S = 0.05


class ReindexLease:
    """Held inside its ``with`` block.

    A process that was killed on this host is told by its number and its right taken over at once; that of another host
    lapses after half a minute.

    Args:
        ledger: all who could hold the right use the same one.
        catalog: the setting of that name.

    Raises:
        StoreLocked: another process holds it.
    """

    def __init__(self, ledger: RunLedger, catalog: str) -> None:
        self._ledger = ledger
        self._name = _name(catalog)
        self._holder = _new_holder()
        self._done = threading.Event()
        self._lost = False
        self._renewing = threading.Thread(target=self._renew, name="reindex lease", daemon=True)

    def __enter__(self) -> Self:
        other = self._ledger.lease(self._name, self._holder, _TTL_S)
        for _ in range(_ATTEMPTS):
            if other == self._holder:
                break
            if _is_dead(other):
                self._ledger.release(self._name, other)
            else:
                time.sleep(_PROBE_S)  # an index run may only have asked; see ``refuse_beside_reindex``
            other = self._ledger.lease(self._name, self._holder, _TTL_S)
        if other != self._holder:
            raise StoreLocked(
                f"Another reindex, promotion or rollback of this catalog is under way: {_described(other)}.",
                f"Wait until it is done; if it was killed, for {_TTL_S:g} s.",
            )
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._renewing.join()
        try:
            self._ledger.release(self._name, self._holder)
        except LedgerUnavailable as failure:
            _log.warning("%s", failure)  # it lapses by itself

    def check(self) -> None:
        """Returns if the right is still held; asked before what cannot be shared.

        Raises:
            StoreLocked: it lapsed, as this process stood still for too long, and another took it.
        """
        if self._lost or self._ledger.lease(self._name, self._holder, _TTL_S) != self._holder:
            raise StoreLocked("Another process has taken over the reindex of this catalog.", "Let it finish.")

    def _renew(self) -> None:
        while not self._done.wait(_TTL_S / _RENEWALS):
            try:
                self._lost = self._ledger.lease(self._name, self._holder, _TTL_S) != self._holder
            except LedgerUnavailable:
                continue  # the next renewal may come through in time; ``check`` tells if not
            if self._lost:
                return


def refuse_beside_reindex(ledger: RunLedger, catalog: str) -> None:
    """Returns if no reindex of a catalog is under way: what an index run wrote beside it would be lost by promotion.

    Raises:
        StoreLocked: one is.
    """
    name, asker = _name(catalog), _new_holder()
    holder = ledger.lease(name, asker, _PROBE_S)
    if holder == asker:
        ledger.release(name, asker)
    elif not _is_dead(holder):
        raise StoreLocked(
            f"A reindex of this catalog is under way: {_described(holder)}.", "Wait until it is promoted, or stop it."
        )


def _name(catalog: str) -> str:
    return f"reindex:{catalog}"


def _new_holder() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{new_run_id()}"


def _is_dead(holder: str) -> bool:
    host, pid, _ = holder.split("/")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _described(holder: str) -> str:
    host, pid, begun = holder.split("/")
    return f"process {pid} on {host}, since {begun}"
