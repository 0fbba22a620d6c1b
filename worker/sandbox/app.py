"""The sandbox as an ASGI application: what stands at which path (facts/badgr-api.md section 4)."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from worker.sandbox.answers import unknown_page
from worker.sandbox.call import Endpoint, View
from worker.sandbox.credly.paths import routes as credly_routes
from worker.sandbox.gate import Gate
from worker.sandbox.state import Sandbox
from worker.sandbox.views import (
    assertions,
    awards,
    backpack,
    badgeclasses,
    control,
    hosted,
    issuers,
    public,
    signing_in,
    users,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.options import SandboxOptions

_ISSUER = ("rw:issuer",)
_ISSUER_CHANGES = ("r:issuer", "rw:issuer")
_PROFILE = ("rw:profile",)
_OWN_PROFILE = ("r:profile", "rw:profile")
_BACKPACK = ("r:backpack", "rw:backpack")

# Path, scopes that the service really enforces there, and the view of each method.
_PATHS: list[tuple[str, tuple[str, ...], dict[str, View]]] = [
    ("issuers", _ISSUER, {"GET": issuers.list_all, "POST": issuers.create}),
    ("issuers/changed", _ISSUER_CHANGES, {"GET": issuers.changed}),
    ("issuers/{id}", (), {"GET": issuers.get, "PUT": issuers.put, "DELETE": issuers.delete}),
    ("issuers/{id}/assertions", (), {"GET": assertions.list_by_issuer, "POST": awards.award_by_issuer}),
    (
        "issuers/{id}/badgeclasses",
        (),
        {"GET": badgeclasses.list_by_issuer, "POST": badgeclasses.create_by_issuer},
    ),
    ("badgeclasses", (), {"GET": badgeclasses.list_all, "POST": badgeclasses.create}),
    ("badgeclasses/changed", _ISSUER_CHANGES, {"GET": badgeclasses.changed}),
    (
        "badgeclasses/ref/{ref:path}",
        (),
        {"GET": hosted.get_ref, "PUT": hosted.put_ref, "DELETE": hosted.delete_ref},
    ),
    ("badgeclasses/reactivate/ref/{ref:path}", (), {"POST": hosted.reactivate_ref}),
    ("badgeclasses/reactivate/{id}", (), {"POST": hosted.reactivate}),
    (
        "badgeclasses/{id}",
        (),
        {"GET": badgeclasses.get, "PUT": badgeclasses.put, "DELETE": badgeclasses.delete},
    ),
    ("badgeclasses/{id}/assertions", (), {"GET": assertions.list_by_class, "POST": awards.award_by_class}),
    ("badgeclasses/{id}/issue", (), {"POST": awards.award_many}),
    ("badgeclasses/{id}/duplicate", (), {"POST": hosted.duplicate}),
    ("badgeclasses/{id}/claim-codes", (), {"GET": hosted.list_codes, "POST": hosted.create_code}),
    ("badgeclasses/{id}/claim-codes/{code}", (), {"PUT": hosted.put_code, "DELETE": hosted.archive_code}),
    ("badgeclasses/{id}/claim-codes/{code}/enable", (), {"PATCH": hosted.enable_code}),
    ("badgeclasses/{id}/claim-codes/{code}/disable", (), {"PATCH": hosted.disable_code}),
    ("assertions/revoke", (), {"POST": assertions.revoke_many}),
    ("assertions/changed", _ISSUER_CHANGES, {"GET": assertions.changed}),
    ("assertions/{id}", (), {"GET": assertions.get, "PUT": assertions.put, "DELETE": assertions.revoke}),
    ("tokens/issuers", _ISSUER, {"POST": issuers.tokens, "GET": issuers.broken}),
    ("auth/token", (), {"GET": users.key, "PUT": users.key}),
    ("auth/tokens", _PROFILE, {"GET": users.tokens}),
    ("auth/tokens/{id}", _PROFILE, {"GET": users.token, "DELETE": users.revoke_token}),
    ("users/{id}", _OWN_PROFILE, {"GET": users.get, "PUT": users.put, "POST": users.create}),
    ("backpack/assertions", _BACKPACK, {"GET": backpack.list_all, "POST": backpack.broken}),
    (
        "backpack/assertions/{id}",
        _BACKPACK,
        {"GET": backpack.get, "PUT": backpack.accept, "DELETE": backpack.reject},
    ),
    ("backpack/assertions/{id}/image", _BACKPACK, {"GET": backpack.broken}),
    ("backpack/import", _BACKPACK, {"POST": backpack.bring_in}),
    ("backpack/collections", _BACKPACK, {"GET": backpack.collections, "POST": backpack.create_collection}),
    (
        "backpack/collections/{id}",
        _BACKPACK,
        {
            "GET": backpack.get_collection,
            "PUT": backpack.put_collection,
            "DELETE": backpack.delete_collection,
        },
    ),
]

_OPEN_PATHS: list[tuple[str, dict[str, View]]] = [
    ("/o/token", {"POST": signing_in.token}),
    ("/o/revoke_token", {"POST": signing_in.revoke_token}),
    ("/v2/auth/forgot-password", {"POST": users.forgot_password, "PUT": users.new_password}),
    ("/public/assertions/{id}", {"GET": public.assertion}),
    ("/public/assertions/{id}/image", {"GET": public.assertion_image}),
    ("/public/badges/{id}", {"GET": public.badgeclass}),
    ("/public/badges/{id}/image", {"GET": public.badgeclass_image}),
    ("/public/issuers/{id}", {"GET": public.issuer}),
    ("/media/uploads/{rest:path}", {"GET": public.picture}),
    ("/health", {"GET": public.health}),
    ("/sandbox/assertions", {"GET": control.assertions}),
    ("/sandbox/calls", {"GET": control.calls}),
    ("/sandbox/recoveries", {"GET": control.recoveries}),
    (
        "/sandbox/faults",
        {"GET": control.list_faults, "POST": control.add_faults, "DELETE": control.clear_faults},
    ),
]


def create_app(options: SandboxOptions, clock: Callable[[], float] = time.time) -> Starlette:
    """Return a sandbox of its own, with its state at ``app.state.sandbox``; `clock` gives epoch seconds."""
    sandbox = Sandbox(options, clock)
    routes = [
        Route(f"/v2/{path}", Endpoint(sandbox, methods, scopes=scopes)) for path, scopes, methods in _PATHS
    ]
    routes += [Route(path, Endpoint(sandbox, methods, public=True)) for path, methods in _OPEN_PATHS]
    routes += credly_routes(sandbox)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Gate, sandbox=sandbox)],
        exception_handlers={404: _unknown},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.sandbox = sandbox
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.sandbox.store.close()


def _unknown(_request: Request, _error: Exception) -> Response:
    return unknown_page()
