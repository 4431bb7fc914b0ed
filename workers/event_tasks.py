"""Tasks about single products: events that come as messages, and those that wait to be applied."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from indexer.errors import ImageRefForbidden, MessageInvalid, StoreLocked
from indexer.events.messages import (
    DeleteMessage,
    UpdateFieldsMessage,
    UpsertMessage,
    delete_event,
    fields_event,
    upsert_event,
)
from indexer.events.pending import PendingEvents
from indexer.events.port import EventLog, ProductEvent
from workers.fleet import Fleet
from workers.gate import Gate
from workers.messages import ApplyMessage, read_message
from workers.rights import SoleRights

_log = logging.getLogger(__name__)
_M = TypeVar("_M", bound=BaseModel)


class EventTasks:
    """Handles messages about single products.

    Args:
        fleet: shared with other processes.
        rights: to be the one who applies.
        pending: events of this worker's catalog and space.
        log: of events.
        gate: what they enter beside batches.
        feeds_dir: that paths of pictures are relative to; empty: there is none.
    """

    def __init__(
        self, fleet: Fleet, rights: SoleRights, pending: PendingEvents, log: EventLog, gate: Gate, feeds_dir: str
    ) -> None:
        self._fleet = fleet
        self._rights = rights
        self._pending = pending
        self._log = log
        self._gate = gate
        self._feeds_dir = str(Path(feeds_dir).resolve()) if feeds_dir else ""

    def upsert(self, value: object) -> None:
        """``products.upsert``."""
        self._append(value, lambda: self._upsert_event(_read(UpsertMessage, value)))

    def update_fields(self, value: object) -> None:
        """``products.update_fields``."""
        self._append(value, lambda: _fields_event(_read(UpdateFieldsMessage, value)))

    def delete(self, value: object) -> None:
        """``products.delete``."""
        self._append(value, lambda: _delete_event(_read(DeleteMessage, value)))

    def apply(self, value: object) -> None:
        """Applies what waits; if another worker does so now, it finds what is new as well."""
        try:
            read_message(ApplyMessage, value)
        except MessageInvalid as error:
            self._fleet.dead_letters.add(str(error), value)
            return
        self.apply_pending()

    def apply_pending(self) -> None:
        """Applies events until none waits, or another worker does it."""
        # asked again after the right was given back: an event may have come just before that
        while self._pending.is_behind():
            with self._rights.taken("events") as granted:
                if not granted:
                    return
                with self._gate.entered(alone=False):
                    try:
                        self._pending.apply()
                    except StoreLocked as error:
                        _log.info("events wait: %s", error)
                        return

    def _append(self, value: object, event: Callable[[], ProductEvent]) -> None:
        try:
            appended = event()
        except (MessageInvalid, ImageRefForbidden) as error:
            _log.error("%s", error)
            reason = str(error)
            self._fleet.retries.insist(lambda: self._fleet.dead_letters.add(reason, value))
            return
        self._fleet.retries.insist(lambda: self._log.append([appended]))
        self.apply_pending()

    def _upsert_event(self, message: UpsertMessage) -> ProductEvent:
        return upsert_event(message.product_id, message, self._feeds_dir)


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
