"""Qdrant's REST API, as far as the store adapter uses it, over the official client's own local mode.

For tests that share a store between processes where no server is at hand. Run as
``python -m tests.qdrant_stand_in PORT``; knows nothing of the program, and the program nothing of it. Beside the API:
``POST /control`` with ``{"refuse_s": S}`` answers 503 for that long, ``{"pause_s": S}`` answers nothing, ``{"key": K,
"read_only_key": R}`` asks for keys from then on; ``GET /control`` counts the calls.
"""

from __future__ import annotations

import asyncio
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import uvicorn
from pydantic import BaseModel, TypeAdapter
from qdrant_client import QdrantClient, models
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

warnings.filterwarnings("ignore", module="qdrant_client")

_READING = {"query", "scroll", "count", "retrieve", "facet"}


class StandIn:
    """The routes; one lock for all of them, as local mode is made for one thread."""

    def __init__(self) -> None:
        self._client = QdrantClient(":memory:", force_disable_check_same_thread=True)
        self._thresholds: dict[str, int] = {}
        self._indexes: dict[str, dict[str, None]] = {}
        self._turn = asyncio.Lock()
        self._refuse_until_s = self._pause_until_s = 0.0
        self._key = self._read_only_key = ""
        self._calls: Counter[str] = Counter()
        self.app = Starlette(
            routes=[
                Route("/", lambda _: JSONResponse({"title": "stand-in", "version": "0.0.0"})),
                Route("/control", self.control, methods=["GET", "POST"]),
                *[
                    Route(path, self._route(action), methods=[method])
                    for method, path, action in (
                        ("GET", "/aliases", self.aliases),
                        ("POST", "/collections/aliases", self.change_aliases),
                        ("GET", "/collections", self.names),
                        ("GET", "/collections/{name}", self.describe),
                        ("PUT", "/collections/{name}", self.create),
                        ("PATCH", "/collections/{name}", self.update),
                        ("DELETE", "/collections/{name}", self.drop),
                        ("GET", "/collections/{name}/exists", self.exists),
                        ("PUT", "/collections/{name}/vectors/{vector}", self.create_vector),
                        ("DELETE", "/collections/{name}/vectors/{vector}", self.drop_vector),
                        ("PUT", "/collections/{name}/index", self.create_payload_index),
                        ("POST", "/collections/{name}/points", self.retrieve),
                        ("POST", "/collections/{name}/points/scroll", self.scroll),
                        ("POST", "/collections/{name}/points/count", self.count),
                        ("POST", "/collections/{name}/points/query", self.query),
                        ("POST", "/collections/{name}/facet", self.facet),
                        ("POST", "/collections/{name}/points/batch", self.change_points),
                    )
                ],
            ]
        )

    async def control(self, request: Request) -> Response:
        if request.method == "POST":
            wanted = await request.json()
            now_s = time.monotonic()
            self._refuse_until_s = now_s + wanted.get("refuse_s", 0)
            self._pause_until_s = now_s + wanted.get("pause_s", 0)
            self._key = wanted.get("key", self._key)
            self._read_only_key = wanted.get("read_only_key", self._read_only_key)
        return JSONResponse({"calls": dict(self._calls)})

    def _route(self, action: Callable[[str, Any], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            self._calls[action.__name__] += 1
            if time.monotonic() < self._refuse_until_s:
                return _failure(503, "the stand-in refuses")
            while (left_s := self._pause_until_s - time.monotonic()) > 0:
                await asyncio.sleep(min(left_s, 0.1))
            if (status := self._key_status(request, action.__name__)) != 200:
                return _failure(status, "the API key is wrong or may only read")
            body = await request.json() if await request.body() else {}
            async with self._turn:
                try:
                    result = await run_in_threadpool(action, request.path_params.get("name", ""), body)
                except ValueError as error:
                    if str(error).startswith("Sparse vector"):  # a server has other words for it
                        return _failure(400, "Wrong input: Not existing vector name error: " + str(error).split()[2])
                    return _failure(404 if "not found" in str(error) else 400, str(error))
            return JSONResponse({"result": _plain(result), "status": "ok", "time": 0.0})

        return answer

    def _key_status(self, request: Request, action: str) -> int:
        if not self._key:
            return 200
        given = request.headers.get("api-key", "")
        if given == self._read_only_key:
            return 200 if request.method == "GET" or action in _READING else 403
        return 200 if given == self._key else 401

    def names(self, _: str, __: Any) -> Any:
        return self._client.get_collections()

    def aliases(self, _: str, __: Any) -> Any:
        return self._client.get_aliases()

    def change_aliases(self, _: str, body: Any) -> Any:
        return self._client.update_collection_aliases(models.ChangeAliasesOperation(**body).actions)

    def exists(self, name: str, _: Any) -> Any:
        return {"exists": self._client.collection_exists(name)}

    def describe(self, name: str, _: Any) -> Any:
        info = self._client.get_collection(name)
        info.config.optimizer_config.indexing_threshold = self._thresholds.get(name, 20_000)
        index = models.PayloadIndexInfo(data_type=models.PayloadSchemaType.KEYWORD, points=0)
        info.payload_schema = dict.fromkeys(self._indexes.get(name, ()), index)
        return info

    def create(self, name: str, body: Any) -> Any:
        wanted = models.CreateCollection(**body)
        self._note_threshold(name, wanted.optimizers_config)
        return self._client.create_collection(
            name,
            vectors_config=wanted.vectors,
            sparse_vectors_config=wanted.sparse_vectors,
            metadata=wanted.metadata,
        )

    def update(self, name: str, body: Any) -> Any:
        wanted = models.UpdateCollection(**body)
        self._client.get_collection(name)
        self._note_threshold(name, wanted.optimizers_config)
        return self._client.update_collection(name, metadata=wanted.metadata)

    def _note_threshold(self, name: str, config: models.OptimizersConfigDiff | None) -> None:
        if config is not None and config.indexing_threshold is not None:
            self._thresholds[name] = config.indexing_threshold

    def drop(self, name: str, _: Any) -> Any:
        return self._client.delete_collection(name)

    def create_vector(self, name: str, body: Any) -> Any:
        wanted = TypeAdapter(models.VectorNameConfig).validate_python(body)
        return self._client.create_vector_name(name, "lexical", wanted)

    def drop_vector(self, name: str, _: Any) -> Any:
        return self._client.delete_vector_name(name, "lexical")

    def create_payload_index(self, name: str, body: Any) -> Any:
        wanted = models.CreateFieldIndex(**body)
        self._indexes.setdefault(name, {})[wanted.field_name] = None
        return self._client.create_payload_index(name, wanted.field_name, field_schema=wanted.field_schema)

    def retrieve(self, name: str, body: Any) -> Any:
        wanted = models.PointRequest(**body)
        return self._client.retrieve(
            name, wanted.ids, with_payload=wanted.with_payload or False, with_vectors=wanted.with_vector or False
        )

    def scroll(self, name: str, body: Any) -> Any:
        wanted = models.ScrollRequest(**body)
        points, offset = self._client.scroll(
            name,
            scroll_filter=wanted.filter,
            limit=wanted.limit or 10,
            offset=wanted.offset,
            order_by=wanted.order_by,
            with_payload=wanted.with_payload or False,
            with_vectors=wanted.with_vector or False,
        )
        return {"points": _plain(points), "next_page_offset": offset}

    def count(self, name: str, body: Any) -> Any:
        wanted = models.CountRequest(**body)
        return self._client.count(name, count_filter=wanted.filter, exact=True)

    def facet(self, name: str, body: Any) -> Any:
        wanted = models.FacetRequest(**body)
        return self._client.facet(name, wanted.key, facet_filter=wanted.filter, limit=wanted.limit or 10, exact=True)

    def query(self, name: str, body: Any) -> Any:
        wanted = models.QueryRequest(**body)
        return self._client.query_points(
            name,
            query=wanted.query,
            using=wanted.using,
            query_filter=wanted.filter,
            limit=wanted.limit or 10,
            with_payload=wanted.with_payload or False,
        )

    def change_points(self, name: str, body: Any) -> Any:
        return self._client.batch_update_points(name, models.UpdateOperations(**body).operations)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return TypeAdapter(Any).dump_python(value, mode="json")


def _failure(status: int, message: str) -> Response:
    return JSONResponse({"status": {"error": message}, "time": 0.0}, status_code=status)


def main(port: int) -> None:
    """Serves until it is stopped."""
    uvicorn.run(StandIn().app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
