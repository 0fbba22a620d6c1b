"""`/healthz`: this process is alive; `/readyz`: what it needs is there, each thing by its name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

import anyio.to_thread
import structlog
from kombu.exceptions import KombuError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from worker.adapters.celery_app import check_broker
from worker.adapters.database.readiness import is_missing_file, schema_problem
from worker.adapters.queues import open_queue
from worker.bootstrap import Services
from worker.errors import BadgeWorkerError, ConfigurationError

log = structlog.get_logger(__name__)

OK = "ok"
_KEPT = 2.0  # seconds for which an answer is good: anybody may ask, and each look costs connections
_TIMEOUT = 5  # seconds for one look


def routes(services: Services) -> list[BaseRoute]:
    """Return both doors; they are open to everybody, and tell no more than which thing is missing."""
    return [
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", _Readiness(services).answer, methods=["GET"]),
    ]


async def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "alive"})


class _Readiness:
    """Looks at everything at the same time, and at most once in a while."""

    def __init__(self, services: Services) -> None:
        self._looks: dict[str, Callable[[], str]] = {
            "database": lambda: _database(services),
            "migrations": lambda: _migrations(services),
            "event_queue": lambda: _queue(services),
            "task_broker": lambda: _broker(services),
        }
        self._lock = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._good_until = 0.0

    async def answer(self, _request: Request) -> Response:
        """Answer 200, or 503 naming what is missing."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                self._found = dict(zip(self._looks, await self._look(), strict=True))
                self._good_until = time.monotonic() + _KEPT
        ready = all(found == OK for found in self._found.values())
        body = {"status": "ready" if ready else "not ready", "checks": self._found}
        return JSONResponse(body, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _look(self) -> list[str]:
        return await asyncio.gather(*(_in_time(name, look) for name, look in self._looks.items()))


async def _in_time(name: str, look: Callable[[], str]) -> str:
    """Return what a look finds; hosts and passwords may stand in its words, so those are for the log."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await anyio.to_thread.run_sync(look, abandon_on_cancel=True)
    except TimeoutError:
        reason = f"no answer in {_TIMEOUT} s"
    except (BadgeWorkerError, KombuError, OSError) as error:
        reason = str(error)
    log.warning("readiness.missing", what=name, reason=reason)
    return "cannot be reached"


def _database(services: Services) -> str:
    if is_missing_file(services.database.engine):
        return "does not exist yet; run `badge-worker db upgrade`"
    services.database.now()
    return OK


def _migrations(services: Services) -> str:
    try:
        problem = schema_problem(services.database.engine)
    except ConfigurationError:
        return "cannot be seen"
    return OK if problem is None else "the schema is missing or old; run `badge-worker db upgrade`"


def _queue(services: Services) -> str:
    # One of its own: an event queue belongs to one thread at a time.
    queue = open_queue(services.settings.required("events_url"))
    try:
        queue.backlog()
    finally:
        queue.close()
    return OK


def _broker(services: Services) -> str:
    check_broker(services.settings.required("broker_url"))
    with services.celery.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=_TIMEOUT)
    return OK
