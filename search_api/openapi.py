"""What OpenAPI needs beside what FastAPI finds by itself: models of bodies that a route reads on its own."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel


def install_schemas(app: FastAPI, *models: type[BaseModel]) -> None:
    """Adds models, and those that they are made of, to the app's OpenAPI document."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        document = original()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for model in models:
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            for name, part in schema.pop("$defs", {}).items():
                schemas.setdefault(name, part)
            schemas.setdefault(model.__name__, schema)
        return document

    setattr(app, "openapi", openapi)  # noqa: B010 - FastAPI's documented way is to assign to its method
