"""Whose bucket an address is, and whose word is trusted about it."""

from __future__ import annotations

import pytest

from indexer.errors import ConfigurationError
from indexer.rate_limits.addresses import client_of
from indexer.settings import load_settings


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "other"),
        ("unknown", "other"),
        ("203.0.113.7, 10.0.0.1", "other"),
        ("x" * 10_000, "other"),
    ],
)
def test_the_client_of_an_address(host: str, client: str) -> None:
    assert client_of(host) == client


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("trusted_proxies", "*", "neither an address nor a network"),
        ("trusted_proxies", "10.0.0.1/24", "neither an address nor a network"),
        ("trusted_proxies", "0.0.0.0/0", "everybody"),
        ("trusted_proxies", "10.0.0.1,::/0", "everybody"),
        ("cors_origins", "*", "is no origin"),
        ("cors_origins", "https://shop.example/", "is no origin"),
        ("cors_origins", "shop.example", "is no origin"),
        ("cors_origins", "https://shop.example,null", "null is no origin"),
    ],
)
def test_settings_that_would_trust_everybody_are_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_settings({name: value})


def test_lists_of_proxies_and_origins() -> None:
    settings = load_settings(
        {"trusted_proxies": "10.0.0.1, 10.1.0.0/16, 2001:db8::/32", "cors_origins": "https://shop.example:8443"}
    ).settings
    assert settings.trusted_proxies == ("10.0.0.1", "10.1.0.0/16", "2001:db8::/32")
    assert settings.cors_origins == ("https://shop.example:8443",)
