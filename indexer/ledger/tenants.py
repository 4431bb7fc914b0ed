"""The runs of one tenant, for those who name runs from outside."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.errors import RunNotFound
from indexer.ledger.port import Failure, RunLedger, RunRecord, run_not_found


class TenantRuns:
    """Runs that a tenant began; those of others are unknown.

    Args:
        ledger: of all runs; not closed with this.
        tenant: empty: runs of no tenant.
    """

    def __init__(self, ledger: RunLedger, tenant: str) -> None:
        self._ledger = ledger
        self._tenant = tenant

    def run(self, run_id: str) -> RunRecord:
        """See ``RunLedger``.

        Raises:
            RunNotFound: there is none, or it is another's: which of the two is not told.
        """
        try:
            record = self._ledger.run(run_id)
        except RunNotFound:
            record = None
        if record is None or record.plan.tenant != self._tenant:
            raise run_not_found(run_id, [item.run_id for item in self.runs(3)])
        return record

    def runs(self, limit: int = 20) -> Sequence[RunRecord]:
        """See ``RunLedger``."""
        return self._ledger.runs(limit, self._tenant)

    def failures(self, run_id: str) -> Sequence[Failure]:
        """See ``RunLedger``.

        Raises:
            RunNotFound: see ``run``.
        """
        return self._ledger.failures(self.run(run_id).run_id)
