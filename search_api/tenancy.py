"""Whose products a request is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from indexer.errors import ConfigurationError, TenantRequired
from indexer.settings import Settings
from search_api import access

TenantOfRequest: TypeAlias = Callable[[], str]
"""Gives the tenant of the request that is worked for; the empty name in an installation without tenants."""


def no_tenant() -> str:
    """In an installation without tenants."""
    return ""


def tenant_of_key() -> str:
    """The tenant that the request's key is bound to.

    Raises:
        TenantRequired: it is bound to none.
        LookupError: no request was authenticated; a fault of this program.
    """
    tenant = access.current.get().tenant
    if not tenant:
        raise TenantRequired(
            "This installation has tenants, and nothing says whose products are meant: the key is bound to none.",
            "Use one of a tenant: python -m search_api keys create --tenant NAME.",
        )
    return tenant


def tenancy(settings: Settings) -> TenantOfRequest:
    """How the tenant of a request is found.

    Raises:
        ConfigurationError: whoever comes may search, though nobody would know whose products.
    """
    if not settings.tenants:
        return no_tenant
    if settings.open_search:
        raise ConfigurationError(
            "Searching is open (open_search), and there are tenants (tenants): only keys say whose products are meant.",
            "Ask for keys with --open-search false.",
        )
    return tenant_of_key
