"""`/metrics`: what this process answered, and how everything stands, for Prometheus."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from worker.adapters.metrics import answer
from worker.bootstrap import Services
from worker.web.answers import unavailable

_AT_ONCE = 2  # scrapes; while a source hangs each takes its time, and a thread


def routes(services: Services) -> list[BaseRoute]:
    """Return the door; it is open to everybody, and tells numbers, badges and issuers, nobody's data."""
    limiter = CapacityLimiter(_AT_ONCE)

    def told(accepted: str) -> Response:
        told = answer(services.state, accepted)
        return Response(told.body, headers={"Content-Type": told.content_type})

    async def scrape(request: Request) -> Response:
        if limiter.available_tokens < 1:
            return unavailable("others ask for the same just now")
        # In a thread, since it waits for the database and Redis, and in none that other doors need.
        return await to_thread.run_sync(told, request.headers.get("accept", ""), limiter=limiter)

    return [Route("/metrics", scrape, methods=["GET"])]
