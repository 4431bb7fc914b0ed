"""Tasks about single products: events that come as messages, and those that wait to be applied."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from indexer.errors import ConfigurationError, ImageRefForbidden, MessageInvalid, StoreLocked
from indexer.events.logs import EventLogs
from indexer.events.messages import (
    DeleteMessage,
    UpdateFieldsMessage,
    UpsertMessage,
    delete_event,
    fields_event,
    upsert_event,
)
from indexer.events.pending import PendingEvents
from indexer.events.port import ProductEvent
from indexer.settings import Settings
from indexer.tenants import checked_tenant, feeds_dir_of
from workers.fleet import Fleet
from workers.gate import Gate
from workers.messages import ApplyMessage, read_message
from workers.names import of_tenant
from workers.rights import SoleRights

_log = logging.getLogger(__name__)
_M = TypeVar("_M", UpsertMessage, UpdateFieldsMessage, DeleteMessage)


class EventTasks:
    """Handles messages about single products.

    Args:
        fleet: shared with other processes.
        rights: to be the one who applies.
        pending: gives the events of a tenant, of this worker's catalog and space.
        logs: of events.
        gate: what they enter beside batches.
        settings: whether there are tenants, and where feeds lie.
    """

    def __init__(
        self,
        fleet: Fleet,
        rights: SoleRights,
        pending: Callable[[str], PendingEvents],
        logs: EventLogs,
        gate: Gate,
        settings: Settings,
    ) -> None:
        self._fleet = fleet
        self._rights = rights
        self._pending = pending
        self._logs = logs
        self._gate = gate
        self._settings = settings

    def upsert(self, value: object) -> None:
        """``products.upsert``."""
        self._append(value, UpsertMessage, self._upsert_event)

    def update_fields(self, value: object) -> None:
        """``products.update_fields``."""
        self._append(value, UpdateFieldsMessage, _fields_event)

    def delete(self, value: object) -> None:
        """``products.delete``."""
        self._append(value, DeleteMessage, _delete_event)

    def apply(self, value: object) -> None:
        """Applies what waits; if another worker does so now, it finds what is new as well."""
        try:
            message = read_message(ApplyMessage, value)
        except MessageInvalid as error:
            self._fleet.dead_letters.add(str(error), value)
            return
        self.apply_pending(message.tenant)

    def apply_pending(self, tenant: str = "") -> None:
        """Applies events of a tenant until none waits, or another worker does it."""
        pending = self._pending(tenant)
        # asked again after the right was given back: an event may have come just before that
        while pending.is_behind():
            with self._rights.taken(of_tenant("events", tenant)) as granted:
                if not granted:
                    return
                with self._gate.entered(alone=False):
                    try:
                        pending.apply()
                    except StoreLocked as error:
                        _log.info("events wait: %s", error)
                        return

    def _append(self, value: object, kind: type[_M], event_of: Callable[[_M], ProductEvent]) -> None:
        try:
            message = _read(kind, value)
            tenant, event = self._tenant(message.tenant), event_of(message)
        except (MessageInvalid, ImageRefForbidden) as error:
            _log.error("%s", error)
            reason = str(error)
            self._fleet.retries.insist(lambda: self._fleet.dead_letters.add(reason, value))
            return
        self._fleet.retries.insist(lambda: self._logs.of(tenant).append([event]))
        self.apply_pending(tenant)

    def _tenant(self, name: str) -> str:
        try:
            return checked_tenant(self._settings, name)
        except ConfigurationError as error:
            raise MessageInvalid(f"tenant of the message is wrong: {error.reason}") from error

    def _upsert_event(self, message: UpsertMessage) -> ProductEvent:
        folder = feeds_dir_of(self._settings, message.tenant)
        return upsert_event(message.product_id, message, str(Path(folder).resolve()) if folder else "")


def _fields_event(message: UpdateFieldsMessage) -> ProductEvent:
    return fields_event(message.product_id, message)


def _delete_event(message: DeleteMessage) -> ProductEvent:
    return delete_event(message.product_id, message.updated_at)


def _read(kind: type[_M], value: object) -> _M:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the message"
        raise MessageInvalid(f"{where} of a {kind.__name__} is wrong: {first['msg']}.") from error
