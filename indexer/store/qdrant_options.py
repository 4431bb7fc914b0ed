"""How to reach a Qdrant server and how its collections are laid out."""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer.breaker import BreakerPolicy
from indexer.store.retries import RetryPolicy


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is.

    Attributes:
        url: of its REST interface; ``https`` encrypts gRPC too.
        api_key: empty for none.
        prefer_grpc: gRPC carries the calls; else REST.
        grpc_port: of the same host.
        timeout_s: longest wait for one answer.
        ca_file: path of PEM certificates of whom to trust over https; empty: those of the system.
    """

    url: str
    api_key: str = ""
    prefer_grpc: bool = True
    grpc_port: int = 6334
    timeout_s: int = 10
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How collections are made and written.

    Attributes:
        retries: of every call.
        breaker: of searches; index runs have their patience instead.
        shards, replicas, write_consistency: of new collections (Qdrant's shard_number, replication_factor,
            write_consistency_factor); 0 leaves the server's default.
        upsert_points: most points in one call.
        build_s: longest wait for the search index of a new collection.
    """

    retries: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    shards: int = 0
    replicas: int = 0
    write_consistency: int = 0
    upsert_points: int = 128
    build_s: float = 3600.0
