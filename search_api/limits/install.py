"""The middlewares of this package, from the settings."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from indexer.rate_limits.port import Rate, TokenBuckets
from indexer.settings import Settings
from search_api.body_limit import BodyBounds, BodyLimit
from search_api.head_requests import HeadRequests
from search_api.limits.concurrency import Concurrency
from search_api.limits.rates import AddressLimits, KeyLimits
from search_api.limits.refusals import Refusals
from search_api.request_ids import HEADER as REQUEST_ID

_CORS_METHODS = ("GET", "HEAD", "POST")
"""Searching; a page of another site is no place for what an admin does."""
_CORS_HEADERS = ("Authorization", "Content-Type", "X-API-Key", REQUEST_ID)
_CORS_TOLD = ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", REQUEST_ID)


def limit_bodies(app: FastAPI, settings: Settings) -> None:
    """What is nearest to the routes."""
    app.add_middleware(HeadRequests)
    bounds = BodyBounds(settings.image_limits(), settings.feed_max_bytes, settings.body_timeout_s)
    app.add_middleware(BodyLimit, bounds=bounds)


def limit_keys(app: FastAPI, settings: Settings, buckets: TokenBuckets) -> None:
    """What needs to know who asks; to be added before the authentication, and so inside of it."""
    refusals = Refusals()
    app.add_middleware(
        Concurrency,
        of_all=settings.request_concurrency,
        of_key=settings.key_concurrency,
        of_address=settings.address_concurrency,
        refusals=refusals,
    )
    rate = _rate(settings.key_requests_per_s, settings.key_burst_requests)
    app.add_middleware(KeyLimits, buckets=buckets, rate=rate, refusals=refusals)


def limit_addresses(app: FastAPI, settings: Settings, buckets: TokenBuckets) -> None:
    """What comes before the authentication; to be added after it."""
    rate = _rate(settings.address_requests_per_s, settings.address_burst_requests)
    proxies = bool(settings.trusted_proxies)
    app.add_middleware(AddressLimits, buckets=buckets, rate=rate, refusals=Refusals(), proxies=proxies)


def allow_origins(app: FastAPI, settings: Settings) -> None:
    """Lets pages of other sites read answers, if there are any such; nothing is told to all others."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=_CORS_METHODS,
            allow_headers=_CORS_HEADERS,
            expose_headers=_CORS_TOLD,
        )


def _rate(per_s: float, burst: int) -> Rate | None:
    return Rate(per_s, burst) if per_s else None
