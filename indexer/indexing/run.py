"""An index run: what is asked of it, and the batches it comes to; a dispatcher carries them out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog import open_feed
from indexer.errors import ConfigurationError, FeedError
from indexer.indexing.dispatcher import Dispatcher, PlannedRun
from indexer.indexing.feed_batches import counted_batches, feed_batches
from indexer.indexing.feed_version import version_of_file, written_at
from indexer.indexing.progress import ProgressListener, no_progress
from indexer.ledger.port import RunPlan, RunRecord
from indexer.ledger.tenants import TenantRuns
from indexer.store.port import Alias

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What an index run is asked to do.

    Attributes:
        full: products that the feed does not name are removed at the end.
        limit: most products to read, 0 for all.
        batch_products: most products, and most pictures, in a batch.
        default_currency: ISO 4217, for prices that name none.
        tenant: whose feed it is; empty in an installation without tenants.
    """

    full: bool = False
    limit: int = 0
    batch_products: int = 64
    default_currency: str = ""
    tenant: str = ""

    def __post_init__(self) -> None:
        if self.full and self.limit:
            raise ConfigurationError(
                "A full run with a limit would remove every product behind the limit.", "Leave out one of the two."
            )


def index_feed(
    path: Path, options: IndexOptions, dispatcher: Dispatcher, listen: ProgressListener = no_progress
) -> RunRecord:
    """Indexes a feed; the same call after an interruption goes on where it stopped.

    What was read before a feed breaks off is indexed and published; the run then counts as failed, and nothing is
    removed.

    Raises:
        FeedError: the feed cannot be read at all.
        StoreLocked: another run is writing.
        VitrineError: model, store or ledger failed; what was acknowledged is kept.
    """
    return dispatcher.execute(plan_feed(path, options, dispatcher.alias), listen)


def retry_failures(
    run_id: str, batch_products: int, dispatcher: Dispatcher, listen: ProgressListener = no_progress, tenant: str = ""
) -> RunRecord:
    """Indexes again the products on a run's failure list; rows that are no products wait for a better feed.

    Raises:
        RunNotFound: no such run of the tenant.
        ConfigurationError: the run belongs to another model, or nothing on its list can be retried.
        VitrineError: as ``index_feed``.
    """
    runs = TenantRuns(dispatcher.ledger, tenant)
    return dispatcher.execute(plan_retry(run_id, batch_products, runs, dispatcher.alias), listen)


def plan_feed(path: Path, options: IndexOptions, alias: Alias) -> PlannedRun:
    """The run that indexes a feed behind an alias.

    Raises:
        FeedError: the feed cannot be read at all.
    """
    feed = open_feed(path, default_currency=options.default_currency)
    for note in feed.notes:
        _log.warning("%s", note)
    plan = RunPlan(
        alias=alias.name,
        feed=str(path.resolve()),
        feed_version=version_of_file(path),
        full=options.full,
        limit=options.limit,
        batch_products=options.batch_products,
        tenant=options.tenant,
    )

    def note_break(error: FeedError) -> None:
        run.broken_off = error

    as_of = written_at(plan.feed_version)
    run = PlannedRun(plan, feed_batches(feed, options.batch_products, options.limit, note_break, as_of))
    return run


def plan_retry(run_id: str, batch_products: int, runs: TenantRuns, alias: Alias) -> PlannedRun:
    """The run that tries the failures of another one of the same tenant again.

    Raises:
        RunNotFound: no such run.
        ConfigurationError: the run belongs to another model, or nothing on its list can be retried.
    """
    record = runs.run(run_id)
    if record.plan.alias != alias.name:
        raise ConfigurationError(
            f"The run {run_id} wrote to {record.plan.alias}, this model writes to {alias.name}.",
            "Name the model that the run used.",
        )
    failures = runs.failures(run_id)
    products = {item.product.product_id: item.product for item in failures if item.product is not None}
    if not products:
        raise ConfigurationError(
            f"Nothing on the failure list of run {run_id} can be retried.",
            "Rows that could not be read must be mended in the feed, and the feed indexed again.",
        )
    plan = RunPlan(
        alias=alias.name,
        feed=record.plan.feed,
        feed_version=record.plan.feed_version,
        batch_products=batch_products,
        retry_of=record.plan.retry_of or run_id,
        tenant=record.plan.tenant,
    )
    folder, as_of = Path(plan.feed).parent, written_at(plan.feed_version)
    return PlannedRun(plan, counted_batches(list(products.values()), batch_products, folder, as_of))
