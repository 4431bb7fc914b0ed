"""Which changes of the API's description break programs, and which do not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from search_api.api_changes import breaking_changes


def document() -> dict[str, Any]:
    """A small description with everything in it that pydantic writes."""
    query = {
        "type": "object",
        "additionalProperties": False,
        "required": ["text"],
        "properties": {
            "text": {"type": "string", "maxLength": 100},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            "weight": {"type": "number", "exclusiveMinimum": 0},
            "sort": {"type": "string", "enum": ["price", "date"]},
            "filter": {"anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]},
            "box": {
                "type": "array",
                "prefixItems": [{"type": "number"}, {"type": "number"}],
                "minItems": 2,
                "maxItems": 2,
            },
            "words": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
            "moment": {"type": "string", "format": "date-time"},
            "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    node = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "and": {"anyOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Node"}}, {"type": "null"}]},
            "not": {"anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]},
            "field": {"type": "string"},
            "value": {"anyOf": [{"type": "boolean"}, {"type": "integer"}, {"type": "string", "maxLength": 50}]},
        },
    }
    hit = {
        "type": "object",
        "required": ["id", "price", "match"],
        "properties": {
            "id": {"type": "string"},
            "price": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "match": {"anyOf": [{"type": "string", "enum": ["same", "similar"]}, {"type": "null"}]},
            "kind": {"type": "string", "const": "hit"},
            "note": {"type": "string"},
            "score": {"type": "number"},
        },
    }
    answer = {
        "type": "object",
        "required": ["hits"],
        "properties": {
            "hits": {"type": "array", "items": {"$ref": "#/components/schemas/Hit"}},
            "facets": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Hit"}},
        },
    }
    problem = {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}}
    json_type = "application/json"
    find = {
        "parameters": [
            {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 100}},
            {"in": "query", "name": "size", "schema": {"$ref": "#/components/schemas/Size"}},
        ],
        "requestBody": {
            "required": True,
            "content": {
                json_type: {"schema": {"$ref": "#/components/schemas/Query"}},
                "image/*": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": {
            "200": {"content": {json_type: {"schema": {"$ref": "#/components/schemas/Answer"}}}},
            "422": {"content": {"application/problem+json": {"schema": problem}}},
        },
    }
    return {
        "paths": {
            "/find": {"post": find},
            "/item/{id}": {
                "parameters": [{"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}],
                "get": {
                    "responses": {"200": {"content": {json_type: {"schema": {"$ref": "#/components/schemas/Hit"}}}}}
                },
                "delete": {"responses": {"202": {}}, "security": [{"key": []}, {"bearer": []}]},
            },
        },
        "components": {
            "schemas": {
                "Query": query,
                "Node": node,
                "Hit": hit,
                "Answer": answer,
                "Size": {"type": "string", "enum": ["small", "full"]},
            }
        },
    }


POST = "paths./find.post"
QUERY = "components.schemas.Query"
NODE = "components.schemas.Node"
HIT = "components.schemas.Hit"
BODY = f"{POST}.requestBody"
GONE = object()


def changed(place: str, value: Any) -> dict[str, Any]:
    """The description with another value at a place, given by keys with dots between them."""
    new = copy.deepcopy(document())
    *steps, last = place.split(".")
    at: Any = new
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is GONE:
        del at[last]
    elif isinstance(at, list):
        at.insert(int(last), value)
    else:
        at[last] = value
    return new


BREAKING = [
    ("paths./find", GONE, "POST /find: was removed"),
    ("paths./item/{id}.get", GONE, "GET /item/{id}: was removed"),
    (f"{POST}.parameters.0", {"in": "query", "name": "shop", "required": True}, "parameter shop: must now be sent"),
    (f"{POST}.parameters", [], "query parameter limit: was removed"),
    (f"{POST}.parameters.0.schema.maximum", 50, "parameter limit: maximum was 100 and is 50"),
    (f"{POST}.parameters.0.schema.type", "boolean", "of type integer is no longer taken"),
    ("components.schemas.Size.enum", ["small"], "parameter size: 'full' is no longer taken"),
    (BODY, GONE, "takes no body any more"),
    (f"{BODY}.content.image/*", GONE, "image/*: is no longer taken"),
    (f"{BODY}.content.image/*.schema.format", "byte", "format was 'binary' and is 'byte'"),
    ("paths./item/{id}.get.requestBody", {"required": True}, "must now have a body"),
    (f"{QUERY}.required", ["text", "limit"], "limit: must now be sent"),
    (f"{QUERY}.properties.words", GONE, "words: was removed"),
    (f"{QUERY}.properties.words.items.type", "integer", "words[]: of type string is no longer taken"),
    (f"{QUERY}.properties.words.maxItems", 4, "words: maxItems was 8 and is 4"),
    (f"{QUERY}.properties.words.minItems", 1, "words: minItems was 'not set' and is 1"),
    (f"{QUERY}.properties.text.maxLength", 99, "text: maxLength was 100 and is 99"),
    (f"{QUERY}.properties.text.pattern", "^a", "text: pattern was 'not set' and is '^a'"),
    (f"{QUERY}.properties.weight.exclusiveMinimum", 1, "weight: exclusiveMinimum was 0 and is 1"),
    (f"{QUERY}.properties.limit.exclusiveMinimum", 1, "limit: exclusiveMinimum was 'not set' and is 1"),
    (f"{QUERY}.properties.limit.default", 10, "limit: left out meant 20 and means 10"),
    (f"{QUERY}.properties.sort.enum", ["price"], "sort: 'date' is no longer taken"),
    (f"{QUERY}.properties.sort.const", "price", "sort: 'date' is no longer taken"),
    (f"{QUERY}.properties.weight.type", "integer", "weight: of type number is no longer taken"),
    (f"{QUERY}.properties.filter", {"$ref": "#/components/schemas/Node"}, "filter: null is no longer taken"),
    (f"{QUERY}.properties.box.prefixItems.1", {"type": "string"}, "box[1]: of type number is no longer taken"),
    (f"{QUERY}.properties.box.maxItems", 1, "box: maxItems was 2 and is 1"),
    (f"{QUERY}.properties.attributes.additionalProperties", False, "attributes: further fields are no longer taken"),
    (
        f"{QUERY}.properties.attributes.additionalProperties.type",
        "integer",
        "attributes.*: of type string is no longer",
    ),
    (f"{QUERY}.properties.moment.madeUp", 1, "moment: madeUp was 'not set' and is 1"),
    (f"{NODE}.properties.value.anyOf", [{"type": "string"}], "filter.value: of type boolean is no longer taken"),
    (f"{NODE}.properties.value.anyOf.2.maxLength", 10, "filter.value: maxLength was 50 and is 10"),
    (f"{NODE}.properties.field", GONE, "filter.field: was removed"),
    (f"{NODE}.required", ["field"], "filter.field: must now be sent"),
    (f"{POST}.responses", {"201": {}}, "answer 200: was removed"),
    (f"{POST}.responses.200.content", {"text/plain": {}}, "application/json: is no longer given"),
    (f"{HIT}.properties.price", GONE, "hits[].price: was removed"),
    (f"{HIT}.properties.note", GONE, "hits[].note: was removed"),
    (f"{HIT}.required", ["id", "match"], "hits[].price: is no longer always there"),
    (f"{HIT}.properties.id.type", "integer", "hits[].id: may now be of type integer"),
    (f"{HIT}.properties.id", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "facets.*.id: may now be null"),
    (f"{HIT}.properties.match.anyOf.0.enum", ["same", "similar", "akin"], "hits[].match: may now be 'akin'"),
    (f"{HIT}.properties.match.anyOf.0.enum", ["same"], "hits[].match: is never 'similar' any more"),
    (f"{HIT}.properties.match.anyOf.0", {"type": "string"}, "hits[].match: may now be of type string"),
    (f"{HIT}.properties.kind.const", "found", "hits[].kind: may now be 'found'"),
    (f"{POST}.responses.422.content.application/problem+json.schema.properties.code.type", "integer", "answer 422"),
    ("paths./item/{id}.delete.security", [{"key": []}], "DELETE /item/{id}: needs another key than before"),
    ("paths./item/{id}.get.security", [{"key": []}], "GET /item/{id}: needs another key than before"),
]


@pytest.mark.parametrize(("place", "value", "told"), BREAKING, ids=[f"{place} {told}" for place, _, told in BREAKING])
def test_what_breaks_programs_is_told(place: str, value: Any, told: str) -> None:
    found = [str(change) for change in breaking_changes(document(), changed(place, value))]
    assert any(told in text for text in found), found


HARMLESS = [
    ("paths./more", {"get": {"responses": {"200": {}}}}),
    ("paths./item/{id}.put", {"responses": {"202": {}}}),
    (f"{POST}.parameters.0", {"in": "query", "name": "shop", "required": False, "schema": {"type": "string"}}),
    (f"{POST}.parameters.0.schema.maximum", 1000),
    (f"{POST}.parameters.0.schema.maximum", GONE),
    (f"{POST}.parameters.0.schema.type", "number"),
    (f"{BODY}.required", False),
    (f"{BODY}.content.text/plain", {"schema": {"type": "string"}}),
    (f"{BODY}.content.image/*.schema", {}),
    ("components.schemas.Size.enum", ["small", "full", "huge"]),
    (f"{QUERY}.required", []),
    (f"{QUERY}.additionalProperties", True),
    (f"{QUERY}.description", "Another text."),
    (f"{QUERY}.properties.colour", {"type": "string"}),
    (f"{QUERY}.properties.text.maxLength", 200),
    (f"{QUERY}.properties.text", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    (f"{QUERY}.properties.text.default", ""),
    (f"{QUERY}.properties.sort.enum", ["name", "price", "date"]),
    (f"{QUERY}.properties.sort", {"anyOf": [{"const": "price"}, {"const": "date"}]}),
    (f"{QUERY}.properties.words.items", {"type": ["string", "integer"]}),
    (f"{QUERY}.properties.limit.minimum", 0),
    (f"{QUERY}.properties.weight", {"type": "number", "minimum": 0}),
    (f"{NODE}.properties.gte", {"type": "number"}),
    (f"{NODE}.properties.value.anyOf.0", {"type": "array", "items": {"type": "string"}}),
    (f"{POST}.responses.202", {}),
    (f"{POST}.responses.503", {}),
    (f"{POST}.responses.422", GONE),
    (f"{HIT}.properties.more", {"type": "string"}),
    (f"{HIT}.properties.price", {"type": "integer"}),
    (f"{HIT}.properties.score.type", "integer"),
    (f"{HIT}.properties.note.description", "Another text."),
    (f"{HIT}.required", ["id", "price", "match", "note"]),
    ("paths./item/{id}.delete.security", [{"key": []}, {"bearer": []}, {"cookie": []}]),
    ("paths./item/{id}.delete.security", []),
]


@pytest.mark.parametrize(
    ("place", "value"),
    HARMLESS,
    # an object's own name has its address in it, which differs between pytest's processes
    ids=[f"{place} {'gone' if value is GONE else value}" for place, value in HARMLESS],
)
def test_what_breaks_nobody_is_not(place: str, value: Any) -> None:
    assert breaking_changes(document(), changed(place, value)) == []


def test_a_description_does_not_break_itself() -> None:
    assert breaking_changes(document(), document()) == []


def test_each_change_is_told_of_once() -> None:
    """The schema of filters lies within itself and is used in several places."""
    found = breaking_changes(document(), changed(f"{NODE}.properties.field", GONE))
    assert [str(change) for change in found] == ["POST /find, request, application/json, filter.field: was removed"]
