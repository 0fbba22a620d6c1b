"""Lists and feeds of changes that go on page by page (facts/badgr-api.md section 8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.base import Moment, Read, moment_text, read_all
from worker.errors import ConfigurationError, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from worker.adapters.badgr.connection import Connection
    from worker.adapters.badgr.http import Answer

M = TypeVar("M", bound=BaseModel)
Query = list[tuple[str, str]]
Seen = set[tuple[tuple[str, str], ...]]

_MOST_PAGES = 100_000
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next\b', re.IGNORECASE)


def pages(connection: Connection, path: str, query: Query, about: str) -> Iterator[Answer]:
    """Make one call for each page of a list, each when the page is wanted; the `Link` header leads on."""
    seen: Seen = set()
    while True:
        answer = connection.call(Request("GET", path, query=query), about)
        yield answer
        following = _NEXT.search(answer.headers.get("link", ""))
        if following is None:
            return
        query = _next_query(following[1], query, seen)


def listed(connection: Connection, path: str, query: Query, about: str, model: type[M]) -> Iterator[M]:
    """Yield what is on all the pages of a list."""
    for answer in pages(connection, path, query, about):
        yield from read_all(answer, model)


def page_size(num: int | None) -> Query:
    """Return the query that asks for pages of so many; without it a list comes whole (X-23)."""
    if num is not None and num < 1:
        raise ConfigurationError("num: a page size of at least 1, please")
    return [] if num is None else [("num", str(num))]


class Changes(Generic[M]):
    """What changed since some time, oldest change first, revoked and expired things included.

    Going through it makes the calls. `timestamp` is the `since` of the next time; it is known from the first
    page on, and is that page's: what changes while the others are read is told again next time.
    """

    def __init__(
        self, connection: Connection, path: str, model: type[M], since: datetime | None, num: int | None
    ) -> None:
        self.timestamp: datetime | None = None
        self._connection = connection
        self._path = path
        self._model = model
        self._query = page_size(num) + ([] if since is None else [("since", moment_text(since))])

    def __iter__(self) -> Iterator[M]:
        """Yield the changes, a call for each page."""
        query = self._query
        self.timestamp = None
        seen: Seen = set()
        while True:
            answer = self._connection.call(Request("GET", self._path, query=query), f"the feed {self._path}")
            found = _feed_in(answer)
            self.timestamp = self.timestamp or found.timestamp
            yield from read_all(answer, self._model)
            if not found.pagination.has_next or not found.pagination.next_results:
                return
            query = _next_query(found.pagination.next_results, query, seen)


class _Pagination(Read):
    has_next: bool | None = False
    next_results: str | None = None


class _Feed(Read):
    pagination: _Pagination = _Pagination()
    timestamp: Moment | None = None


def _feed_in(answer: Answer) -> _Feed:
    try:
        return _Feed.model_validate(answer.json())
    except ValidationError:
        failure = NoAnswer(f"HTTP {answer.status}, but its pagination cannot be read", answer.status)
    raise failure


def _next_query(link: str, query: Query, seen: Seen) -> Query:
    # Only the query: the host in the link is what the service believes to be called.
    following = parse_qsl(link.partition("?")[2].partition("#")[0])
    seen.add(tuple(query))
    if tuple(following) in seen:
        raise NoAnswer("the list has no end: its next page is one that was there before")
    if len(seen) >= _MOST_PAGES:
        raise NoAnswer("the list has no end")
    return following
