"""What OpenAPI needs beside what FastAPI finds by itself: bodies that a route reads on its own, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from search_api.routes.dependencies import problems
from search_api.routes.scopes import COOKIE_SCHEME
from search_api.schemas import Problem

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_OF_BODIES = (400, 413)
"""A form or JSON that cannot be taken apart, and too much of it: answered before the route sees anything."""


def install_schemas(app: FastAPI, *models: type[BaseModel], open_search: bool) -> None:
    """Adds to the app's OpenAPI document what is missing: models that no route names, and what routes refuse.

    Args:
        app: with all its routes, once the document is asked for.
        models: to add, with those that they are made of.
        open_search: whether searching needs no key here.
    """
    original = app.openapi
    named: tuple[type[BaseModel], ...] = (*models, Problem)

    def openapi() -> dict[str, Any]:
        document = original()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in named:
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            for name, part in schema.pop("$defs", {}).items():
                schemas.setdefault(name, part)
            schemas.setdefault(model.__name__, schema)
        for operation in _operations(document):
            _describe_refusals(operation)
            if open_search:
                _describe_open(operation)
        return document

    setattr(app, "openapi", openapi)  # noqa: B010 - FastAPI's documented way is to assign to its method


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for routes in document.get("paths", {}).values():
        yield from (operation for method, operation in routes.items() if method in _METHODS)


def _describe_open(operation: dict[str, Any]) -> None:
    """Where searching is open, what the page's cookie would be good for can be had with nothing, too."""
    ways = operation.get("security", [])
    if {COOKIE_SCHEME: []} in ways and {} not in ways:
        ways.insert(0, {})


def _describe_refusals(operation: dict[str, Any]) -> None:
    """FastAPI says that parameters which do not fit are told in a form of its own; here all errors are problems."""
    responses = operation["responses"]
    if "requestBody" in operation:
        for status in _OF_BODIES:
            responses.setdefault(str(status), problems(status)[status])
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        responses.setdefault("404", problems(404)[404])  # a line break in an id, say, is in no route's path
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"] = problems(422)[422]
