"""Whom a client of a Qdrant server trusts over https."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from indexer.errors import ConfigurationError


def trust_of(ca_file: str) -> dict[str, Any]:
    """Arguments that tell REST and gRPC whom to trust.

    Raises:
        ConfigurationError: the certificates cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
        return {"verify": context, "grpc_options": {"root_certificates": Path(ca_file).read_bytes()}}
    except OSError as error:  # an ssl.SSLError is one
        raise ConfigurationError(
            f"qdrant_ca_file {ca_file} cannot be read: {error.strerror or error}.", "It is a PEM file of certificates."
        ) from error
