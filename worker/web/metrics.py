"""`/metrics`: what this process answered, and how everything stands, for Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from worker.adapters.metrics import answer
from worker.bootstrap import Services


def routes(services: Services) -> list[BaseRoute]:
    """Return the door; it is open to everybody, and tells numbers, badges and issuers, nobody's data."""

    # No coroutine: it is run by a thread of its own, since it waits for the database and Redis.
    def scrape(request: Request) -> Response:
        told = answer(services.state, request.headers.get("accept", ""))
        return Response(told.body, headers={"Content-Type": told.content_type})

    return [Route("/metrics", scrape, methods=["GET"])]
