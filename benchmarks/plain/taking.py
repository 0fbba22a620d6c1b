"""One event, one transaction: upsert the activity, count, look the rules up in memory, insert awards.

Right under any number of processes: a user's count is a row that is locked from its upsert to the commit, and
whatever a window asks is read after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from tests.support.services import plain
from worker.activities import Kind
from worker.adapters.database.engine import make_engine
from worker.adapters.database.store import Database
from worker.deciding import make_rulebook
from worker.events import UnknownEvent, parse_event
from worker.news import ActivityNews, news_of
from worker.rules.criteria import SocialConnection
from worker.rules.rulebook import Rule, Rulebook

_USER = "INSERT INTO users (user_id) VALUES (%s) ON CONFLICT DO NOTHING"
# A row comes back when something changed: seen for the first time, with the count, or earlier than known.
_MERGE = """
WITH told AS (
    INSERT INTO activities (user_id, kind, object_id, first_at, last_at, counted_at, source, event_id)
    VALUES (%(user)s, %(kind)s, %(object)s, %(at)s, %(last)s, %(at)s, %(source)s, %(event)s)
    ON CONFLICT (user_id, kind, object_id) DO UPDATE SET
        first_at = excluded.first_at, counted_at = excluded.first_at,
        source = excluded.source, event_id = excluded.event_id
    WHERE excluded.first_at < activities.first_at
    RETURNING xmax = 0 AS fresh
), counted AS (
    INSERT INTO counts (user_id, kind, value) SELECT %(user)s, %(kind)s, 1 FROM told WHERE fresh
    ON CONFLICT (user_id, kind) DO UPDATE SET value = counts.value + 1 RETURNING value
)
SELECT (SELECT value FROM counted) FROM told
"""
_NEAR = """
SELECT counted_at FROM activities
WHERE user_id = %s AND kind = 'connected' AND counted_at BETWEEN %s AND %s ORDER BY counted_at
"""
_AWARD = """
INSERT INTO awards (user_id, badge_id, state, definition_version, earned_at, decided_at, due_at, because)
VALUES (%s, %s, 'earned', %s, %s, now(), now(), '[]') ON CONFLICT DO NOTHING
"""


class Taking:
    """One process's: a connection that stays, and what need not be asked again."""

    def __init__(self, database_url: str) -> None:
        self._rulebook = _rulebook(database_url)
        self._connection = psycopg.connect(plain(database_url), prepare_threshold=1)
        self._users: set[str] = set()
        self._awarded: set[tuple[str, str]] = set()

    def take(self, body: bytes) -> None:
        """Take one event in; when this returns, it is committed."""
        event = parse_event(body, datetime.now(UTC))
        if isinstance(event, UnknownEvent):
            return
        users, awarded = set[str](), set[tuple[str, str]]()
        with self._connection.cursor() as cursor:
            # Sorted: two processes with the same two people must not wait for each other.
            for news in sorted(each for each in news_of(event) if isinstance(each, ActivityNews)):
                if news.user_id not in self._users:
                    cursor.execute(_USER, [news.user_id])
                    users.add(news.user_id)
                awarded |= {(news.user_id, badge_id) for badge_id in self._merge(cursor, news)}
            self._connection.commit()
        self._users |= users
        self._awarded |= awarded

    def _merge(self, cursor: psycopg.Cursor, news: ActivityNews) -> Iterator[str]:
        user_id, kind, object_id, at, last, _, source, event_id = news
        told = {"user": user_id, "kind": kind.value, "object": object_id, "at": at, "last": last}
        cursor.execute(_MERGE, told | {"source": source, "event": event_id})
        changed = cursor.fetchone()
        if changed is None:
            return
        earned = list(self._rulebook.by_object.get((kind, object_id), ()))
        if (count := changed[0]) is not None:
            earned += self._rulebook.crossed(kind, count - 1, count)
            earned += self._windows(cursor, news, count)
        for rule in earned:
            if (user_id, rule.badge_id) not in self._awarded:
                cursor.execute(_AWARD, [user_id, rule.badge_id, rule.version, at])
                yield rule.badge_id

    def _windows(self, cursor: psycopg.Cursor, news: ActivityNews, count: int) -> list[Rule]:
        """Return the windowed rules that this connection makes hold; one query for all of them."""
        spans = {
            rule: (rule.criterion.threshold, timedelta(seconds=rule.criterion.period))
            for rule in self._rulebook.windowed(news.kind, count)
            if isinstance(rule.criterion, SocialConnection)
            and rule.criterion.period is not None
            and (news.user_id, rule.badge_id) not in self._awarded
        }
        if news.kind is not Kind.CONNECTED or not spans or news.first_at is None:
            return []
        longest = max(span for _, span in spans.values())
        cursor.execute(_NEAR, [news.user_id, news.first_at - longest, news.first_at + longest])
        times = [at for (at,) in cursor.fetchall()]
        return [rule for rule, (needed, span) in spans.items() if _holds(times, needed, span)]


def _holds(times: list[datetime], needed: int, span: timedelta) -> bool:
    return any(last - first <= span for first, last in zip(times, times[needed - 1 :], strict=False))


def _rulebook(database_url: str) -> Rulebook:
    engine = make_engine(database_url)
    try:
        with Database(engine).batch() as batch:
            return make_rulebook(1, batch.badges())
    finally:
        engine.dispose()
