"""The app factory: the one place where the API's parts are wired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from indexer import bootstrap
from indexer.embedding.port import Embedder
from indexer.errors import VitrineError
from indexer.images.decoder import Decoder
from indexer.settings import Settings
from indexer.store.port import Alias
from indexer.telemetry.tracing import tracing
from indexer.tenants import feeds_dir_of
from search_api.admin import AdminOnDemand, AdminParts
from search_api.audit import AuditLog
from search_api.authentication import Authentication, Authenticator
from search_api.backlog import Backlog
from search_api.catalog_knowledge import CatalogKnowledge
from search_api.duplicates import DuplicateSearch
from search_api.embedding_cache import EmbeddingCache
from search_api.feeds import FeedFolder
from search_api.find_schemas import FindQuery
from search_api.heat_maps import HeatMaps
from search_api.images import ProductImages
from search_api.keys.ring import KeyRing
from search_api.lanes import BatchLimits
from search_api.limits.install import allow_origins, limit_addresses, limit_bodies, limit_keys
from search_api.live_figures import LiveFigures
from search_api.measured_reader import measured
from search_api.measuring import Measuring
from search_api.model_gate import ModelGate
from search_api.openapi import install_schemas
from search_api.photo_regions import PhotoRegions, RegionOptions
from search_api.problems import install_problem_handlers
from search_api.product_search import ProductSearch
from search_api.query_embeddings import QueryEmbeddings
from search_api.query_parts import QueryPartReader
from search_api.request_ids import RequestIds
from search_api.routes import (
    admin,
    duplicates,
    find,
    health,
    heat,
    metrics,
    page,
    products,
    regions,
    search,
    session,
    zero_shot,
)
from search_api.routes.dependencies import ApiParts
from search_api.routes.metrics import MetricsPage
from search_api.security_headers import SecurityHeaders
from search_api.service import SearchService
from search_api.tenancy import tenancy
from search_api.zero_shot import ZeroShotService


def _ignore(error: VitrineError) -> None:
    """A model that cannot be loaded shows in ``/readyz``."""


def create_app(
    settings: Settings,
    *,
    load_embedder: Callable[[Settings], Embedder] = bootstrap.open_embedder,
    on_load_failure: Callable[[VitrineError], None] = _ignore,
    open_decoder: Callable[[Settings], Decoder] = bootstrap.open_decoder,
) -> FastAPI:
    """The API over one store and one model; the model is loaded while it already answers ``/healthz``.

    Args:
        settings: effective ones.
        load_embedder: gives the model; called in the model's own thread.
        on_load_failure: called if it cannot be loaded.
        open_decoder: gives what decodes pictures.

    Raises:
        VitrineError: the store cannot be opened, or the settings contradict each other.
    """
    tenant = tenancy(settings)
    store = bootstrap.open_store(settings, read_only=True)
    gate = ModelGate(
        lambda: load_embedder(settings),
        BatchLimits(settings.query_queue, settings.query_batch, settings.query_batch_s, settings.query_slowdown),
        deadline_s=settings.query_deadline_s,
        on_load_failure=on_load_failure,
    )
    decoder = open_decoder(settings)
    queries = QueryEmbeddings(gate, EmbeddingCache(settings.query_cache_bytes), decoder, tenant)
    service = SearchService(
        gate,
        queries,
        lambda space_id: measured(store.async_reader(Alias(settings.alias_catalog, space_id))),
        max_text_chars=settings.query_text_max_chars,
        tenant=tenant,
    )

    photo_regions = PhotoRegions(gate, queries, service.best_score, decoder, _region_options(settings))
    knowledge = CatalogKnowledge(
        service.reader, queries, settings.facet_attributes, tenant, settings.scan_most_products
    )
    authenticator = _authenticator(settings)
    buckets = bootstrap.open_token_buckets(settings)
    backlog = Backlog(settings, lambda: Alias(settings.alias_catalog, gate.space_id).name)
    admin_services = AdminOnDemand(partial(_admin_parts, settings, gate, service))
    if authenticator.can_administrate:
        admin_services.get()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - FastAPI's signature
        decoder.start()
        gate.start()
        authenticator.ring.start()
        with tracing("vitrine-api", settings.otlp_endpoint, settings.otlp_trace_ratio):
            yield
        backlog.close()
        authenticator.ring.close()
        gate.close()
        await service.close()
        decoder.close()
        await buckets.close()
        admin_services.close()
        store.close()

    app = FastAPI(
        title="Vitrine",
        summary="A shop's own photo search.",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    images = ProductImages(decoder, thumbnail_px=settings.thumbnail_px)
    app.state.parts = ApiParts(
        service,
        images,
        settings.image_limits(),
        decoder=decoder,
        search=ProductSearch(
            service,
            QueryPartReader(service.reader, queries, photo_regions, max_text_chars=settings.query_text_max_chars),
            knowledge,
            catalog=settings.alias_catalog,
            fusion=settings.fusion_weights(),
        ),
        duplicates=DuplicateSearch(service, queries, knowledge),
        zero_shot=ZeroShotService(gate, queries, max_text_chars=settings.query_text_max_chars),
        regions=photo_regions,
        heat_maps=HeatMaps(gate, queries, images, decoder),
    )
    install_schemas(app, FindQuery, open_search=settings.open_search)
    app.state.authenticator = authenticator
    app.state.metrics = MetricsPage(
        LiveFigures(gate.backlogs, lambda: queries.figures().cache, service.checks(), backlog),
        settings.metrics_key.get_secret_value(),
        settings.figures_dir if settings.dispatcher == "inline" else None,
    )
    app.state.admin = admin_services
    app.state.tenant = tenant
    app.state.audit = AuditLog(
        settings.data_dir, max_bytes=settings.audit_max_bytes, keep_files=settings.audit_keep_files
    )
    limit_bodies(app, settings)
    limit_keys(app, settings, buckets)
    app.add_middleware(Authentication, authenticator=authenticator)
    limit_addresses(app, settings, buckets)
    install_problem_handlers(app)
    allow_origins(app, settings)
    app.add_middleware(Measuring)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestIds)  # the last is the outermost: these two see every answer
    for module in (search, find, duplicates, zero_shot, regions, heat, products, admin, session, health, metrics, page):
        app.include_router(module.router)
    app.include_router(admin.whole_router)
    return app


def _region_options(settings: Settings) -> RegionOptions:
    detector = partial(bootstrap.open_detector, settings) if settings.region_detector else None
    return RegionOptions(settings.region_labels, settings.region_count, detector)


def _authenticator(settings: Settings) -> Authenticator:
    return Authenticator(
        KeyRing(settings.keys_path),
        settings.admin_key.get_secret_value(),
        open_search=settings.open_search,
        session_hours=settings.session_hours,
    )


def _admin_parts(settings: Settings, gate: ModelGate, service: SearchService) -> AdminParts:
    return AdminParts(
        bootstrap.open_event_logs(settings),
        bootstrap.open_ledger(settings),
        bootstrap.open_work_queue(settings),
        lambda tenant: FeedFolder(feeds_dir_of(settings, tenant)),
        lambda: Alias(settings.alias_catalog, gate.space_id).name,
        service.reader,
    )
