"""What pages of badges are made of: the user context, what the user has, and every badge once a version.

One statement for a page, one for a foreign user, and one whenever the rules have changed; one more for the
windows on a page where they are not counted along. Nothing is asked per badge.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, Executable, event, select

from worker.adapters.database import engine
from worker.adapters.database.arrays import BIGINT, INSTANT, Rows
from worker.adapters.database.schema import badges
from worker.adapters.database.statements import returning_instants, statement
from worker.awards import AwardState
from worker.browsing import Found, Holdings, KnownUser
from worker.catalogue import Catalogue, listed
from worker.rules.definitions import Badge

log = structlog.get_logger(__name__)

# One way to the server for all of it; `value` says of a user whether they are deleted (1) or blocked (2).
_USERS = """
WITH who AS (SELECT user_id, scope, registered_at, deleted_at FROM users WHERE {column} = :wanted),
clock AS (SELECT {now} AS now)
SELECT 'rules' AS what, '' AS user_id, '' AS name, clock.now AS at, version AS value FROM rulebook, clock
UNION ALL SELECT 'user', user_id, scope, registered_at,
    CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END + CASE WHEN (
        SELECT b.blocked FROM blocks b WHERE b.user_id = who.user_id
        ORDER BY b.at DESC, b.blocked DESC LIMIT 1
    ) THEN 2 ELSE 0 END
    FROM who
UNION ALL SELECT 'award', a.user_id, a.badge_id, a.earned_at, 0
    FROM who JOIN awards a ON a.user_id = who.user_id WHERE a.state <> :revoked
UNION ALL SELECT 'count', c.user_id, c.kind, NULL, c.value FROM who JOIN counts c ON c.user_id = who.user_id
"""
# Windows that badges ask for, counted along: a way to the server costs more than counting a few in vain.
_ALONG = """
UNION ALL SELECT 'within', who.user_id, CAST(period AS text), NULL, (
    SELECT count(*) FROM activities a WHERE a.user_id = who.user_id AND a.kind = 'connected'
    AND a.counted_at >= clock.now - make_interval(secs => period) AND a.counted_at <= clock.now
) FROM who, clock, unnest(CAST(:periods AS bigint[])) AS period
"""
_FEW = 4  # periods: a week and a month are what there usually is
_DELETED, _BLOCKED = 1, 2
_LONGEST = 5000  # ms for one statement; most take one
_SPANS = Rows("spans", period=BIGINT, since=INSTANT, upto=INSTANT)
_WITHIN = """
SELECT spans.period, (
    SELECT count(*) FROM activities a WHERE a.user_id = :user_id AND a.kind = 'connected'
    AND a.counted_at >= spans.since AND a.counted_at <= spans.upto
) AS value FROM {spans}
"""


class BadgeShelf:
    """Every badge, kept from request to request; any number of threads may ask.

    It has connections of its own, which spare each page three ways to the server: none is tried out before
    it is used (what only reads can simply be asked again), and each statement stands by itself, since nothing
    on a page is decided by two of them.
    """

    def __init__(self, database_url: str) -> None:
        # What is asked is always about one user, against indexes: planned as for intake.
        self.engine = engine.make_engine(database_url, intake=True, longest=_LONGEST)
        if self.engine.dialect.name != "sqlite":
            event.listen(self.engine, "connect", _by_itself)
        self._lock = threading.Lock()
        self._kept: Catalogue | None = None

    @contextmanager
    def open(self) -> Iterator[BadgePages]:
        """Open one connection that only reads; raises DatabaseUnavailable."""
        if self.engine.dialect.name == "sqlite":
            with engine.reading(self.engine) as connection:
                yield BadgePages(connection, self)
        else:
            with engine.translated(), self.engine.connect() as connection:
                yield BadgePages(connection, self)

    @property
    def periods(self) -> tuple[int, ...]:
        """Return the periods that are worth counting along with every page, as far as they are known."""
        known = self._kept.windows if self._kept is not None else ()
        return known if len(known) <= _FEW else ()

    def catalogue(self, connection: Connection, version: int) -> Catalogue:
        """Return every badge as of this version, or a later one.

        The version was read before the badges: what changed in between is in them, and read again later. A
        lower version is read anew, too: the database may have been put back to an older state.
        """
        kept = self._kept
        if kept is not None and kept.version == version:
            return kept
        with self._lock:
            if self._kept is None or self._kept.version != version:
                self._kept = _read(connection, version)
            return self._kept


def _by_itself(connection: Any, _record: Any) -> None:
    connection.autocommit = True


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
        sqlite = self._dialect.name == "sqlite"
        periods = () if sqlite else self._shelf.periods
        now, along = "NULL" if sqlite else "clock_timestamp()", _ALONG if periods else ""
        sql = self._instants(_USERS.format(now=now, column=column) + along, "at")
        parameters = {"wanted": wanted, "revoked": AwardState.REVOKED.value}
        rows = self._rows(sql, parameters | ({"periods": list(periods)} if periods else {}))
        by_what: dict[str, list[Any]] = defaultdict(list)
        for row in rows:
            by_what[row[0]].append(row[1:])
        ((_, _, clock, version),) = by_what["rules"]
        return Found(version, clock or engine.now(self._connection), _known(by_what))

    def catalogue(self, version: int) -> Catalogue:
        """Return every badge as of this version of the rules, or a later one."""
        return self._shelf.catalogue(self._connection, version)

    def _instants(self, sql: str, *columns: str) -> Executable:
        """Return the statement with the columns that are instants typed so, where the driver does not."""
        return returning_instants(sql, *columns) if self._dialect.name == "sqlite" else statement(sql)

    def _rows(self, sql: Executable, parameters: dict[str, Any]) -> Sequence[Any]:
        """Read; what goes wrong is told apart here, since the query's execution would keep it to itself."""
        with engine.translated():
            return self._connection.execute(sql, parameters).all()

    def connected_within(self, user_id: str, periods: Collection[int], now: datetime) -> dict[int, int]:
        """Count live connections that were established in so many seconds up to `now`, by period."""
        spans = [(period, now - timedelta(seconds=period), now) for period in sorted(periods)]
        sql = statement(_WITHIN.format(spans=_SPANS.source(self._dialect)))
        parameters = _SPANS.bind(self._dialect, spans) | {"user_id": user_id}
        return dict(self._rows(sql, parameters))


def _read(connection: Connection, version: int) -> Catalogue:
    columns = (badges.c.id, badges.c.definition, badges.c.status, badges.c.created_at)
    with engine.translated():
        rows = connection.execute(select(*columns)).all()
    found = []
    for row in rows:
        try:
            badge = Badge.model_validate(row.definition)
        except ValidationError as error:  # one that nobody can read must not keep all others from everybody
            log.warning("badge.unreadable", badge=row.id, errors=error.error_count())
            continue
        found.append(
            listed(
                row.id, badge.title, badge.picture, badge.criterion, row.created_at, published=badge.published
            )
        )
    return Catalogue(version, found)


def _known(by_what: Mapping[str, Sequence[Any]]) -> list[KnownUser]:
    """Return the users that the rows tell of: themselves, their awards, their counts and windows."""
    earned_at: dict[str, dict[str, datetime]] = defaultdict(dict)
    for user_id, badge_id, at, _ in by_what["award"]:
        earned_at[user_id][badge_id] = at
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for user_id, kind, _, value in by_what["count"]:
        counts[user_id][kind] = value
    within: dict[str, dict[int, int]] = defaultdict(dict)
    for user_id, period, _, value in by_what["within"]:
        within[user_id][int(period)] = value
    return [
        KnownUser(
            user_id,
            scope,
            registered_at,
            deleted=bool(bars & _DELETED),
            blocked=bool(bars & _BLOCKED),
            holdings=Holdings(earned_at[user_id], counts[user_id], within[user_id]),
        )
        for user_id, scope, registered_at, bars in by_what["user"]
    ]
