"""The web application: each part gives its routes, and all of them stand behind the same guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from worker.bootstrap import Services
from worker.errors import TransientError
from worker.web import admin, graphql, health, intake, metrics, openapi, webhooks
from worker.web.answers import on_http_exception, on_transient
from worker.web.guard import Guard

# The first step of a path that may stand in a log and in a metric; all others are one.
_DOORS = {"events", "webhooks", "graphql", "admin", "metrics", "healthz", "readyz", "openapi.json"}

_LIMITS = {intake.PATH: intake.LARGEST_BODY, webhooks.PATH: webhooks.LARGEST_BODY}


def application(services: Services) -> Starlette:
    """Return the application; raises ConfigurationError. Nothing connects before the first request."""
    app = Starlette(
        routes=_routes(services),
        middleware=[Middleware(Guard, limits=_LIMITS, doors=door)],
        exception_handlers={HTTPException: on_http_exception, TransientError: on_transient},
        lifespan=lambda _app: _lifespan(services),
    )
    app.router.redirect_slashes = False  # to an address that whoever asks has made up, and without TLS
    admin.mount(app, services)
    return app


def _routes(services: Services) -> list[BaseRoute]:
    return [
        *health.routes(services),
        *metrics.routes(services),
        *openapi.routes(),
        *intake.routes(services),
        *webhooks.routes(services),
        *graphql.routes(services),
    ]


@asynccontextmanager
async def _lifespan(services: Services) -> AsyncIterator[None]:
    try:
        yield
    finally:
        services.intake.close()


def door(path: str) -> str:
    """Return which part of the application a path leads to, without anything that was typed in."""
    first = path.removeprefix("/").partition("/")[0]
    return f"/{first}" if first in _DOORS else "other"
