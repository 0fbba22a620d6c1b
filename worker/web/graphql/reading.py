"""What the resolvers ask: one request of one user context, answered in the schema's types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from worker.browsing import BadgePages, Browsing, browse_as
from worker.catalogue import Selection
from worker.web.graphql import types
from worker.web.graphql.arguments import cut_of
from worker.web.graphql.cursors import Cursors
from worker.web.graphql.showing import show_badge, show_page


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page is asked for, as it was written."""

    selection: Selection
    first: int | None
    last: int | None
    after: str | None
    before: str | None


class Reader(Protocol):
    """Answers the two queries. Both raise NotAllowed and WrongArgument."""

    def badge(self, user_context_id: str | None, badge_id: str) -> types.Badge | None:
        """Return one badge, or None if there is no such badge for this user."""

    def page(self, user_context_id: str | None, wanted: Wanted) -> types.BadgeConnection:
        """Return one page of badges."""


class BadgeReader:
    """Answers from what browsing finds. Implements Reader."""

    def __init__(self, browsing: Browsing, key: bytes, zone: tzinfo) -> None:
        self._browsing = browsing
        self._key = key
        self._zone = zone

    def badge(self, user_context_id: str | None, badge_id: str) -> types.Badge | None:
        """Return one badge, or None if there is no such badge for this user."""
        found = self._browsing.badge(self._browsing.whom(user_context_id), badge_id)
        return None if found is None else show_badge(*found, self._zone)

    def page(self, user_context_id: str | None, wanted: Wanted) -> types.BadgeConnection:
        """Return one page of badges."""
        user, selection = self._browsing.whom(user_context_id), wanted.selection
        cursors = Cursors(self._key, user.user_id, selection)
        cut = cut_of(cursors, wanted.first, wanted.last, wanted.after, wanted.before)
        page, progress = self._browsing.page(user, selection, cut)
        return show_page(page, progress, cursors, selection, self._zone)


Opening = Callable[[str], AbstractContextManager[Reader]]


def opening(
    open_pages: Callable[[], AbstractContextManager[BadgePages]], key: bytes, zone: tzinfo
) -> Opening:
    """Return what begins a request of a user context by its uuid; raises NotAllowed."""

    @contextmanager
    def begin(uuid: str) -> Iterator[Reader]:
        with open_pages() as pages:
            yield BadgeReader(browse_as(pages, uuid), key, zone)

    return begin
