"""The web application's GraphQL over real HTTP, on a real database, and a client that asks it."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from starlette.applications import Starlette

from tests.support.ground import Ground
from tests.support.waiting import wait_until
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.bootstrap import Services
from worker.settings import Settings
from worker.web.graphql import routes

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-that-may-read"
PUBLISHER = "a-token-that-may-publish"
KEY = "a-key-of-enough-characters"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def settings(database_url: str, **others: Any) -> Settings:
    """Return settings with one token that may read and one that may not."""
    tokens = f"reader:read:{_digest(TOKEN)},publisher:publish:{_digest(PUBLISHER)}"
    values = {"database_url": database_url, "api_tokens": tokens, "secret_key": KEY, **others}
    return Settings.model_validate(values)


@dataclass(frozen=True)
class Site:
    """A site with its database. `ask` speaks as the user with this uuid."""

    ground: Ground
    services: Services
    client: httpx.Client

    def post(
        self, query: str, uuid: str | None = None, token: str | None = TOKEN, **variables: Any
    ) -> httpx.Response:
        """Post a query."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if uuid is not None:
            headers["Opigno-Client-UUID"] = uuid
        content = json.dumps({"query": query, "variables": variables})
        return self.client.post("/graphql", content=content, headers=headers)

    def ask(self, query: str, uuid: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an answer that has no errors."""
        answer = self.post(query, uuid, **variables)
        document: dict[str, Any] = answer.json()
        assert (answer.status_code, "errors" in document) == (200, False), answer.text
        data: dict[str, Any] = document["data"]
        return data

    def refusal(self, query: str, uuid: str, **variables: Any) -> tuple[str, str]:
        """Return code and message of an answer that has one error, and HTTP 200."""
        answer = self.post(query, uuid, **variables)
        assert answer.status_code == 200, answer.text
        (error,) = answer.json()["errors"]
        return error["extensions"]["code"], error["message"]

    def page(self, uuid: str, arguments: str = "", **variables: Any) -> dict[str, Any]:
        """Return a page of badges: the connection, with ids, cursors and what lies around."""
        query = f"""{{ getBadges{arguments and f"({arguments})"} {{
            edges {{ cursor node {{ id status earned }} }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} totalItems
        }} }}"""
        page: dict[str, Any] = self.ask(query, uuid, **variables)["getBadges"]
        return page

    def ids(self, uuid: str, arguments: str = "") -> list[str]:
        """Return the ids of the badges of a page."""
        return [edge["node"]["id"] for edge in self.page(uuid, arguments)["edges"]]


def quoted(text: str) -> str:
    """Return text as it stands in a query."""
    return json.dumps(text)


@contextmanager
def served(database_url: str, **others: Any) -> Iterator[Site]:
    """Serve GraphQL on a database that has its schema."""
    services = Services(settings(database_url, **others))
    application = Starlette(routes=routes(services))
    engine = make_engine(database_url)
    try:
        with listening(application) as url, httpx.Client(base_url=url, timeout=20) as client:
            yield Site(Ground(engine), services, client)
    finally:
        engine.dispose()
        services.close()


@contextmanager
def listening(application: Any) -> Iterator[str]:
    """Run an application on a port of its own, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application, log_config=None, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, what="the server listens")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def migrated(database_url: str) -> None:
    """Bring a database to its newest schema."""
    engine = make_engine(database_url)
    upgrade(engine)
    engine.dispose()
