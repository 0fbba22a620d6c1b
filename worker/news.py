"""News: what one event establishes, as plain values ready to be merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker import events
from worker.activities import Activity, Key, Kind, began, ended
from worker.users import FIELDS, UserNews

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class ActivityNews:
    """News of one activity of one user."""

    key: Key
    activity: Activity

    @property
    def user_id(self) -> str:
        """Return whom it is about."""
        return self.key.user_id

    @property
    def takes_away(self) -> bool:
        """Return whether it removes something that counts; leaving a learning path does not (Q-24)."""
        return self.activity.removed_at is not None and self.key.kind in _REMOVABLE


_REMOVABLE = frozenset({Kind.POST, Kind.CONNECTED})

News = ActivityNews | UserNews


def news_of(event: events.Event) -> list[News]:
    """Return what `event` establishes, one item for each user and fact."""
    return list(_NEWS[event.type](event))


def _profile(event: events.UserRegistered | events.UserUpdated) -> Iterator[News]:
    told = event.data.model_dump(include=set(FIELDS), exclude_none=True, mode="json")
    yield UserNews(
        event.data.user_id,
        event.time,
        profile={name: text for name, value in told.items() if (text := value.strip())},
        registered_at=event.time if isinstance(event, events.UserRegistered) else None,
        blocked=None if event.data.is_active is None else not event.data.is_active,
    )


def _blocked(event: events.UserBlocked) -> Iterator[News]:
    yield UserNews(event.data.user_id, event.time, blocked=True)


def _unblocked(event: events.UserUnblocked) -> Iterator[News]:
    yield UserNews(event.data.user_id, event.time, blocked=False)


def _deleted(event: events.UserDeleted) -> Iterator[News]:
    yield UserNews(event.data.user_id, event.time, deleted_at=event.time)


def _enrolled(event: events.LearningPathEnrolled) -> Iterator[News]:
    yield _began(event, event.data.user_id, Kind.ENROLLED, event.data.learning_path_id)


def _unenrolled(event: events.LearningPathUnenrolled) -> Iterator[News]:
    yield _ended(event, event.data.user_id, Kind.ENROLLED, event.data.learning_path_id)


def _completed(event: events.LearningPathCompleted) -> Iterator[News]:
    yield _began(event, event.data.user_id, Kind.COMPLETED, event.data.learning_path_id)
    if event.data.verdict:
        yield _began(event, event.data.user_id, Kind.PASSED, event.data.learning_path_id)


def _posted(event: events.PostCreated) -> Iterator[News]:
    yield _began(event, event.data.user_id, Kind.POST, event.data.post_id)


def _unposted(event: events.PostDeleted) -> Iterator[News]:
    yield _ended(event, event.data.user_id, Kind.POST, event.data.post_id)


def _connected(event: events.ConnectionEstablished) -> Iterator[News]:
    one, other = event.data.user_ids
    yield _began(event, one, Kind.CONNECTED, other)
    yield _began(event, other, Kind.CONNECTED, one)


def _disconnected(event: events.ConnectionRemoved) -> Iterator[News]:
    one, other = event.data.user_ids
    yield _ended(event, one, Kind.CONNECTED, other)
    yield _ended(event, other, Kind.CONNECTED, one)


def _began(event: events.Event, user_id: str, kind: Kind, object_id: str) -> ActivityNews:
    return ActivityNews(Key(user_id, kind, object_id), began(event.time, event.source, event.id))


def _ended(event: events.Event, user_id: str, kind: Kind, object_id: str) -> ActivityNews:
    return ActivityNews(Key(user_id, kind, object_id), ended(event.time, event.source, event.id))


_NEWS: dict[str, Callable[[Any], Iterator[News]]] = {
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
