"""Activities: what one event established about one user, and how news of it is merged (design.md 1).

Merging is idempotent and free of order: the earliest beginning, the latest sighting and the latest removal
win, so repeated and shuffled deliveries need no inbox.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What an activity is about; the comment names its object."""

    ENROLLED = "enrolled"  # learning path
    COMPLETED = "completed"  # learning path
    PASSED = "passed"  # learning path
    POST = "post"  # post or comment
    CONNECTED = "connected"  # the other person

    __hash__ = str.__hash__  # enum's own is written in Python, and kinds are hashed for every event


# By name: asking the class costs several times as much, for each of many rows.
KINDS = {kind.value: kind for kind in Kind}


class Key(NamedTuple):
    """Which activity: one row of the table."""

    user_id: str
    kind: Kind
    object_id: str


class Activity(NamedTuple):
    """What is known of one activity. `source` and `event_id` name the event that set `first_at`.

    A removal that came before its beginning leaves `first_at` and `last_at` empty.
    """

    first_at: datetime | None
    last_at: datetime | None
    removed_at: datetime | None
    source: str
    event_id: str

    def counted_at(self, kind: Kind) -> datetime | None:
        """Return since when the activity counts, or None if it is not live.

        The table of design.md section 1: learning-path facts stay for good; a post ends with any removal;
        a connection is live when it was seen later than its last removal (a tie: removed).
        """
        first, last, removed = self.first_at, self.last_at, self.removed_at
        if first is None or last is None:
            return None
        if removed is None or kind in _FOR_GOOD:
            return first
        if kind is Kind.POST or last <= removed:
            return None
        return first if first > removed else last

    def merged(self, news: Activity) -> Activity:
        """Return this activity with news in it; merging the same news again changes nothing."""
        earlier = news.first_at is not None and (
            self.first_at is None
            or (news.first_at, news.source, news.event_id) < (self.first_at, self.source, self.event_id)
        )
        origin = news if earlier else self
        return Activity(
            first_at=_earliest(self.first_at, news.first_at),
            last_at=_latest(self.last_at, news.last_at),
            removed_at=_latest(self.removed_at, news.removed_at),
            source=origin.source,
            event_id=origin.event_id,
        )


_FOR_GOOD = frozenset({Kind.ENROLLED, Kind.COMPLETED, Kind.PASSED})


def began(at: datetime, source: str, event_id: str) -> Activity:
    """Return the news that an activity was seen at `at`."""
    return Activity(at, at, None, source, event_id)


def ended(at: datetime, source: str, event_id: str) -> Activity:
    """Return the news that an activity was removed at `at`."""
    return Activity(None, None, at, source, event_id)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
