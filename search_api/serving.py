"""Running an app until it is stopped."""

from __future__ import annotations

import copy
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from indexer.errors import ConfigurationError
from indexer.settings import Settings
from indexer.telemetry.logs import JsonLines, OfWork, writes_json
from search_api.limits.connections import ConnectionLimits
from search_api.limits.http_protocol import bounded_protocol

_GRACE_S = 10


def check_address(settings: Settings) -> None:
    """Returns if the API can listen where the settings say; asked before long work is done for nothing.

    Raises:
        ConfigurationError: the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigurationError(
                f"The API cannot listen on {settings.host} port {settings.port}: {error.strerror}.",
                "Stop what listens there, or choose another port with --port.",
            ) from error


def check_open_search(settings: Settings) -> None:
    """Returns if whoever reaches the API may: where searching is open, that is this machine alone.

    Raises:
        ConfigurationError: it would listen on other addresses, and nobody said that it may.
    """
    if not settings.open_search or settings.open_search_anywhere or _is_loopback(settings.host):
        return
    raise ConfigurationError(
        f"The API would let anybody search who reaches it at {settings.host or 'any address of this machine'}: "
        "searching needs no key (open_search).",
        "Ask for keys with --open-search false and make one with python -m search_api keys create; or, where something "
        "in front guards it, allow it with --open-search-anywhere true.",
    )


def _is_loopback(host: str) -> bool:
    """Whether nothing but this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None) if host else []
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(item[4][0]).is_loopback for item in found)


class ApiServer:
    """An app behind a socket.

    Args:
        app: from ``create_app``.
        settings: host and port.
        log_level: of the access log and the server's own messages.
    """

    def __init__(self, app: FastAPI, settings: Settings, *, log_level: str = "info") -> None:
        config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=bounded_protocol(ConnectionLimits.of(settings)),
            ws="none",  # no route speaks it
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            log_level=log_level,
            log_config=_log_config(settings),
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)

    def stop(self) -> None:
        """Ends ``run`` from another thread, after the requests under way."""
        self._server.should_exit = True

    def run(self, before: Callable[[], None] = lambda: None) -> None:
        """Serves until a signal or ``stop``; Ctrl-C is an orderly end, not an error.

        Args:
            before: called just before the socket opens.
        """
        before()
        try:
            self._server.run()
        except KeyboardInterrupt:
            return  # uvicorn ends in order and then raises the signal that it was sent


def _log_config(settings: Settings) -> dict[str, Any]:
    """The server's own, with the request's id at the end of each line; or as JSON."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["filters"] = {"of_work": {"()": OfWork}}
    for handler in config["handlers"].values():
        handler["filters"] = ["of_work"]
    for name, formatter in config["formatters"].items():
        if writes_json(settings.log_format):
            config["formatters"][name] = {"()": JsonLines, "service": "api"}
        else:
            formatter["fmt"] += "%(of_work)s"
    return config
