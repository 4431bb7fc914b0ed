"""What of a new OpenAPI document breaks programs that were written for the old one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search_api.schema_order import Direction, SchemaOrder

Document = Mapping[str, Any]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class BreakingChange:
    """Something that worked and no longer does.

    Attributes:
        where: method and path, and the place in request or answer.
        what: in words that follow it.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def breaking_changes(old: Document, new: Document) -> list[BreakingChange]:
    """Removed routes, fields and values, what must now be sent, and types that became narrower (in requests) or wider
    (in answers).

    Args:
        old: an OpenAPI 3.1 document with its schemas in ``components.schemas``.
        new: likewise.
    """
    return [
        change
        for path, routes in old.get("paths", {}).items()
        for method in _METHODS
        if method in routes
        for change in _Operation(f"{method.upper()} {path}", old, new).changes(routes, new["paths"].get(path), method)
    ]


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of one path in both documents."""

    name: str
    old: Document
    new: Document

    def changes(self, routes: Document, new_routes: Document | None, method: str) -> Iterator[BreakingChange]:
        if new_routes is None or method not in new_routes:
            yield BreakingChange(self.name, "was removed")
            return
        before, now = routes[method], new_routes[method]
        yield from self._parameters(_parameters(routes, method), _parameters(new_routes, method))
        yield from self._body(before.get("requestBody"), now.get("requestBody"))
        yield from self._answers(before.get("responses", {}), now.get("responses", {}))
        yield from self._keys(before, now)

    def _parameters(
        self, before: Mapping[tuple[str, str], Document], now: Mapping[tuple[str, str], Document]
    ) -> Iterator[BreakingChange]:
        for (place, name), parameter in now.items():
            known = before.get((place, name))
            if parameter.get("required") and not (known or {}).get("required"):
                yield BreakingChange(f"{self.name}, {place} parameter {name}", "must now be sent")
        for (place, name), parameter in before.items():
            where = f"{self.name}, {place} parameter {name}"
            if (place, name) not in now:
                yield BreakingChange(where, "was removed")
            else:
                new_schema = now[place, name].get("schema", {})
                yield from self._schemas("request", where, parameter.get("schema", {}), new_schema)

    def _body(self, before: Document | None, now: Document | None) -> Iterator[BreakingChange]:
        where = f"{self.name}, request"
        if now is not None and now.get("required") and not (before or {}).get("required"):
            yield BreakingChange(where, "must now have a body")
        if before is None:
            return
        if now is None:
            yield BreakingChange(where, "takes no body any more")
            return
        yield from self._contents("request", where, before.get("content", {}), now.get("content", {}))

    def _answers(self, before: Document, now: Document) -> Iterator[BreakingChange]:
        for status, answer in before.items():
            where = f"{self.name}, answer {status}"
            if status in now:
                yield from self._contents("response", where, answer.get("content", {}), now[status].get("content", {}))
            elif not status.startswith(("4", "5")):  # an error that cannot happen any more breaks nobody
                yield BreakingChange(where, "was removed")

    def _contents(self, direction: Direction, where: str, before: Document, now: Document) -> Iterator[BreakingChange]:
        for media_type, content in before.items():
            place = f"{where}, {media_type}"
            if media_type not in now:
                yield BreakingChange(place, "is no longer taken" if direction == "request" else "is no longer given")
            else:
                new_schema = now[media_type].get("schema", {})
                yield from self._schemas(direction, place, content.get("schema", {}), new_schema)

    def _schemas(self, direction: Direction, where: str, before: Document, now: Document) -> Iterator[BreakingChange]:
        order = SchemaOrder(_schemas_of(self.old), _schemas_of(self.new), direction)
        for refusal in order.refusals(before, now):
            place = f"{where}, {refusal.where}" if refusal.where else where
            yield BreakingChange(place, refusal.what)

    def _keys(self, before: Document, now: Document) -> Iterator[BreakingChange]:
        """Each way to prove who asks must still do; no proof at all, where none was needed."""
        ways = now.get("security") or [{}]
        if any(way not in ways and {} not in ways for way in before.get("security") or [{}]):
            yield BreakingChange(self.name, "needs another key than before")


def _parameters(routes: Document, method: str) -> dict[tuple[str, str], Document]:
    given = [*routes.get("parameters", ()), *routes[method].get("parameters", ())]
    return {(parameter["in"], parameter["name"]): parameter for parameter in given}


def _schemas_of(document: Document) -> Mapping[str, Document]:
    schemas: Mapping[str, Document] = document.get("components", {}).get("schemas", {})
    return schemas
