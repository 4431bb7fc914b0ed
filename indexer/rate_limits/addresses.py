"""Addresses of clients: whose bucket a request is taken from, and who may say that it passes another's on."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

_NO_ADDRESS = "other"
_IPV6_PREFIX = 64
"""What one customer of a provider has at least, so that single addresses of it are no clients (RFC 6177)."""


def client_of(host: str) -> str:
    """The name under which an address is counted; all that are none count as one.

    Args:
        host: as the socket, or a trusted proxy, tells it.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _NO_ADDRESS
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
        address = address.ipv4_mapped
    return str(address)


def is_in(host: str, networks: Sequence[str]) -> bool:
    """Whether an address is one of these, or lies in one of these networks."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)


def checked_proxies(values: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks, as they were.

    Raises:
        ValueError: one is neither, or means everybody.
    """
    for value in values:
        try:
            network = ipaddress.ip_network(value)
        except ValueError as error:
            raise ValueError(f"{value} is neither an address nor a network, such as 10.0.0.5 or 10.0.0.0/24") from error
        if network.prefixlen == 0:
            raise ValueError(f"{value} is everybody, and who is trusted may say any address is theirs")
    return values
