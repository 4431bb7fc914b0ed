"""Requests made up from the OpenAPI document, such that fit it and such that do not: no 5xx, and answers as described.

``make fuzz-api`` sends more of them, other ones each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from indexer.embedding.port import Embedder
from tests.hostile_shop import ADMIN_KEY, HostileShop, hostile_shop
from tests.pictures import drawn_picture, encoded

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
SCHEMA: Any = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text("utf-8")))
OPERATIONS = {operation.label: operation for operation in (result.ok() for result in SCHEMA.get_all_operations())}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("FUZZ_API_EXAMPLES", "0"))
"""Requests of each kind to each operation; 0: a few, the same ones in each run."""
PHOTO = encoded(drawn_picture(300))
KEYS = [ADMIN_KEY, ADMIN_KEY, "another", ""]
"""Half of the requests have the right key, so that they come as far as they can."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Embedder) -> Iterator[HostileShop]:
    with hostile_shop(tmp_path_factory.mktemp("shop"), tiny_embedder) as opened:
        yield opened


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


@st.composite
def cases(draw: st.DrawFn, operation: Any, mode: GenerationMode, product_ids: tuple[str, ...]) -> Any:
    """A request; often of a product that there is, with a photo that can be read."""
    case = draw(operation.as_strategy(generation_mode=mode))
    known = {"product_id": st.sampled_from(product_ids), "position": st.sampled_from(["0", "1", "2"])}
    for name, values in known.items():
        if name in (case.path_parameters or {}) and draw(st.booleans()):
            case.path_parameters[name] = draw(values)
    if draw(st.booleans()):
        if case.media_type == "multipart/form-data" and isinstance(case.body, dict) and "file" in case.body:
            case.body["file"] = draw(photos())
        elif case.media_type == "image/*":
            case.body, case.media_type = draw(photos()), "image/jpeg"
    for header in [name for name in case.headers or {} if name.lower() in {"authorization", "x-api-key", "cookie"}]:
        del case.headers[header]
    if key := draw(st.sampled_from(KEYS)):
        case.headers = {**(case.headers or {}), "X-API-Key": key}
    return case


@st.composite
def photos(draw: st.DrawFn) -> bytes:
    """A picture, whole or damaged."""
    data = bytearray(PHOTO)
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "other"])
@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_answers_are_as_the_document_says(
    shop: HostileShop, session: requests.Session, label: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[label]
    if mode is GenerationMode.NEGATIVE and not (operation.body or list(operation.iter_parameters())):
        return  # nothing could be wrong with it

    @settings(
        max_examples=EXAMPLES or 5,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=list(Phase) if EXAMPLES else [Phase.generate],
    )
    @given(cases(operation, mode, shop.product_ids))
    def check(case: Any) -> None:
        response = case.call(base_url=str(shop.client.base_url), session=session)
        if response.status_code == 400 and "x-request-id" not in response.headers:
            return  # a header beyond 64 kB, or with control characters, is no HTTP and never reaches the app
        case.validate_response(response, checks=CHECKS)
        if (case.headers or {}).get("X-API-Key") != ADMIN_KEY:
            assert str(shop.folder).encode() not in response.content

    check()
