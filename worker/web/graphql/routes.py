"""The route of GraphQL, put together from the services."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from starlette.routing import BaseRoute, Route

from worker.bootstrap import Services
from worker.errors import ConfigurationError
from worker.settings import PREFIX
from worker.web.access import Access
from worker.web.graphql.cursors import cursor_key
from worker.web.graphql.endpoint import Endpoint
from worker.web.graphql.explorer import explorer
from worker.web.graphql.reading import opening
from worker.web.graphql.schema import make_schema

PATH = "/graphql"


def routes(services: Services) -> list[BaseRoute]:
    """Return the routes; raises ConfigurationError without SECRET_KEY, which seals cursors."""
    settings = services.settings
    if settings.key is None:
        raise ConfigurationError(f"{PREFIX}SECRET_KEY: missing; make one with: openssl rand -hex 32")
    begin = opening(services.badge_shelf.open, cursor_key(settings.key), ZoneInfo(settings.time_zone))
    endpoint = Endpoint(make_schema(), Access(settings), begin)
    found = explorer(PATH) if settings.graphql_explorer else []
    return [Route(PATH, endpoint.__call__, methods=["POST"]), *found]
