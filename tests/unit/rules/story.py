"""A story: events told one by one, parsed and merged as the worker does it, and what rules see of them."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings

from worker.activities import Activity, Key, Kind
from worker.events import UnknownEvent, parse_event
from worker.news import ActivityNews, news_of
from worker.rules.criteria import Criterion, criterion_of
from worker.rules.evaluation import Earned, evaluate
from worker.rules.facts import Counted, Facts
from worker.users import Block, User

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEGINNING + timedelta(days=30)
DAY = 86400
SOURCE = "https://lms.example.org"

# Examples are drawn the same way each time, and a busy machine is no failure.
tried = settings(
    derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
_ids = count(1)


def at(seconds: float) -> datetime:
    """Return the instant so many seconds after the beginning."""
    return BEGINNING + timedelta(seconds=seconds)


def body(kind: str, seconds: float, *, event_id: str | None = None, **data: Any) -> bytes:
    """Return an event that occurred so many seconds after the beginning."""
    event = {
        "specversion": "1.0",
        "id": event_id or f"event-{next(_ids)}",
        "source": SOURCE,
        "type": f"{kind}.v1",
        "time": at(seconds).isoformat(),
        "data": data,
    }
    return json.dumps(event).encode()


def met(seconds: float, one: str, other: str, **attributes: Any) -> bytes:
    return body("connection.established", seconds, user_ids=[one, other], **attributes)


def parted(seconds: float, one: str, other: str) -> bytes:
    return body("connection.removed", seconds, user_ids=[one, other])


def posted(seconds: float, post_id: str, **more: Any) -> bytes:
    return body("post.created", seconds, user_id="a", post_id=post_id, **more)


def unposted(seconds: float, post_id: str) -> bytes:
    return body("post.deleted", seconds, user_id="a", post_id=post_id)


def enrolled(seconds: float) -> bytes:
    return body("learning_path.enrolled", seconds, user_id="a", learning_path_id=40)


def left(seconds: float) -> bytes:
    return body("learning_path.unenrolled", seconds, user_id="a", learning_path_id=40)


def completed(seconds: float, *, passed: bool | None, **scores: float) -> bytes:
    data: dict[str, Any] = {"user_id": "a", "learning_path_id": "40", "passed": passed, **scores}
    return body("learning_path.completed", seconds, **data)


def of_user(what: str, seconds: float, **profile: Any) -> bytes:
    return body(f"user.{what}", seconds, user_id="a", **profile)


def criterion(name: str, **fields: Any) -> Criterion:
    """Return a criterion as a badges file names it."""
    return criterion_of({name: fields})


class Story:
    """All that was told so far."""

    def __init__(self, bodies: Iterable[bytes] = ()) -> None:
        self.activities: dict[Key, Activity] = {}
        self.users: dict[str, User] = {}
        self.blocks: dict[str, list[Block]] = defaultdict(list)
        for each in bodies:
            self.tell(each)

    def tell(self, raw: bytes) -> None:
        event = parse_event(raw, NOW)
        assert not isinstance(event, UnknownEvent)
        for news in news_of(event):
            user = self.users.get(news.user_id, User(news.user_id))
            if isinstance(news, ActivityNews):
                known = self.activities.get(news.key)
                self.activities[news.key] = known.merged(news.activity) if known else news.activity
            else:
                user = user.merged(news)
                if news.blocked is not None:
                    self.blocks[news.user_id].append(Block(news.at, news.blocked))
            self.users[news.user_id] = user

    def facts(self, user_id: str = "a", clock: datetime = NOW) -> Facts:
        """Return what a decision about this user looks at."""
        counted: dict[Kind, list[Counted]] = defaultdict(list)
        for key, activity in self.activities.items():
            since = activity.counted_at(key.kind)
            if key.user_id == user_id and since is not None:
                fact = Counted(key.object_id, since, activity.source, activity.event_id)
                counted[key.kind].append(fact)
        for facts in counted.values():
            facts.sort(key=lambda fact: (fact.counted_at, fact.object_id))
        user = self.users.get(user_id, User(user_id))
        return Facts(clock, counted, user.registered_at, user.may_earn, self.blocks[user_id])

    def count(self, kind: Kind, user_id: str = "a") -> int:
        """Return how many live activities of a kind the user has."""
        return len(self.facts(user_id).of(kind))

    def earned(self, wanted: Criterion, user_id: str = "a", clock: datetime = NOW) -> float | None:
        """Return when the user earns a badge, in seconds after the beginning, if everything is judged now."""
        verdict = evaluate(wanted, self.facts(user_id, clock))
        return (verdict.at - BEGINNING).total_seconds() if isinstance(verdict, Earned) else None


def awarded(wanted: Criterion, bodies: Iterable[bytes], user_id: str = "a") -> list[float]:
    """Return when the user earned the badge, judged after each event: at most once, for good."""
    story = Story()
    moments: list[float] = []
    for each in bodies:
        story.tell(each)
        moment = story.earned(wanted, user_id)
        if moment is not None and not moments:
            moments.append(moment)
    return moments
