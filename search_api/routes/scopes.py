"""What a route needs: said once where its router is made, checked before anything of its body is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, cast

from fastapi import APIRouter, Depends, Request, Security
from fastapi.params import Depends as DependsMarker
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from indexer.errors import AdminDisabled, AdminKeyRequired, InstallationOnly, KeyRequired, ScopeMissing
from search_api import access
from search_api.access import Access, Scope
from search_api.authentication import FAILURE_KEY, Authenticator, cookie_name
from search_api.routes.dependencies import problems
from search_api.tenancy import TenantOfRequest, no_tenant

# for OpenAPI alone: what reads keys and cookies is the Authentication middleware
KEY_HEADERS = [Security(APIKeyHeader(name="X-API-Key", auto_error=False)), Security(HTTPBearer(auto_error=False))]
COOKIE_SCHEME = "Session"
"""The page's cookie, as OpenAPI calls it."""
_COOKIE = Security(APIKeyCookie(name=cookie_name(secure=False), scheme_name=COOKIE_SCHEME, auto_error=False))


class Needs:
    """A dependency that lets requests through whose sender may do something.

    Args:
        scope: what.
        whole: whether it is of the whole installation, and not of a tenant's products, where there are tenants.
    """

    def __init__(self, scope: Scope, *, whole: bool = False) -> None:
        self.scope = scope
        self._whole = whole

    async def __call__(self, request: Request) -> Access:
        """As a dependency; see ``check``."""
        return self.check(request)

    def check(self, request: Request) -> Access:
        """The request's access, if it suffices.

        Raises:
            KeyRequired, AdminKeyRequired: it has no key that is accepted.
            ScopeMissing: its key is not for this.
            TenantRequired, InstallationOnly: its key is bound to no tenant, or to one.
            AdminDisabled: there is no key at all that would do.
            KeysUnavailable: its key could not be judged.
        """
        found = access.current.get()
        if self.scope in found.scopes:
            self._check_tenant(found, cast("TenantOfRequest", request.app.state.tenant))
            return found
        if failure := request.scope["state"].get(FAILURE_KEY):
            raise failure
        if found.key_id:
            raise ScopeMissing(
                f"This key has no scope {self.scope.value!r}, which this needs.",
                f"Make one with: python -m search_api keys create --scope {self.scope.value}.",
            )
        if self.scope is not Scope.ADMIN:
            raise KeyRequired("This needs a key.", "Send it in the header X-API-Key, or as Authorization: Bearer.")
        if not cast("Authenticator", request.app.state.authenticator).can_administrate:
            raise AdminDisabled(
                "No admin key is set, so the catalog cannot be changed over HTTP.",
                "Set VITRINE_ADMIN_KEY, or make a key with: python -m search_api keys create --scope admin.",
            )
        raise AdminKeyRequired(
            "This changes the catalog, or tells of changes, and needs an admin key.",
            "Send it in the header X-API-Key, or as Authorization: Bearer.",
        )

    def _check_tenant(self, found: Access, tenant: TenantOfRequest) -> None:
        if found.tenant and tenant is no_tenant:
            raise InstallationOnly("The key is bound to a tenant, and this installation has none (setting tenants).")
        if not self._whole:
            tenant()
        elif found.tenant:
            raise InstallationOnly("This is of all tenants together.", "Use a key that is bound to none.")


class ScopedRoute(APIRoute):
    """A route that declares what it needs; one that does not cannot be made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, after the check: FastAPI itself reads bodies before it asks dependencies."""
        needs = scope_of(self.dependencies)
        if needs is None:
            raise TypeError(f"the route {self.path} declares no scope; make its router with scoped_router")
        handle = super().get_route_handler()

        async def handle_if_allowed(request: Request) -> Response:
            needs.check(request)
            return await handle(request)

        return handle_if_allowed


def scoped_router(
    scope: Scope, *, tag: str, prefix: str = "", route_class: type[ScopedRoute] = ScopedRoute, whole: bool = False
) -> APIRouter:
    """A router all of whose routes need a scope.

    Args:
        scope: of the key.
        tag: heading in the API's description.
        prefix: of all paths.
        route_class: what makes its routes.
        whole: see ``Needs``.
    """
    tags: list[str | Enum] = [tag]
    cookie = [] if scope is Scope.ADMIN else [_COOKIE]
    return APIRouter(
        prefix=prefix,
        tags=tags,
        route_class=route_class,
        dependencies=[Depends(Needs(scope, whole=whole)), *KEY_HEADERS, *cookie],
        responses=problems(401, 403),
    )


def scope_of(dependencies: list[DependsMarker]) -> Needs | None:
    """What a route's dependencies declare that it needs; None if they declare nothing."""
    return next((item.dependency for item in dependencies if isinstance(item.dependency, Needs)), None)
