"""One batch of events in one transaction (design.md section 1): the statements of the hot path.

Lock order everywhere: RULES, users, activities, counts, awards; multi-row writes are sorted by key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.dialects import postgresql, sqlite

from worker.activities import Kind
from worker.adapters.database import engine
from worker.adapters.database.arrays import BOOLEAN, INSTANT, INTEGER, TEXT, Rows
from worker.adapters.database.decisions import Decisions
from worker.adapters.database.locks import RULES
from worker.adapters.database.merging import merge
from worker.adapters.database.schema import dead_letters
from worker.adapters.database.statements import statement
from worker.ports import Chance, Moved, RulesState, Written
from worker.rules.rulebook import Marks
from worker.users import FIELDS, Told, User, UserNews

_IDS = Rows("ids", user_id=TEXT)
_WANTED = Rows("wanted", user_id=TEXT)
_HASHES = Rows("hashes", hash=TEXT)
_CHANCES = Rows("c", user_id=TEXT, badge_id=TEXT, threshold=INTEGER, low=INSTANT, high=INSTANT)
_PROFILE = [column for name in FIELDS for column in (name, f"{name}_at")]
_USERS = Rows(
    "news",
    user_id=TEXT,
    **{column: INSTANT if column.endswith("_at") else TEXT for column in _PROFILE},
    registered_at=INSTANT,
    deleted_at=INSTANT,
)
_BLOCKS = Rows("blocks_news", user_id=TEXT, at=INSTANT, blocked=BOOLEAN)
_USER = ", ".join(["user_id", *_PROFILE, "registered_at", "deleted_at"])
_INSTANTS = ("registered_at", "deleted_at", *(f"{name}_at" for name in FIELDS))


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
            f"SELECT user_id FROM {_IDS.source(self.dialect)} "
            "WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = ids.user_id) "
            "ORDER BY user_id ON CONFLICT DO NOTHING"
        )
        ids = _IDS.bind(self.dialect, [(user_id,) for user_id in user_ids])
        state = "SELECT version, swept_to, forgotten FROM rulebook"
        if self._sqlite:
            self.connection.execute(statement(missing), ids)
            row = self.connection.execute(self._instants(state, "swept_to")).one()
        else:
            row = self.connection.execute(statement(f"WITH missing AS ({missing}) {state}"), ids).one()
        return RulesState(row.version, row.swept_to, row.forgotten)

    def number_forgotten(self) -> int:
        """Return how many people were forgotten, waiting for nobody."""
        number: int = self.connection.execute(statement("SELECT forgotten FROM rulebook")).scalar_one()
        return number

    def forgotten(self, hashes: Sequence[str]) -> set[str]:
        """Return those of these hashes that are kept of people who were forgotten."""
        sql = f"SELECT hash FROM forgotten WHERE hash {_HASHES.among(self.dialect)}"
        bound = _HASHES.bind(self.dialect, [(each,) for each in hashes])
        return set(self.connection.execute(statement(sql), bound).scalars())

    def lock(self, user_ids: Sequence[str]) -> int:
        """Lock the users, sorted, in a statement of its own, and return how many there are.

        FOR NO KEY UPDATE in the merge statement itself would read what another consumer is about to change.
        """
        sql = f"WITH locked AS ({self._locking('user_id')}) SELECT count(*) FROM locked"
        found: int = self.connection.execute(statement(sql), self._ids(user_ids)).scalar_one()
        return found

    def lock_users(self, user_ids: Sequence[str], wanted: Collection[str] | None = None) -> dict[str, User]:
        """Lock the users as `lock` does, and return them, or only the wanted ones."""
        # Not a subquery: its conditions would be pushed into it, and only the wanted ones be locked.
        sql = f"WITH locked AS ({self._locking(_USER)}) SELECT {_USER} FROM locked"
        parameters = self._ids(user_ids)
        if wanted is not None:
            sql += f" WHERE user_id {_WANTED.among(self.dialect)}"
            parameters |= _WANTED.bind(self.dialect, [(user_id,) for user_id in sorted(wanted)])
        rows = self.connection.execute(self._instants(sql, *_INSTANTS), parameters)
        return {user.user_id: user for user in map(_user, rows)}

    def users(self, user_ids: Collection[str]) -> dict[str, User]:
        """Return users that are locked already."""
        sql = f"SELECT {_USER} FROM users WHERE user_id {_IDS.among(self.dialect)}"
        rows = self.connection.execute(self._instants(sql, *_INSTANTS), self._ids(sorted(user_ids)))
        return {user.user_id: user for user in map(_user, rows)}

    def _locking(self, columns: str) -> str:
        lock = "" if self._sqlite else "FOR NO KEY UPDATE"
        return f"SELECT {columns} FROM users WHERE user_id {_IDS.among(self.dialect)} ORDER BY user_id {lock}"

    def _ids(self, user_ids: Iterable[str]) -> dict[str, Any]:
        return _IDS.bind(self.dialect, [(user_id,) for user_id in user_ids])

    def merge(self, written: Written, marks: Mapping[Kind, Marks]) -> list[Moved]:
        """Merge news of activities, move the counts, and return those that may decide something."""
        return merge(self.connection, written, marks)

    def look_at(self, chances: Sequence[Chance]) -> list[tuple[str, str, bool]]:
        """Return which badges were awarded already and which are to be evaluated."""
        sql = (
            "WITH asked AS MATERIALIZED (SELECT c.*, "
            f"(SELECT 1 FROM awards a WHERE {self._is_the_award}) AS awarded "
            f"FROM {_CHANCES.source(self.dialect)}) "
            "SELECT c.user_id, c.badge_id, c.awarded IS NOT NULL FROM asked c "
            "WHERE c.awarded IS NOT NULL OR c.threshold = 0 OR c.threshold <= (SELECT count(*) "
            "FROM activities w WHERE w.user_id = c.user_id AND w.kind = 'connected' "
            "AND w.counted_at BETWEEN c.low AND c.high)"
        )
        rows = self.connection.execute(statement(sql), _CHANCES.bind(self.dialect, chances))
        return [(user_id, badge_id, bool(awarded)) for user_id, badge_id, awarded in rows]

    @property
    def _is_the_award(self) -> str:
        """Say in SQL that an award (called a) is the one that a chance (called c) is about.

        As a pair, in PostgreSQL, only its key can find it. By two columns, planned while there were no awards
        yet, an index by badge would seem as good, and later find everybody who has it.
        """
        if self._sqlite:
            return "a.user_id = c.user_id AND a.badge_id = c.badge_id"
        award, chance = "(a.user_id, a.badge_id)", "(c.user_id, c.badge_id)"
        return f"{award} >= {chance} AND {award} <= {chance}"

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


def _user(row: Any) -> User:
    user_id, *told, registered_at, deleted_at = row
    told_at = iter(told)
    profile = {
        name: Told(value, at)
        for name, value, at in zip(FIELDS, told_at, told_at, strict=True)
        if value is not None
    }
    return User(user_id, profile, registered_at, deleted_at)


def _user_row(user: User) -> tuple[Any, ...]:
    told = (user.profile.get(name) for name in FIELDS)
    profile = (part for each in told for part in ((each.value, each.at) if each else (None, None)))
    return (user.user_id, *profile, user.registered_at, user.deleted_at)
