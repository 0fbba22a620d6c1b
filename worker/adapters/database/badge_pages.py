"""What pages of badges are made of: the user context, what the user has, and every badge once a version.

Two statements for a page, one more where a criterion on it has a window, one for a foreign user, and one
whenever the rules have changed. Nothing is asked per badge.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Executable, select

from worker.adapters.database import engine
from worker.adapters.database.arrays import BIGINT, INSTANT, Rows
from worker.adapters.database.schema import badges
from worker.adapters.database.statements import returning_instants
from worker.awards import AwardState
from worker.browsing import Catalogue, Found, Holdings, KnownUser, listed
from worker.rules.definitions import Badge

_USER = """
SELECT r.version, {now} AS now, u.user_id, u.scope, u.registered_at, u.deleted_at,
    (SELECT b.blocked FROM blocks b WHERE b.user_id = u.user_id ORDER BY b.at DESC, b.blocked DESC LIMIT 1)
    AS blocked
FROM rulebook r LEFT JOIN users u ON u.{column} = :wanted
"""
_HOLDINGS = """
SELECT badge_id AS name, earned_at AS at, 0 AS value FROM awards
    WHERE user_id = :user_id AND state <> :revoked
UNION ALL SELECT kind, NULL, value FROM counts WHERE user_id = :user_id
"""
_SPANS = Rows("spans", period=BIGINT, since=INSTANT, upto=INSTANT)
_WITHIN = """
SELECT spans.period, (
    SELECT count(*) FROM activities a WHERE a.user_id = :user_id AND a.kind = 'connected'
    AND a.counted_at >= spans.since AND a.counted_at <= spans.upto
) AS value FROM {spans}
"""


class BadgeShelf:
    """Every badge, kept from request to request; any number of threads may ask."""

    def __init__(self, bound_to: Engine) -> None:
        self._engine = bound_to
        self._lock = threading.Lock()
        self._kept: Catalogue | None = None

    @contextmanager
    def open(self) -> Iterator[BadgePages]:
        """Open one connection that only reads."""
        with engine.reading(self._engine) as connection:
            yield BadgePages(connection, self)

    def catalogue(self, connection: Connection, version: int) -> Catalogue:
        """Return every badge as of this version, or a later one.

        The version was read before the badges: what changed in between is in them, and read again later.
        """
        kept = self._kept
        if kept is not None and kept.version >= version:
            return kept
        with self._lock:
            if self._kept is None or self._kept.version < version:
                self._kept = _read(connection, version)
            return self._kept


class BadgePages:
    """Implements browsing.BadgePages."""

    def __init__(self, connection: Connection, shelf: BadgeShelf) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._shelf = shelf

    def by_uuid(self, uuid: str) -> Found:
        """Return who has this uuid."""
        return self._users("uuid", uuid)

    def by_id(self, user_id: str) -> Found:
        """Return who has this id."""
        return self._users("user_id", user_id)

    def _users(self, column: str, wanted: str) -> Found:
        now = "clock_timestamp()" if self._dialect.name != "sqlite" else "NULL"
        sql = returning_instants(_USER.format(now=now, column=column), "now", "registered_at", "deleted_at")
        rows = self._rows(sql, {"wanted": wanted})
        users = [
            KnownUser(
                row.user_id, row.scope, row.registered_at, row.deleted_at is not None, bool(row.blocked)
            )
            for row in rows
            if row.user_id is not None
        ]
        return Found(rows[0].version, rows[0].now or engine.now(self._connection), users)

    def catalogue(self, version: int) -> Catalogue:
        """Return every badge as of this version of the rules, or a later one."""
        return self._shelf.catalogue(self._connection, version)

    def _rows(self, sql: Executable, parameters: dict[str, Any]) -> Sequence[Any]:
        """Read; what goes wrong is told apart here, since the query's execution would keep it to itself."""
        with engine.translated():
            return self._connection.execute(sql, parameters).all()

    def holdings(self, user_id: str) -> Holdings:
        """Return a user's awards that are not revoked, and their counts."""
        parameters = {"user_id": user_id, "revoked": AwardState.REVOKED.value}
        rows = self._rows(returning_instants(_HOLDINGS, "at"), parameters)
        earned_at = {name: at for name, at, _ in rows if at is not None}
        return Holdings(earned_at, {name: value for name, at, value in rows if at is None})

    def connected_within(self, user_id: str, periods: Collection[int], now: datetime) -> dict[int, int]:
        """Count live connections that were established in so many seconds up to `now`, by period."""
        spans = [(period, now - timedelta(seconds=period), now) for period in sorted(periods)]
        sql = returning_instants(_WITHIN.format(spans=_SPANS.source(self._dialect)))
        parameters = _SPANS.bind(self._dialect, spans) | {"user_id": user_id}
        return dict(self._rows(sql, parameters))


def _read(connection: Connection, version: int) -> Catalogue:
    columns = (badges.c.id, badges.c.definition, badges.c.status, badges.c.created_at)
    rows = connection.execute(select(*columns)).all()
    found = []
    for row in rows:
        badge = Badge.model_validate(row.definition)
        found.append(
            listed(
                row.id, badge.title, badge.picture, badge.criterion, row.created_at, published=badge.published
            )
        )
    return Catalogue(version, found)
