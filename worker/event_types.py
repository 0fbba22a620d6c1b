"""Of which types the events of a batch were, by the news that they told: for counting, once a batch.

Who reads events in bulk keeps no types, and need not: each type tells news of its own. But for one: an update
that only blocks or unblocks tells what a block or an unblock tells, and is counted as that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from worker.activities import Kind
from worker.news import ActivityNews, News
from worker.users import UserNews

# By what the first news of an event is about, and whether it began.
_ACTIVITIES: dict[tuple[Kind, bool], str] = {
    (Kind.ENROLLED, True): "learning_path.enrolled.v1",
    (Kind.ENROLLED, False): "learning_path.unenrolled.v1",
    (Kind.COMPLETED, True): "learning_path.completed.v1",
    (Kind.POST, True): "post.created.v1",
    (Kind.POST, False): "post.deleted.v1",
    (Kind.CONNECTED, True): "connection.established.v1",
    (Kind.CONNECTED, False): "connection.removed.v1",
}
_KINDS = {id(kind): kind for kind in Kind}


def types_of(events: Iterable[Sequence[News]]) -> dict[str, int]:
    """Return how many of these events, each given as its news, were of which type."""
    firsts = [news[0] for news in events if news]
    types = Counter(_of_user(each) for each in firsts if type(each) is UserNews)
    # By what they are, not by what they are called: to look a kind up takes ten times as long.
    kinds = Counter(
        [
            id(each.kind) if each.removed_at is None else -id(each.kind)
            for each in firsts
            if type(each) is ActivityNews
        ]
    )
    types.update({_ACTIVITIES[_KINDS[abs(kind)], kind > 0]: times for kind, times in kinds.items()})
    return dict(types)


def _of_user(news: UserNews) -> str:
    if news.registered_at is not None:
        return "user.registered.v1"
    if news.deleted_at is not None:
        return "user.deleted.v1"
    if news.profile or news.blocked is None:
        return "user.updated.v1"
    return "user.blocked.v1" if news.blocked else "user.unblocked.v1"
