"""Serves GraphQL for the benchmark: from a database, or the same schema over ready-made objects.

python -m benchmarks.graphql_site DATABASE_URL PORT SHA256_OF_THE_TOKEN [--ready-made]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from worker.bootstrap import Services
from worker.catalogue import Selection
from worker.settings import Settings
from worker.web.access import Access
from worker.web.graphql import routes, types
from worker.web.graphql.cursors import cursor_key
from worker.web.graphql.endpoint import Endpoint
from worker.web.graphql.reading import Reader, Wanted, opening
from worker.web.graphql.schema import make_schema


@dataclass(frozen=True)
class ReadyMade:
    """Has one page, whoever asks for whatever."""

    made: types.BadgeConnection

    def badge(self, _user: str | None, _badge: str) -> types.Badge | None:
        return self.made.edges[0].node

    def page(self, _user: str | None, _wanted: Wanted) -> types.BadgeConnection:
        return self.made


def ready_made(services: Services) -> list[Route]:
    """Return the route of a page that was read once."""
    settings = services.settings
    begin = opening(services.badge_shelf.open, cursor_key(settings.required("secret_key")), ZoneInfo("UTC"))
    with begin("uuid-0") as reader:
        page = ReadyMade(reader.page(None, Wanted(Selection(), 20, None, None, None)))

    @contextmanager
    def made(_uuid: str) -> Iterator[Reader]:
        yield page

    return [Route("/graphql", Endpoint(make_schema(), Access(settings), made).__call__, methods=["POST"])]


def main() -> None:
    url, port, digest = sys.argv[1:4]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    settings = Settings.model_validate(
        {"database_url": url, "secret_key": "x" * 32, "api_tokens": f"benchmark:read:{digest}"}
    )
    services = Services(settings)
    served = ready_made(services) if "--ready-made" in sys.argv else routes(services)
    uvicorn.run(Starlette(routes=served), port=int(port), log_level="warning", lifespan="off", ws="none")


if __name__ == "__main__":
    main()
