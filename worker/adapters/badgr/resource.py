"""What the parts of the API have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.base import read_one
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adapters.badgr.connection import Connection

M = TypeVar("M", bound=BaseModel)


class Resource:
    """One part of the API, as one account may use it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _one(
        self,
        method: str,
        path: str,
        about: str,
        model: type[M],
        *,
        json: Any = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> M:
        """Make a call and read its one result."""
        return read_one(self._connection.call(Request(method, path, query, json), about), model)

    def _done(self, method: str, path: str, about: str, *, query: Sequence[tuple[str, str]] = ()) -> None:
        """Make a call of which only matters that it went well: 204 or any other 2xx."""
        self._connection.call(Request(method, path, query), about)


def path(*steps: str) -> str:
    """Return a path of the API; an id that could lead to another one raises ConfigurationError."""
    if any(step in {"", ".", ".."} for step in steps):
        raise ConfigurationError("an id, please: an empty one, or one of dots alone, names nothing")
    return "/v2/" + "/".join(quote(step, safe="") for step in steps)


def flag(name: str, on: bool) -> list[tuple[str, str]]:
    """Return the query that turns something on."""
    return [(name, "true")] if on else []
