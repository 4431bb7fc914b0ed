"""Tenants: shops that share an installation and must not meet; see docs/tenants.md."""

from __future__ import annotations

import re
from pathlib import Path

from indexer.errors import ConfigurationError
from indexer.settings import Settings

TENANT_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
_TENANT = re.compile(TENANT_PATTERN)


def is_tenant(name: str) -> bool:
    """Whether a text may be the name of a tenant: lower-case letters, digits and hyphens, at most 63."""
    return _TENANT.fullmatch(name) is not None


def checked_tenant(settings: Settings, name: str) -> str:
    """The tenant that something is done for; empty where there are none.

    Args:
        settings: effective ones.
        name: as given, empty if none was.

    Raises:
        ConfigurationError: one is named where there are none, none where there are, or one that cannot be.
    """
    if name and not settings.tenants:
        raise ConfigurationError(
            f"The tenant {name!r} is named, but this installation has none.",
            "Set tenants (VITRINE_TENANTS=true), or leave the tenant out.",
        )
    if settings.tenants and not name:
        raise ConfigurationError(
            "This installation has tenants (setting tenants), and none is named.", "Name one: --tenant NAME."
        )
    if name and not is_tenant(name):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a tenant.",
            "A name has lower-case letters, digits and hyphens, begins with no hyphen and has at most 63 characters.",
        )
    return name


def feeds_dir_of(settings: Settings, tenant: str) -> str:
    """The folder of the feeds and pictures that a tenant may name over HTTP or in messages; empty if there is none.

    Each tenant has one of its own below ``feeds_dir``, or it could have another's pictures shown.
    """
    return str(Path(settings.feeds_dir) / tenant) if settings.feeds_dir and tenant else settings.feeds_dir


def refuse_for_tenants(settings: Settings, what: str, remedy: str) -> None:
    """Returns if the installation has no tenants.

    Raises:
        ConfigurationError: it has.
    """
    if settings.tenants:
        raise ConfigurationError(f"{what} is not possible in an installation with tenants.", remedy)
