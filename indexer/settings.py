"""Every setting, from a profile file, an environment variable or a flag, in rising order of strength."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from indexer.breaker import BreakerPolicy
from indexer.embedding.choice import AUTO_MODEL, Backend, Device, ModelChoice, Precision
from indexer.errors import ConfigurationError
from indexer.images.decoder_processes import ProcessOptions
from indexer.images.download import DownloadLimits
from indexer.images.limits import ImageLimits
from indexer.processors import available_cores
from indexer.rate_limits.addresses import checked_proxies
from indexer.reindex.limits import VerifyLimits
from indexer.search.fusion import FusionWeights
from indexer.store.qdrant_options import ServerAddress, ServerOptions
from indexer.store.retries import RetryPolicy
from indexer.store.tuning import DEFAULT_FACET_ATTRIBUTES, IndexTuning, Quantization
from indexer.telemetry.logs import LogFormat

ENV_PREFIX = "VITRINE_"
DEFAULT_PROFILE = "embedded"
_PROFILES = Path(__file__).resolve().parents[1] / "configs"  # beside this package, in a checkout as when installed
_PROFILE_VARIABLE = f"{ENV_PREFIX}PROFILE"


def _split_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _attribute_names(value: Any) -> Any:
    names = _split_list(value)
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        return names
    if quoted := [name for name in names if '"' in name]:
        raise ValueError(f"the store cannot index an attribute with a quote in its name: {quoted[0]}")
    return tuple(name.lower() for name in names)


def _proxies(value: Any) -> Any:
    addresses = _split_list(value)
    return checked_proxies(addresses) if isinstance(addresses, tuple) else addresses


def _origins(value: Any) -> Any:
    origins = _split_list(value)
    for origin in origins if isinstance(origins, tuple) else ():
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin} is no origin; one is https://shop.example, without a path")
    return origins


_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")
"""As browsers send it: in lower case, without a slash at the end (RFC 6454, 6.1)."""


class Settings(BaseModel):
    """What can be set.

    The field ``image_threads`` is ``image_threads = 8`` in a profile, ``VITRINE_IMAGE_THREADS=8`` in the environment
    and ``--image-threads 8`` on the command line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Field(Path(".data"), description="Folder of the embedded store and the run ledger.")
    disk_least_free_bytes: int = Field(
        1_000_000_000, ge=0, description="Free bytes of data_dir's disk below which doctor reports an error."
    )
    catalog: str = Field("products", pattern=r"^[a-z0-9_]{1,40}$", description="Name under which products are indexed.")
    tenants: bool = Field(
        False, description="Whether several shops share this installation; each key and command then names its tenant."
    )
    default_currency: str = Field("", description="ISO 4217 code for feed prices that name none; empty: no price then.")

    model: str = Field(
        AUTO_MODEL, description="open_clip name, local-dir:PATH, demo, or auto for the device's default."
    )
    pretrained: str = Field("", description="Tag of a named model's weights; empty: webli, or the only one.")
    device: Device = Field("auto", description="auto, cpu or cuda.")
    backend: Backend = Field("auto", description="auto, torch or openvino; auto is what tune chose, else torch.")
    precision: Precision = Field(
        "auto", description="auto, float32, bf16, int8; auto is what tune chose, else bf16 on a GPU, float32 on a CPU."
    )
    embed_batch_size: int = Field(
        0,
        ge=0,
        le=4096,
        description="Pictures in one forward pass; a power of two. 0: 32 on a processor, 256 on a GPU.",
    )
    embed_threads: int = Field(0, ge=0, description="Threads of the model on a CPU; 0: one a core.")
    model_cache_dir: str = Field("", description="Where downloaded weights are kept; empty: the hub client's place.")

    store: Literal["edge", "qdrant"] = Field("edge", description="edge: embedded, in data_dir; qdrant: a server.")
    qdrant_url: str = Field("", description="Address of the Qdrant server.")
    qdrant_api_key: SecretStr = Field(SecretStr(""), description="Its API key.")
    qdrant_read_only_api_key: SecretStr = Field(
        SecretStr(""), description="A key that may only read, for the search API; empty: qdrant_api_key."
    )
    qdrant_prefer_grpc: bool = Field(True, description="Whether gRPC carries the calls; else REST.")
    qdrant_grpc_port: int = Field(6334, ge=1, le=65535, description="Port of gRPC, on the host of qdrant_url.")
    qdrant_ca_file: str = Field(
        "", description="PEM file of the authority that signed the server's certificate; empty: the system's."
    )
    qdrant_timeout_s: int = Field(10, ge=1, description="Seconds to wait for an answer of the server.")
    qdrant_retry_s: float = Field(
        60.0, ge=0, description="Seconds over which a call that failed in passing is tried again while indexing."
    )
    qdrant_search_retry_s: float = Field(2.0, ge=0, description="The same, while a shopper waits.")
    breaker_failures: int = Field(
        5, ge=0, description="Failures in a row after which searches leave a Qdrant server, or Redis, alone; 0: never."
    )
    breaker_pause_s: float = Field(2.0, gt=0, description="Seconds until one call then tries whether it is back.")
    qdrant_upsert_points: int = Field(128, ge=1, le=256, description="Most points in one call.")
    qdrant_shard_number: int = Field(0, ge=0, description="Shards of a new collection; 0: the server's default.")
    qdrant_replication_factor: int = Field(0, ge=0, description="Copies of each shard; 0: the server's default.")
    qdrant_write_consistency_factor: int = Field(
        0, ge=0, description="Copies that must have a write before it counts; 0: the server's default."
    )
    qdrant_build_s: float = Field(
        3600.0, gt=0, description="Longest wait for the server to build a new collection's search index."
    )
    exact_below: int = Field(10_000, ge=1, description="Fewer points than this are compared one by one, exactly.")
    hnsw_m: int = Field(16, ge=4, le=128, description="Edges of a node in the HNSW graph.")
    hnsw_ef_construct: int = Field(128, ge=4, description="Candidates while the graph is built.")
    hnsw_ef: int = Field(512, ge=1, description="Candidates while the graph is searched.")
    oversampling: float = Field(2.0, ge=1.0, description="Times the wanted points fetched first, then rescored.")
    quantization: Quantization = Field(
        "int8", description="Vectors in memory, for new collections: int8, 4bit, or none; originals lie on disk."
    )
    facet_attributes: Annotated[tuple[str, ...], BeforeValidator(_attribute_names)] = Field(
        DEFAULT_FACET_ATTRIBUTES,
        description="Attributes with a payload index, which makes filters and facets by them fast; comma separated.",
    )
    follow_s: float = Field(0.5, gt=0, description="Seconds between looks for a newly indexed generation.")

    reindex_sample: int = Field(200, ge=1, description="Products drawn to check what a reindex filled.")
    reindex_min_points_ratio: float = Field(
        0.9, ge=0, le=1, description="Least points to the feed's pictures that did not fail; less is not promoted."
    )
    reindex_min_size_ratio: float = Field(
        0.5, ge=0, description="Least points to those that serve now; a feed that lost its half is not promoted."
    )
    reindex_max_failed_ratio: float = Field(0.02, ge=0, le=1, description="Most failures to the feed's pictures.")
    reindex_min_self_match: float = Field(0.99, ge=0, le=1, description="Least share of drawn pictures found first.")
    reindex_min_recall: float = Field(0.95, ge=0, le=1, description="Least recall@10 against the exact search.")
    reindex_max_golden_loss: float = Field(
        0.02, ge=0, le=1, description="Most that nDCG@10 of the golden queries may fall below what serves now."
    )
    calibrate: bool = Field(
        True, description="Whether runs work out what scores mean where that is not known for a catalog of this size."
    )

    batch_products: int = Field(64, ge=1, le=256, description="Products, and about as many pictures, in a batch.")
    image_threads: int = Field(
        0, ge=0, le=256, description="Threads that fetch and decode pictures; 0: 4 for each core."
    )
    image_max_bytes: int = Field(20_000_000, ge=1, description="Largest picture file, uploads included.")
    image_max_pixels: int = Field(50_000_000, ge=1, description="Largest picture, width times height as decoded.")
    image_timeout_s: float = Field(5.0, gt=0, description="Longest decoding of one picture.")
    image_max_frames: int = Field(
        1000, ge=1, description="Most frames or pages of a picture file, of which only the first is decoded."
    )
    decode_in: Literal["processes", "threads"] = Field(
        "processes",
        description="Where pictures are decoded. processes: a codec's crash costs one picture; threads: the program.",
    )
    decoder_processes: int = Field(0, ge=0, le=256, description="Processes that decode; 0: one for each core.")
    decoder_memory_bytes: int = Field(
        1_500_000_000, ge=50_000_000, description="Most memory that one of them may take for a picture."
    )
    image_allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(_split_list)] = Field(
        (), description="Image hosts that may have private addresses; comma separated."
    )
    download_timeout_s: float = Field(20.0, gt=0, description="Longest download of one picture.")
    download_connections: int = Field(64, ge=1, description="Downloads at the same time.")
    download_connections_per_host: int = Field(8, ge=1, description="Downloads at the same time from one host.")
    download_conditional: bool = Field(
        True, description="Whether hosts are asked for known pictures only if these changed (ETag, Last-Modified)."
    )

    ledger: Literal["sqlite", "redis"] = Field("sqlite", description="Runs on record: sqlite, in data_dir; redis.")
    dispatcher: Literal["inline", "celery"] = Field(
        "inline", description="Batches are done inline, by this process; celery: by workers."
    )
    redis_url: SecretStr = Field(SecretStr(""), description="Address of Redis, with its password.")
    concurrency: int = Field(3, ge=1, le=64, description="Batches that a worker has in hand at the same time.")
    dispatch_ahead: int = Field(256, ge=1, description="Batches of a run that may wait for workers.")
    worker_lease_s: float = Field(30.0, gt=0, description="Seconds of silence after which a worker counts as lost.")
    visibility_timeout_s: int = Field(
        3600, ge=1, description="Seconds after which an unacknowledged message is delivered again."
    )
    retry_limit: int = Field(8, ge=0, description="How often what may pass is tried again before it is a failure.")
    retry_base_s: float = Field(1.0, gt=0, description="Longest wait before the first retry; doubles with each.")
    retry_max_s: float = Field(60.0, gt=0, description="Longest wait before any retry.")

    admin_key: SecretStr = Field(
        SecretStr(""), description="A key that may do everything; more are made by: python -m search_api keys create."
    )
    open_search: bool = Field(
        True,
        description="Whether searches and embeddings need no key. The server then listens on loopback addresses only.",
    )
    open_search_anywhere: bool = Field(
        False,
        description="Whether open_search may be had on other addresses too, where something in front guards them.",
    )
    keys_file: str = Field("", description="File of the API keys; empty: keys.sqlite3 in data_dir.")
    session_hours: int = Field(
        12, ge=1, le=8760, description="Hours after which who signed in on the page has to do so again."
    )
    audit_max_bytes: int = Field(
        50_000_000,
        ge=10_000,
        description="Size at which the file of the audit log is put aside and a new one begun.",
    )
    audit_keep_files: int = Field(
        9,
        ge=1,
        le=999,
        description="Files of the audit log that are kept beside the current one; older ones are deleted.",
    )
    feeds_dir: str = Field("", description="Folder of the feeds and pictures that may be named over HTTP; empty: none.")
    feed_max_bytes: int = Field(4_000_000_000, ge=1, description="Largest feed that may be uploaded.")
    event_gather_s: float = Field(
        0.5, ge=0, le=60, description="How long to wait for further events before they are indexed together."
    )
    event_keep_days: int = Field(
        30, ge=1, description="Days for which deletions and changed fields hold against older feed files."
    )
    writer_wait_s: float = Field(
        5.0, ge=0, description="How long a command waits for another process that is writing to the embedded store."
    )

    host: str = Field("127.0.0.1", description="Address that the search API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that it listens on.")
    address_requests_per_s: float = Field(
        100.0,
        ge=0,
        description="Requests a second that one address may go on making; pictures count a tenth; 0: no limit.",
    )
    address_burst_requests: int = Field(1000, ge=1, description="Requests that it may make at once after a pause.")
    key_requests_per_s: float = Field(
        200.0, ge=0, description="The same of one key, wherever it is used from; 0: no limit."
    )
    key_burst_requests: int = Field(2000, ge=1, description="The same of one key at once.")
    address_concurrency: int = Field(
        32, ge=0, description="Requests of one address without a key under way at once, but for pictures; 0: no limit."
    )
    key_concurrency: int = Field(32, ge=0, description="The same of one key; 0: no limit.")
    request_concurrency: int = Field(
        256, ge=1, description="Requests under way at once in one process; more are answered with 503."
    )
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_proxies)] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For says who asks; comma separated."
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_origins)] = Field(
        (), description="Other sites whose pages may ask, as https://shop.example; comma separated."
    )
    connections: int = Field(512, ge=1, description="Open connections of one process; more are closed with 503.")
    address_connections: int = Field(128, ge=1, description="Open connections of one address that is no trusted proxy.")
    head_max_bytes: int = Field(32_768, ge=1024, description="Longest request line and headers together.")
    head_timeout_s: float = Field(
        10.0, gt=0, description="Longest wait for them, from the first byte or from the start of the connection."
    )
    body_timeout_s: float = Field(
        60.0, gt=0, description="Longest wait for a body; a feed may take as long again for each 10 MB that it brings."
    )
    query_queue: int = Field(
        64,
        ge=1,
        description="Requests with photos, likewise with texts, that may wait for the model; 503 for more.",
    )
    query_deadline_s: float = Field(
        10.0, gt=0, description="Longest wait of a query for the model, its own pass included; then 503."
    )
    query_slowdown: float = Field(
        2.5,
        ge=0,
        description="While more queries come than are answered: times what one takes alone that one more may probably "
        "take; those beyond are answered with 503 at once. 0: any time.",
    )
    query_batch: int = Field(32, ge=1, le=4096, description="Most queries in one forward pass.")
    query_batch_s: float = Field(
        0.4,
        gt=0,
        description="Forward pass aimed at, 1.4 times that at most: batches of queries are smaller with slow models.",
    )
    query_cache_bytes: int = Field(
        64_000_000, ge=0, description="Embeddings of earlier queries kept in memory; 0: none."
    )
    scan_most_products: int = Field(
        50_000, ge=0, description="Products up to which attributes that are not in facet_attributes can be asked for."
    )
    query_text_max_chars: int = Field(1000, ge=1, description="Longest text query.")
    hybrid_dense_weight: float = Field(
        1.0, ge=0, le=100, description="What the ranking by pictures counts for in a text query."
    )
    hybrid_lexical_weight: float = Field(
        2.0, ge=0, le=100, description="The same of the ranking by words, for products that have all of the query's."
    )
    hybrid_least_share: float = Field(
        0.7, ge=0, le=1, description="Share of a query's words, by weight, below which a product's words do not count."
    )
    region_labels: Annotated[tuple[str, ...], BeforeValidator(_split_list)] = Field(
        (), description="Words that objects found in a photo are labelled with; comma separated."
    )
    region_count: int = Field(5, ge=1, le=20, description="Most objects found in a photo.")
    region_detector: str = Field(
        "", description="NAME:FILE of a torchvision detector and its weights; empty: the model's own patches."
    )
    thumbnail_px: int = Field(480, ge=16, le=2048, description="Longer side of the pictures on result pages.")

    log_format: LogFormat = Field(
        "auto", description="Lines that services log: json, text, or auto: text on a terminal, else json."
    )
    metrics_key: SecretStr = Field(
        SecretStr(""), description="Key that opens GET /metrics; without it only this machine and admin keys do."
    )
    worker_metrics_host: str = Field("127.0.0.1", description="Address that a worker gives its figures on.")
    worker_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port that a worker gives its figures on, or the next free one; 0: none."
    )
    otlp_endpoint: str = Field(
        "", description="OpenTelemetry collector that takes OTLP over HTTP, as http://HOST:4318; empty: no traces."
    )
    otlp_trace_ratio: float = Field(1.0, ge=0, le=1, description="Share of traces that are kept.")

    def model_choice(self) -> ModelChoice:
        """The part that chooses and runs the model."""
        return ModelChoice(
            model=self.model,
            pretrained=self.pretrained,
            device=self.device,
            backend=self.backend,
            precision=self.precision,
            batch_size=self.embed_batch_size,
            threads=self.embed_threads,
            cache_dir=self.model_cache_dir,
            models_dir=str(self.models_dir),
        )

    @property
    def figures_dir(self) -> Path:
        """Where processes beside the API leave their figures for it."""
        return self.data_dir / "figures"

    @property
    def alias_catalog(self) -> str:
        """The catalog that aliases are of: products of tenants never lie in a collection with those of none."""
        return f"{self.catalog}_tenants" if self.tenants else self.catalog

    @property
    def keys_path(self) -> Path:
        """Where the API keys are kept."""
        return Path(self.keys_file) if self.keys_file else self.data_dir / "keys.sqlite3"

    @property
    def models_dir(self) -> Path:
        """Where converted models and what was measured of them are kept, a folder for each embedding space."""
        return self.data_dir / "models"

    def to_environment(self) -> dict[str, str]:
        """Every setting as an environment variable, secrets in clear: for a process of the same installation."""
        return {f"{ENV_PREFIX}{name.upper()}": _text(getattr(self, name)) for name in type(self).model_fields}

    def image_limits(self) -> ImageLimits:
        """The part that bounds a picture."""
        return ImageLimits(self.image_max_bytes, self.image_max_pixels, self.image_timeout_s, self.image_max_frames)

    def process_options(self) -> ProcessOptions:
        """The part that says how processes decode."""
        return ProcessOptions(self.decoder_processes, self.decoder_memory_bytes)

    def download_limits(self) -> DownloadLimits:
        """The part that bounds downloads."""
        return DownloadLimits(
            self.download_timeout_s,
            self.download_connections_per_host,
            self.download_connections,
            self.image_allowed_hosts,
            self.download_conditional,
        )

    def verify_limits(self) -> VerifyLimits:
        """The part that says what a reindex must come to."""
        return VerifyLimits(
            sample=self.reindex_sample,
            min_points_ratio=self.reindex_min_points_ratio,
            min_size_ratio=self.reindex_min_size_ratio,
            max_failed_ratio=self.reindex_max_failed_ratio,
            min_self_match=self.reindex_min_self_match,
            min_recall=self.reindex_min_recall,
            max_golden_loss=self.reindex_max_golden_loss,
        )

    def server_address(self, *, read_only: bool = False) -> ServerAddress:
        """The part that reaches a Qdrant server.

        Args:
            read_only: for a process that only searches.
        """
        key = self.qdrant_api_key.get_secret_value()
        if read_only:
            key = self.qdrant_read_only_api_key.get_secret_value() or key
        return ServerAddress(
            self.qdrant_url,
            key,
            self.qdrant_prefer_grpc,
            self.qdrant_grpc_port,
            self.qdrant_timeout_s,
            self.qdrant_ca_file,
        )

    def server_options(self, *, read_only: bool = False) -> ServerOptions:
        """The part that says how collections on a server are made, written and, if need be, asked again."""
        return ServerOptions(
            retries=RetryPolicy(self.qdrant_search_retry_s if read_only else self.qdrant_retry_s),
            breaker=self.breaker_policy(),
            shards=self.qdrant_shard_number,
            replicas=self.qdrant_replication_factor,
            write_consistency=self.qdrant_write_consistency_factor,
            upsert_points=self.qdrant_upsert_points,
            build_s=self.qdrant_build_s,
        )

    def breaker_policy(self) -> BreakerPolicy:
        """The part that says when a server that fails is left alone."""
        return BreakerPolicy(self.breaker_failures, self.breaker_pause_s)

    def fusion_weights(self) -> FusionWeights:
        """The part that weighs pictures and words against each other."""
        return FusionWeights(
            dense=self.hybrid_dense_weight, lexical=self.hybrid_lexical_weight, least_share=self.hybrid_least_share
        )

    def index_tuning(self) -> IndexTuning:
        """The part that tunes the approximate index."""
        return IndexTuning(
            exact_below=self.exact_below,
            hnsw_m=self.hnsw_m,
            hnsw_ef_construct=self.hnsw_ef_construct,
            hnsw_ef=self.hnsw_ef,
            oversampling=self.oversampling,
            quantization=self.quantization,
            facet_attributes=self.facet_attributes,
            tenants=self.tenants,
        )

    def image_thread_count(self) -> int:
        """``image_threads`` with its default worked out."""
        return self.image_threads or 4 * available_cores()


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True)
class EffectiveSettings:
    """Settings and where each value comes from: ``default``, ``profile NAME``, ``environment`` or ``flag``."""

    settings: Settings
    profile: str
    origins: Mapping[str, str]


def load_settings(
    flags: Mapping[str, Any] | None = None, *, profile: str = "", environment: Mapping[str, str] | None = None
) -> EffectiveSettings:
    """Settings of a process.

    Args:
        flags: by field name; None values count as not given.
        profile: name of a file under ``configs/``, or a path to one; empty: ``VITRINE_PROFILE``, else ``embedded``.
        environment: None takes the process's own.

    Raises:
        ConfigurationError: an unknown name or an impossible value; says where it stands.
    """
    environment = os.environ if environment is None else environment
    profile = profile or environment.get(_PROFILE_VARIABLE, "") or DEFAULT_PROFILE
    layers = {
        f"profile {profile}": _read_profile(profile),
        "environment": _from_environment(environment),
        "flag": {name: value for name, value in (flags or {}).items() if value is not None},
    }
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in layers.items():
        for name, value in layer.items():
            values[name] = value
            origins[name] = origin
    try:
        return EffectiveSettings(Settings(**values), profile, origins)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        field = Settings.model_fields.get(name)
        shown = "what it is" if field is not None and field.annotation is SecretStr else repr(first.get("input"))
        raise ConfigurationError(
            f"The setting {name} ({origins.get(name, 'unknown')}) cannot be {shown}: {first['msg']}.",
            "Correct it; python -m indexer info shows all settings.",
        ) from error


def _read_profile(profile: str) -> dict[str, Any]:
    path = Path(profile) if profile.endswith(".toml") else _PROFILES / f"{profile}.toml"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(item.stem for item in _PROFILES.glob("*.toml")))
        raise ConfigurationError(f"There is no profile {profile}.", f"There are: {known}; or give a path.") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The profile {path} cannot be read: {error}.", "Correct the file.") from error
    _check_names(values, f"the profile {path}")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENV_PREFIX) and name not in {_PROFILE_VARIABLE, *_OTHER_VARIABLES}
    }
    _check_names(names, "the environment")
    return names


_OTHER_VARIABLES = frozenset({f"{ENV_PREFIX}SHARED_DATA", f"{ENV_PREFIX}REQUIRE_ALL_TESTS"})
"""Variables of the tests; not settings."""


def _check_names(values: Mapping[str, Any], where: str) -> None:
    for name in values:
        if name not in Settings.model_fields:
            raise ConfigurationError(
                f"There is no setting {name}, which stands in {where}.", "python -m indexer info lists the settings."
            )
