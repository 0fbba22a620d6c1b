"""One batch of events in one transaction (design.md section 1): the statements of the hot path.

Lock order everywhere: RULES, users, activities, counts, awards; multi-row writes are sorted by key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects import postgresql, sqlite

from worker.activities import Activity, Key, Kind
from worker.adapters.database import engine
from worker.adapters.database.arrays import BOOLEAN, INSTANT, INTEGER, TEXT, Rows
from worker.adapters.database.decisions import Decisions
from worker.adapters.database.locks import RULES
from worker.adapters.database.schema import dead_letters
from worker.adapters.database.statements import statement
from worker.ports import RulesState
from worker.users import FIELDS, Told, User, UserNews

_IDS = Rows("ids", user_id=TEXT)
_KEYS = Rows("keys", user_id=TEXT, kind=TEXT, object_id=TEXT)
_CHANGES = Rows(
    "changes",
    user_id=TEXT,
    kind=TEXT,
    object_id=TEXT,
    first_at=INSTANT,
    last_at=INSTANT,
    removed_at=INSTANT,
    counted_at=INSTANT,
    source=TEXT,
    event_id=TEXT,
)
_DELTAS = Rows("deltas", user_id=TEXT, kind=TEXT, delta=INTEGER)
_PROFILE = [column for name in FIELDS for column in (name, f"{name}_at")]
_USERS = Rows(
    "news",
    user_id=TEXT,
    **{column: INSTANT if column.endswith("_at") else TEXT for column in _PROFILE},
    registered_at=INSTANT,
    deleted_at=INSTANT,
)
_BLOCKS = Rows("blocks_news", user_id=TEXT, at=INSTANT, blocked=BOOLEAN)
_MERGE_ACTIVITIES = (
    f"INSERT INTO activities ({', '.join(_CHANGES.columns)}) SELECT {', '.join(_CHANGES.columns)} "
    "FROM {changes} WHERE true "
    "ON CONFLICT (user_id, kind, object_id) DO UPDATE SET first_at = excluded.first_at, "
    "last_at = excluded.last_at, removed_at = excluded.removed_at, counted_at = excluded.counted_at, "
    "source = excluded.source, event_id = excluded.event_id"
)
_MOVE_COUNTS = (
    "INSERT INTO counts (user_id, kind, value) SELECT user_id, kind, delta FROM {deltas} WHERE true "
    "ON CONFLICT (user_id, kind) DO UPDATE SET value = counts.value + excluded.value "
    "RETURNING user_id, kind, value"
)


class Batch(Decisions):
    """The transaction of one batch; implements ports.Batch."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._sqlite = self.dialect.name == "sqlite"

    def begin(self, user_ids: Sequence[str]) -> RulesState:
        """Take RULES shared, insert missing users (sorted, as given) and return the state of the rules.

        The state is read after the lock in a statement of its own: one read earlier could be old by then.
        """
        RULES.share(self.connection)
        missing = (
            "INSERT INTO users (user_id) "
            f"SELECT user_id FROM {_IDS.source(self.dialect)} WHERE true ON CONFLICT DO NOTHING"
        )
        ids = _IDS.bind(self.dialect, [(user_id,) for user_id in user_ids])
        state = "SELECT version, swept_to FROM rulebook"
        if self._sqlite:
            self.connection.execute(statement(missing), ids)
            row = self.connection.execute(self._instants(state, "swept_to")).one()
        else:
            row = self.connection.execute(statement(f"WITH missing AS ({missing}) {state}"), ids).one()
        return RulesState(row.version, row.swept_to)

    def lock_users(self, user_ids: Sequence[str]) -> dict[str, User]:
        """Lock the users, sorted, in a statement of its own, and return them.

        FOR NO KEY UPDATE in the merge statement itself would read what another consumer is about to change.
        """
        lock = "" if self._sqlite else "FOR NO KEY UPDATE"
        columns = ", ".join(["user_id", *_PROFILE, "registered_at", "deleted_at"])
        sql = (
            f"SELECT {columns} FROM users "
            f"WHERE user_id IN (SELECT user_id FROM {_IDS.source(self.dialect)}) ORDER BY user_id {lock}"
        )
        rows = self.connection.execute(
            self._instants(sql, "registered_at", "deleted_at", *(f"{name}_at" for name in FIELDS)),
            _IDS.bind(self.dialect, [(user_id,) for user_id in user_ids]),
        )
        return {row.user_id: _user(row) for row in rows}

    def activities(self, keys: Sequence[Key]) -> dict[Key, Activity]:
        """Return what is stored of these activities."""
        if not keys:
            return {}
        sql = (
            "SELECT a.user_id, a.kind, a.object_id, first_at, last_at, removed_at, source, event_id "
            f"FROM {_KEYS.source(self.dialect)} JOIN activities a ON a.user_id = keys.user_id "
            "AND a.kind = keys.kind AND a.object_id = keys.object_id"
        )
        rows = self.connection.execute(
            self._instants(sql, "first_at", "last_at", "removed_at"),
            _KEYS.bind(self.dialect, [(key.user_id, key.kind, key.object_id) for key in keys]),
        )
        return {
            Key(user_id, Kind(kind), object_id): Activity(*activity)
            for user_id, kind, object_id, *activity in rows
        }

    def merge(
        self, changes: Sequence[tuple[Key, Activity]], deltas: Mapping[tuple[str, Kind], int]
    ) -> dict[tuple[str, Kind], int]:
        """Write the changed activities and move the counts; return the counts that moved, as they are now."""
        if not changes:
            return {}
        rows = [_activity_row(key, activity) for key, activity in sorted(changes, key=_by_key)]
        parameters = _CHANGES.bind(self.dialect, rows)
        moved = [(user_id, kind, delta) for (user_id, kind), delta in sorted(deltas.items())]
        parameters |= _DELTAS.bind(self.dialect, moved)
        activities = _MERGE_ACTIVITIES.format(changes=_CHANGES.source(self.dialect))
        counts = _MOVE_COUNTS.format(deltas=_DELTAS.source(self.dialect))
        if self._sqlite:
            self.connection.execute(statement(activities), parameters)
            found = self.connection.execute(statement(counts), parameters)
        else:
            found = self.connection.execute(statement(f"WITH merged AS ({activities}) {counts}"), parameters)
        return {(user_id, Kind(kind)): value for user_id, kind, value in found}

    def save_users(self, users: Iterable[User]) -> None:
        """Write what is known of these (locked) users."""
        assignments = ", ".join(f"{column} = news.{column}" for column in list(_USERS.columns)[1:])
        self.connection.execute(
            statement(
                f"UPDATE users SET {assignments} FROM {_USERS.source(self.dialect)} "
                "WHERE users.user_id = news.user_id"
            ),
            _USERS.bind(self.dialect, [_user_row(user) for user in users]),
        )

    def add_blocks(self, news: Sequence[UserNews]) -> None:
        """Keep blocks and unblocks; the same one twice is one."""
        rows = sorted((each.user_id, each.at, each.blocked) for each in news if each.blocked is not None)
        self.connection.execute(
            statement(
                "INSERT INTO blocks (user_id, at, blocked) SELECT user_id, at, blocked "
                f"FROM {_BLOCKS.source(self.dialect)} WHERE true ON CONFLICT DO NOTHING"
            ),
            _BLOCKS.bind(self.dialect, rows),
        )

    def bury(self, letters: Sequence[tuple[bytes, str]]) -> None:
        """Keep bodies that are not events, with the reason; one that comes again is counted."""
        at = engine.now(self.connection)
        for body, reason in sorted(letters):
            letter = {"id": hashlib.sha256(body).hexdigest(), "body": body, "reason": _storable(reason)}
            self.connection.execute(
                _bury(self.dialect), {**letter, "received_at": at, "last_at": at, "times": 1}
            )


def _storable(reason: str) -> str:
    """Return a reason without what a text column refuses: it may quote what was sent."""
    return reason.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _bury(dialect: Dialect) -> Executable:
    insert = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    statement = insert(dead_letters)
    return statement.on_conflict_do_update(
        index_elements=[dead_letters.c.id],
        set_={
            "times": dead_letters.c.times + 1,
            "last_at": statement.excluded.last_at,
            "reason": statement.excluded.reason,
        },
    )


def _by_key(change: tuple[Key, Activity]) -> tuple[str, str, str]:
    key = change[0]
    return key.user_id, key.kind, key.object_id


def _activity_row(key: Key, activity: Activity) -> tuple[Any, ...]:
    return (
        key.user_id,
        key.kind,
        key.object_id,
        activity.first_at,
        activity.last_at,
        activity.removed_at,
        activity.counted_at(key.kind),
        activity.source,
        activity.event_id,
    )


def _user(row: Any) -> User:
    profile = {
        name: Told(getattr(row, name), getattr(row, f"{name}_at"))
        for name in FIELDS
        if getattr(row, name) is not None
    }
    return User(row.user_id, profile, row.registered_at, row.deleted_at)


def _user_row(user: User) -> tuple[Any, ...]:
    told = (user.profile.get(name) for name in FIELDS)
    profile = (part for each in told for part in ((each.value, each.at) if each else (None, None)))
    return (user.user_id, *profile, user.registered_at, user.deleted_at)
