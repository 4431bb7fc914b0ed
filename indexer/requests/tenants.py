"""What one tenant asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.errors import RunNotFound
from indexer.requests.port import RunOrder, RunRequest, WorkQueue


class TenantRequests:
    """Runs that a tenant asked for; those of others are unknown.

    Args:
        queue: of all requests; not closed with this.
        tenant: empty: requests of no tenant.
    """

    def __init__(self, queue: WorkQueue, tenant: str) -> None:
        self._queue = queue
        self._tenant = tenant

    def announce(self, product_ids: Sequence[str]) -> None:
        """See ``WorkQueue``."""
        self._queue.announce(product_ids, self._tenant)

    def request_run(self, order: RunOrder) -> RunRequest:
        """See ``WorkQueue``; the order is the tenant's, whatever it says."""
        return self._queue.request_run(replace(order, tenant=self._tenant))

    def request(self, request_id: str) -> RunRequest:
        """See ``WorkQueue``.

        Raises:
            RunNotFound: there is none, or it is another's: which of the two is not told.
        """
        request = self._queue.request(request_id)
        if request.order.tenant != self._tenant:
            raise RunNotFound(f"No index run {request_id} was asked for.")
        return request

    def requests(self, limit: int = 20) -> Sequence[RunRequest]:
        """See ``WorkQueue``."""
        return self._queue.requests(limit, self._tenant)
