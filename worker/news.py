"""News: what one event establishes, as plain values ready to be merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from worker import events
from worker.activities import Activity, Key, Kind
from worker.users import FIELDS, UserNews

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class ActivityNews(NamedTuple):
    """News of one activity of one user: its key and what is told of it, side by side as in its row."""

    user_id: str
    kind: Kind
    object_id: str
    first_at: datetime | None
    last_at: datetime | None
    removed_at: datetime | None
    source: str
    event_id: str

    @classmethod
    def of(cls, key: Key, activity: Activity) -> ActivityNews:
        """Put both together."""
        first, last, removed, source, event_id = activity
        return cls(*key, first, last, removed, source, event_id)

    @property
    def key(self) -> Key:
        """Return which activity it is about."""
        return Key(*self[:3])

    @property
    def activity(self) -> Activity:
        """Return what is told of it."""
        return Activity(*self[3:])

    def merged(self, news: ActivityNews) -> ActivityNews:
        """Return both together; they are of the same activity."""
        return self.of(self.key, self.activity.merged(news.activity))

    @property
    def takes_away(self) -> bool:
        """Return whether it removes something that counts; leaving a learning path does not (Q-24)."""
        return self.removed_at is not None and self.kind in _REMOVABLE


_REMOVABLE = frozenset({Kind.POST, Kind.CONNECTED})

News = ActivityNews | UserNews


def news_of(event: events.Event) -> list[News]:
    """Return what `event` establishes, one item for each user and fact."""
    return _NEWS[event.type](event)


def _profile(event: events.UserRegistered | events.UserUpdated) -> list[News]:
    told = event.data.model_dump(include=set(FIELDS), exclude_none=True, mode="json")
    news = UserNews(
        event.data.user_id,
        event.time,
        profile={name: text for name, value in told.items() if (text := value.strip())},
        registered_at=event.time if isinstance(event, events.UserRegistered) else None,
        blocked=None if event.data.is_active is None else not event.data.is_active,
    )
    return [news]


def _blocked(event: events.UserBlocked) -> list[News]:
    return [UserNews(event.data.user_id, event.time, blocked=True)]


def _unblocked(event: events.UserUnblocked) -> list[News]:
    return [UserNews(event.data.user_id, event.time, blocked=False)]


def _deleted(event: events.UserDeleted) -> list[News]:
    return [UserNews(event.data.user_id, event.time, deleted_at=event.time)]


def _enrolled(event: events.LearningPathEnrolled) -> list[News]:
    return [_began(event, event.data.user_id, Kind.ENROLLED, event.data.learning_path_id)]


def _unenrolled(event: events.LearningPathUnenrolled) -> list[News]:
    return [_ended(event, event.data.user_id, Kind.ENROLLED, event.data.learning_path_id)]


def _completed(event: events.LearningPathCompleted) -> list[News]:
    user_id, path = event.data.user_id, event.data.learning_path_id
    completed = _began(event, user_id, Kind.COMPLETED, path)
    if not event.data.verdict:
        return [completed]
    return [completed, _began(event, user_id, Kind.PASSED, path)]


def _posted(event: events.PostCreated) -> list[News]:
    return [_began(event, event.data.user_id, Kind.POST, event.data.post_id)]


def _unposted(event: events.PostDeleted) -> list[News]:
    return [_ended(event, event.data.user_id, Kind.POST, event.data.post_id)]


def _connected(event: events.ConnectionEstablished) -> list[News]:
    one, other = event.data.user_ids
    return [_began(event, one, Kind.CONNECTED, other), _began(event, other, Kind.CONNECTED, one)]


def _disconnected(event: events.ConnectionRemoved) -> list[News]:
    one, other = event.data.user_ids
    return [_ended(event, one, Kind.CONNECTED, other), _ended(event, other, Kind.CONNECTED, one)]


def _began(event: events.Event, user_id: str, kind: Kind, object_id: str) -> ActivityNews:
    at = event.time
    return ActivityNews(user_id, kind, object_id, at, at, None, event.source, event.id)


def _ended(event: events.Event, user_id: str, kind: Kind, object_id: str) -> ActivityNews:
    at = event.time
    return ActivityNews(user_id, kind, object_id, None, None, at, event.source, event.id)


_NEWS: dict[str, Callable[[Any], list[News]]] = {
    "user.registered.v1": _profile,
    "user.updated.v1": _profile,
    "user.blocked.v1": _blocked,
    "user.unblocked.v1": _unblocked,
    "user.deleted.v1": _deleted,
    "learning_path.enrolled.v1": _enrolled,
    "learning_path.unenrolled.v1": _unenrolled,
    "learning_path.completed.v1": _completed,
    "post.created.v1": _posted,
    "post.deleted.v1": _unposted,
    "connection.established.v1": _connected,
    "connection.removed.v1": _disconnected,
}
