"""A client for programs of a shop: ``Client`` blocks, ``AsyncClient`` is awaited; both give the API's own models.

::

    from search_api.client import Client, FindQuery, TextPart, one_of

    with Client("http://127.0.0.1:8000") as shop:
        query = FindQuery(texts=[TextPart(text="but red")], filter=one_of("in_stock", True), limit=10)
        for hit in shop.search(query, photos=["chair.jpg"]).hits:
            print(hit.product_id, hit.title)

It needs httpx and pydantic and imports nothing of the model, the store or the web framework. A function of
:mod:`searches` or :mod:`administration` says of each route what is sent and how the answer is read; the clients carry
that out, each in its way.
"""

from __future__ import annotations

from indexer.events.messages import FieldsBody, ProductBody
from search_api.admin_schemas import EventAnswer, FailureList, IndexRunAnswer, IndexRunList, IndexStatus, ServingStatus
from search_api.client.awaiting import AsyncClient
from search_api.client.blocking import Client
from search_api.client.call import Picture
from search_api.client.errors import ApiAnswerInvalid, ApiError, ApiProblem, ApiTimeout, ApiUnreachable
from search_api.client.filters import all_of, any_of, between, none_of, one_of
from search_api.client.retries import RetryPolicy
from search_api.client.searches import Photo, ProductPicture
from search_api.filter_schemas import FilterNode
from search_api.find_schemas import (
    DuplicatesResponse,
    FindQuery,
    FindResponse,
    FoundProduct,
    Opinion,
    PhotoPart,
    ProductPart,
    TextPart,
)
from search_api.region_schemas import PhotoRegion, RegionsResponse
from search_api.schemas import ProductHit, ProductResponse, SearchResponse, SessionResponse
from search_api.zero_shot_schemas import ClassifyResponse, EmbedResponse

__all__ = [
    "ApiAnswerInvalid",
    "ApiError",
    "ApiProblem",
    "ApiTimeout",
    "ApiUnreachable",
    "AsyncClient",
    "ClassifyResponse",
    "Client",
    "DuplicatesResponse",
    "EmbedResponse",
    "EventAnswer",
    "FailureList",
    "FieldsBody",
    "FilterNode",
    "FindQuery",
    "FindResponse",
    "FoundProduct",
    "IndexRunAnswer",
    "IndexRunList",
    "IndexStatus",
    "Opinion",
    "Photo",
    "PhotoPart",
    "PhotoRegion",
    "Picture",
    "ProductBody",
    "ProductHit",
    "ProductPart",
    "ProductPicture",
    "ProductResponse",
    "RegionsResponse",
    "RetryPolicy",
    "SearchResponse",
    "ServingStatus",
    "SessionResponse",
    "TextPart",
    "all_of",
    "any_of",
    "between",
    "none_of",
    "one_of",
]
