"""What a reindex is asked to do, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from indexer.indexing.dispatcher import Dispatcher
from indexer.indexing.inline import IndexParts
from indexer.ledger.port import RunLedger
from indexer.reindex.catch_up import CatchUp
from indexer.reindex.limits import VerifyLimits
from indexer.reindex.verify import Golden
from indexer.store.port import VectorStore


@dataclass(frozen=True, slots=True)
class ReindexOptions:
    """What a reindex is asked to do.

    Attributes:
        promote: whether it promotes what passes; else that waits for ``promote``.
        batch_products: most products, and most pictures, in a batch.
        default_currency: ISO 4217, for prices that name none.
        limits: of the checks.
        lock_wait_s: how long to wait for another process that writes.
    """

    promote: bool = True
    batch_products: int = 64
    default_currency: str = ""
    limits: VerifyLimits = field(default_factory=VerifyLimits)
    lock_wait_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ReindexParts:
    """What a reindex is made of; wired once per process.

    Attributes:
        parts: model, store, ledger and pipeline of this process.
        dispatcher: fills the target; of the same model, store and ledger.
        catch_up: what changes products beside the feed.
        golden: opens the labelled queries with the index to compare with; None for none.
    """

    parts: IndexParts
    dispatcher: Dispatcher
    catch_up: CatchUp
    golden: Callable[[], AbstractContextManager[Golden]] | None = None


@dataclass(frozen=True, slots=True)
class SwitchParts:
    """What promotion, rollback and pruning are made of; no model among them."""

    store: VectorStore
    ledger: RunLedger
    catch_up: CatchUp
    catalog: str
