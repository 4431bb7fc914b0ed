"""Which network addresses a picture may be fetched from.

A feed is written by strangers. Without this guard a reference such as ``http://169.254.169.254/`` would make the
indexer read what only machines inside the network may read (server-side request forgery, CWE-918). The check
is made on the address that is connected to, not on the name: a name can resolve to anything, and differently each time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

import httpcore

from indexer.errors import ImageFetchFailed, ImageRefForbidden

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


def is_public(address: str) -> bool:
    """Whether an IP address is globally reachable, IPv4 inside IPv6 looked through.

    Private, loopback, link-local (the metadata services of clouds), shared, reserved and multicast ones are not.
    """
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to public addresses, and to hosts allowed by name.

    Args:
        allowed_hosts: names or addresses, as they stand in URLs, whose address is not checked.
    """

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolves, checks every address, then connects to one that was checked."""
        failure: Exception | None = None
        for address in await self._checked_addresses(host, port):
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or ImageFetchFailed(f"{host} has no address.")

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - httpcore's signature
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never: no picture lies behind a local socket."""
        raise ImageRefForbidden("Pictures are not fetched over local sockets.")

    async def sleep(self, seconds: float) -> None:
        """Waits between httpcore's own connection retries."""
        await self._sockets.sleep(seconds)

    async def _checked_addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ImageFetchFailed(f"The host name {host} cannot be resolved.") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if host.lower() not in self._allowed:
            for address in addresses:
                if not is_public(address):
                    raise ImageRefForbidden(
                        f"{host} is the address {address}, which is not public.",
                        "If pictures do lie there, name the host in image_allowed_hosts.",
                    )
        return addresses
