"""What every decision reads and writes, whoever makes it: a batch, the sweep or a backfill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Executable, select
from sqlalchemy.dialects import postgresql

from worker.activities import KINDS, Kind
from worker.adapters.database import engine
from worker.adapters.database.arrays import INSTANT, INTEGER, TEXT, Rows
from worker.adapters.database.history import WORKER, Entry, next_number, write_history
from worker.adapters.database.schema import badges
from worker.adapters.database.statements import returning_instants, statement
from worker.adapters.database.types import as_text
from worker.adapters.database.values import execute_values
from worker.awards import AwardState, NewAward
from worker.ports import StoredBadge
from worker.rules.facts import Counted
from worker.users import Block

_IDS = Rows("ids", user_id=TEXT)
_PAIRS = Rows("pairs", user_id=TEXT, badge_id=TEXT)
_WHOLE = Rows("whole", user_id=TEXT, kind=TEXT)
_SINGLE = Rows("single", user_id=TEXT, kind=TEXT, object_id=TEXT)
_AWARDS = Rows(
    "new",
    user_id=TEXT,
    badge_id=TEXT,
    state=TEXT,
    issuer=TEXT,
    definition_version=INTEGER,
    earned_at=INSTANT,
    because=TEXT,
    backfilled=INTEGER,
)

# An instant as `as_text` writes it.
_UTC = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""

# Award and history in one statement, by the database's clock.
_INSERT_AWARDS = (
    f"WITH made AS (INSERT INTO awards ({', '.join(_AWARDS.columns)}, decided_at, due_at) "
    "SELECT user_id, badge_id, state, issuer, definition_version, earned_at, CAST(because AS jsonb), "
    "backfilled <> 0, statement_timestamp(), GREATEST(statement_timestamp(), earned_at) "
    f"FROM {_AWARDS.source(postgresql.dialect())} "  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    "ON CONFLICT (user_id, badge_id) DO NOTHING "
    "RETURNING user_id, badge_id, decided_at, earned_at, definition_version), "
    "told AS (INSERT INTO award_history (user_id, badge_id, entry, at, what, actor, detail) "
    "SELECT user_id, badge_id, :entry, decided_at, 'decided', :actor, "
    f"jsonb_build_object('earned_at', {_UTC.format('earned_at')}, 'version', definition_version) FROM made) "
    "SELECT count(*) FROM made"
)

_LAST_AWARD = "SELECT coalesce(max(rowid), 0) FROM awards"
_SQLITE_AWARDS = (
    f"INSERT OR FAIL INTO awards ({', '.join(_AWARDS.columns)}, decided_at, due_at) {{values}} "
    "ON CONFLICT (user_id, badge_id) DO NOTHING"
)
_SQLITE_DECIDED = (
    "INSERT INTO award_history (user_id, badge_id, entry, at, what, actor, detail) "
    "SELECT user_id, badge_id, :entry, :at, 'decided', :actor, "
    "json_object('earned_at', earned_at, 'version', definition_version) FROM awards WHERE rowid > :last"
)

Counts = dict[str, dict[Kind, list[Counted]]]


class Decisions:
    """The reading and writing around a decision, in a transaction that is already open."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect

    def badges(self) -> list[StoredBadge]:
        """Return every badge as `apply` stored it."""
        rows = self.connection.execute(select(badges).order_by(badges.c.id))
        return [StoredBadge(row.id, row.version, row.definition) for row in rows]

    def awarded(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which of these (user, badge) have an award already, in whatever state."""
        sql = (
            f"SELECT a.user_id, a.badge_id FROM {_PAIRS.source(self.dialect)} "
            "JOIN awards a ON a.user_id = pairs.user_id AND a.badge_id = pairs.badge_id"
        )
        rows = self.connection.execute(statement(sql), _PAIRS.bind(self.dialect, sorted(pairs)))
        return {(row.user_id, row.badge_id) for row in rows}

    def counted(
        self, whole: Collection[tuple[str, Kind]], single: Collection[tuple[str, Kind, str]]
    ) -> Counts:
        """Return live activities in the order of `counted_at`: whole kinds of a user, and single ones."""
        asked: list[str] = []
        bound: dict[str, Any] = {}
        if whole:
            asked.append(_live(self.dialect, _WHOLE))
            bound |= _WHOLE.bind(self.dialect, sorted(whole))
        if single:
            asked.append(_live(self.dialect, _SINGLE))
            bound |= _SINGLE.bind(self.dialect, sorted(single))
        found: Counts = defaultdict(lambda: defaultdict(list))
        if asked:
            in_order = "ORDER BY 1, 2, 4, 3"  # of a union: user, kind, counted_at, object
            sql = f"{' UNION ALL '.join(asked)} {in_order}"
            rows = self.connection.execute(self._instants(sql, "counted_at"), bound)
            for user_id, kind, object_id, counted_at, source, event_id in rows.all():
                found[user_id][KINDS[kind]].append(Counted(object_id, counted_at, source, event_id))
        return found

    def blocks(self, user_ids: Collection[str]) -> dict[str, list[Block]]:
        """Return every block and unblock of these users."""
        sql = (
            f"SELECT b.user_id, b.at, b.blocked FROM {_IDS.source(self.dialect)} "
            "JOIN blocks b ON b.user_id = ids.user_id"
        )
        rows = self.connection.execute(
            self._instants(sql, "at"),
            _IDS.bind(self.dialect, [(user_id,) for user_id in sorted(user_ids)]),
        )
        found: dict[str, list[Block]] = defaultdict(list)
        for user_id, at, blocked in rows:
            found[user_id].append(Block(at, bool(blocked)))
        return found

    def insert_awards(self, awards: Sequence[NewAward]) -> int:
        """Insert the awards that are not there yet, and return how many those were.

        Once-only is the key, never a look before. An award waits for what its issuer needs; without an issuer
        it is `earned`; one whose `earned_at` lies ahead of the clock is not due before it.
        """
        ordered = sorted(awards, key=lambda award: (award.user_id, award.badge_id))
        if self.dialect.name == "sqlite":
            return self._insert_awards_on_sqlite(ordered)
        bound = _AWARDS.bind(self.dialect, [_row(award) for award in ordered])
        number = {"entry": next_number(), "actor": WORKER}
        made: int = self.connection.execute(statement(_INSERT_AWARDS), bound | number).scalar_one()
        return made

    def _insert_awards_on_sqlite(self, awards: Sequence[NewAward]) -> int:
        at = as_text(engine.now(self.connection))
        columns = list(zip(*[_on_sqlite(award, at) for award in awards], strict=True))
        # The one writer's new rows have the greatest numbers.
        last: int = self.connection.exec_driver_sql(_LAST_AWARD).scalar_one()
        for _ in execute_values(self.connection, _SQLITE_AWARDS, columns):
            pass
        told = {"last": last, "entry": next_number(), "at": at, "actor": WORKER}
        return self.connection.execute(statement(_SQLITE_DECIDED), told).rowcount

    def addresses_came(self, user_ids: Collection[str]) -> int:
        """Make awards that wait for nothing any more pending, of these users; return how many."""
        sql = (
            "UPDATE awards SET state = :pending WHERE state = :waiting "
            f"AND user_id IN (SELECT user_id FROM {_IDS.source(self.dialect)}) "
            f"AND {reachable(self.dialect)} RETURNING user_id, badge_id"
        )
        states = {"pending": AwardState.PENDING.value, "waiting": AwardState.WAITING.value}
        ids = _IDS.bind(self.dialect, [(user_id,) for user_id in sorted(user_ids)])
        rows = self.connection.execute(statement(sql), states | ids).all()
        at = engine.now(self.connection)
        write_history(
            self.connection,
            [Entry(row.user_id, row.badge_id, at, "what it waited for came", {}) for row in rows],
        )
        return len(rows)

    def _instants(self, sql: str, *columns: str) -> Executable:
        """Return the statement with the columns that are instants typed so."""
        return returning_instants(sql, *columns) if self.dialect.name == "sqlite" else statement(sql)


def _live(dialect: Dialect, keys: Rows) -> str:
    """Return the query for live activities by these columns of their key."""
    is_asked_for = " AND ".join(f"a.{column} = {keys.name}.{column}" for column in keys.columns)
    return (
        "SELECT a.user_id, a.kind, a.object_id, a.counted_at, a.source, a.event_id "
        f"FROM {keys.source(dialect)} JOIN activities a ON {is_asked_for} WHERE a.counted_at IS NOT NULL"
    )


def reachable(dialect: Dialect) -> str:
    """Return the condition that all is known of an award's user that its issuer needs.

    A badge that is issued by a template goes to Credly, which wants both names beside the address.
    """
    template = "#>> '{issue,template}'" if dialect.name != "sqlite" else "->> '$.issue.template'"
    return (
        "EXISTS (SELECT 1 FROM users u, badges b WHERE u.user_id = awards.user_id AND b.id = awards.badge_id "
        f"AND u.email <> '' AND ((b.definition {template}) IS NULL "
        "OR (trim(u.first_name) <> '' AND trim(u.last_name) <> '')))"
    )


def _row(award: NewAward) -> tuple[Any, ...]:
    return (
        award.user_id,
        award.badge_id,
        _state(award).value,
        award.issuer,
        award.definition_version,
        award.earned_at,
        orjson.dumps(award.because).decode(),
        int(award.backfilled),
    )


def _state(award: NewAward) -> AwardState:
    if award.issuer is None:
        return AwardState.EARNED
    return AwardState.WAITING if award.waits else AwardState.PENDING


def _on_sqlite(award: NewAward, decided: str) -> tuple[Any, ...]:
    """Return its row, with when it was decided and when it is due."""
    earned = as_text(award.earned_at)
    values = (earned if value is award.earned_at else value for value in _row(award))
    return (*values, decided, max(decided, earned))
