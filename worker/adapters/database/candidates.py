"""Candidates of an evaluation: set-based, a range of users at a time, without locks (design.md section 4).

What is found here is checked again under the users' locks before anybody gets anything. Whoever has the badge
already or may not earn any is left out, so that only what is really new is worth a lock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Connection, select, text

from worker.activities import Kind
from worker.adapters.database.schema import rulebook
from worker.adapters.database.types import as_text
from worker.rules.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    LpComplete,
    LpEnroll,
    LpPassed,
    RegisteredFor,
    SocialConnection,
    SocialEngagement,
)
from worker.rules.rulebook import Rule
from worker.users import ANONYMOUS

_RANGE = "user_id > :after AND user_id <= :upto"
# The range is said again for each table: nobody shall read all of it to find a few.
_AWARDED = f"SELECT user_id FROM awards WHERE {_RANGE} AND badge_id = :badge_id"
_BARRED = f"SELECT user_id FROM users WHERE {_RANGE} AND (deleted_at IS NOT NULL OR scope = :anonymous)"
# The latest block or unblock decides, a tie blocks: who has a block with no later unblock is blocked.
_BLOCKED = (
    f"SELECT user_id FROM blocks b WHERE {_RANGE} AND blocked AND NOT EXISTS ("
    "SELECT 1 FROM blocks l WHERE l.user_id = b.user_id AND NOT l.blocked AND l.at > b.at)"
)
_LEFT_OUT = (_AWARDED, _BARRED, _BLOCKED)


def find_candidates(connection: Connection, rule: Rule, after: str, upto: str) -> list[str]:
    """Return the users after `after` up to `upto`, sorted, for whom the rule holds and who lack the badge."""
    sql, parameters = _search(connection, rule, after, upto)
    return list(connection.scalars(text(f"{sql} ORDER BY c.user_id"), parameters))


def count_candidates(connection: Connection, rule: Rule, after: str, upto: str) -> int:
    """Return how many `find_candidates` would return."""
    sql, parameters = _search(connection, rule, after, upto)
    return int(connection.scalar(text(f"SELECT count(*) FROM ({sql}) AS found"), parameters) or 0)


def _search(connection: Connection, rule: Rule, after: str, upto: str) -> tuple[str, dict[str, Any]]:
    # A statement of its own before: who comes of age between the two is the sweep's.
    swept_to = connection.scalars(select(rulebook.c.swept_to)).one()
    search = _Search(swept_to, sqlite=connection.dialect.name == "sqlite")
    holds = search.holds(rule.criterion)
    parameters = {"after": after, "upto": upto, "badge_id": rule.badge_id, "anonymous": ANONYMOUS}
    left_out = (f"NOT EXISTS (SELECT 1 FROM ({each}) AS o WHERE o.user_id = c.user_id)" for each in _LEFT_OUT)
    return (
        f"SELECT c.user_id FROM ({holds}) AS c WHERE {' AND '.join(left_out)}",
        parameters | search.parameters,
    )


class _Search:
    """Puts together the query for whom a criterion holds, with its parameters; each user once."""

    def __init__(self, swept_to: datetime, *, sqlite: bool) -> None:
        self.parameters: dict[str, Any] = {}
        self._swept_to = swept_to
        self._sqlite = sqlite
        self._names = count(1)

    def holds(self, criterion: Criterion) -> str:
        """Return the query."""
        match criterion:
            case AllOf():
                return self._together(" INTERSECT ", criterion.criteria)
            case AnyOf():
                return self._together(" UNION ", criterion.criteria)
            case LpEnroll() | LpComplete() | LpPassed():
                return self._about(criterion.kind, criterion.learning_path_id)
            case RegisteredFor():
                return self._of_age(criterion.threshold)
            case SocialConnection() if criterion.period is not None:
                return self._within(criterion.kind, criterion.threshold, criterion.period)
            case SocialConnection() | SocialEngagement():
                return self._enough(criterion.kind, criterion.threshold)

    def _together(self, word: str, criteria: tuple[Criterion, ...]) -> str:
        # Each in a query of its own: SQLite takes no parentheses between the parts.
        parts = (f"SELECT user_id FROM ({self.holds(each)}) AS {self._name()}" for each in criteria)
        return word.join(parts)

    def _about(self, kind: Kind, object_id: str) -> str:
        return (
            f"SELECT user_id FROM activities WHERE {_RANGE} AND kind = '{kind.value}' "
            f"AND object_id = {self._bind(object_id)} AND counted_at IS NOT NULL"
        )

    def _enough(self, kind: Kind, threshold: int) -> str:
        return (
            f"SELECT user_id FROM counts WHERE {_RANGE} AND kind = '{kind.value}' AND value >= {threshold:d}"
        )

    def _of_age(self, threshold: int) -> str:
        born = self._instant(self._swept_to - timedelta(seconds=threshold))
        return f"SELECT user_id FROM users WHERE {_RANGE} AND registered_at <= {born}"

    def _within(self, kind: Kind, threshold: int, period: int) -> str:
        """Look back from each activity to the one that makes it `threshold`; who has it near enough holds.

        Asking first who has enough at all costs more: the index has everything else in this order already.
        """
        back = f"lag(counted_at, {threshold - 1:d}) OVER (PARTITION BY user_id ORDER BY counted_at)"
        return (
            "SELECT DISTINCT user_id FROM ("
            f"SELECT user_id, counted_at, {back} AS earlier FROM activities "
            f"WHERE {_RANGE} AND kind = '{kind.value}' AND counted_at IS NOT NULL"
            f") AS {self._name()} WHERE {self._near('earlier', 'counted_at', period)}"
        )

    def _near(self, one: str, other: str, period: int) -> str:
        if self._sqlite:
            return f"{_microseconds(other)} - {_microseconds(one)} <= {period * 1_000_000:d}"
        return f"{other} - {one} <= {self._bind(timedelta(seconds=period))}"

    def _instant(self, at: datetime) -> str:
        return self._bind(as_text(at) if self._sqlite else at)

    def _bind(self, value: object) -> str:
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def _name(self) -> str:
        return f"part_{next(self._names)}"


def _microseconds(column: str) -> str:
    """Return SQLite's reading of an instant as text, to the microsecond: its own functions round."""
    return f"(unixepoch(substr({column}, 1, 19)) * 1000000 + substr({column}, 21, 6))"
