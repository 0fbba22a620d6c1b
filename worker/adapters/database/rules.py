"""Changing the rules and moving the clock: transactions that take RULES alone (design.md section 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from worker.adapters.database import engine, evaluations
from worker.adapters.database.arrays import INSTANT, TEXT, Rows
from worker.adapters.database.batch import Batch
from worker.adapters.database.decisions import Decisions, reachable
from worker.adapters.database.locks import RULES
from worker.adapters.database.schema import awards, badges, issuers, rulebook
from worker.adapters.database.statements import statement
from worker.awards import AwardState
from worker.ports import Part, Reason, RulesState, StoredBadge

_SPANS = Rows("spans", badge_id=TEXT, after=INSTANT, upto=INSTANT)


def _state(decisions: Decisions) -> RulesState:
    row = decisions.connection.execute(select(rulebook.c.version, rulebook.c.swept_to)).one()
    return RulesState(row.version, row.swept_to)


class Sweep(Batch):
    """One step of the sweep; implements ports.Sweep."""

    def begin(self) -> tuple[RulesState, datetime]:  # type: ignore[override]  # it takes RULES in another way
        """Take RULES alone; return the state of the rules and the database's clock, both read after it."""
        RULES.exclude(self.connection)
        return _state(self), engine.now(self.connection)

    def due(self, ages: Sequence[tuple[int, str]], after: datetime, upto: datetime) -> list[tuple[str, str]]:
        """Return (user, badge) for every (seconds, badge) whose age falls due in (after, upto]."""
        spans = [
            (badge_id, after - timedelta(seconds=age), upto - timedelta(seconds=age))
            for age, badge_id in ages
        ]
        sql = (
            f"SELECT u.user_id, spans.badge_id FROM {_SPANS.source(self.dialect)} "
            "JOIN users u ON u.registered_at > spans.after AND u.registered_at <= spans.upto "
            "ORDER BY u.user_id"
        )
        rows = self.connection.execute(statement(sql), _SPANS.bind(self.dialect, spans))
        return [(row.user_id, row.badge_id) for row in rows]

    def swept(self, upto: datetime) -> None:
        """Raise `swept_to`."""
        self.connection.execute(update(rulebook).values(swept_to=upto))


class RulesChange(Decisions):
    """The transaction of an `apply`; implements ports.RulesChange."""

    def begin(self) -> RulesState:
        """Take RULES alone and return their state, read after it."""
        RULES.exclude(self.connection)
        return _state(self)

    def issuers(self) -> dict[str, dict[str, Any]]:
        """Return every issuer's definition as it was stored last."""
        rows = self.connection.execute(select(issuers.c.id, issuers.c.definition))
        return {row.id: row.definition for row in rows}

    def save_issuers(self, definitions: Mapping[str, dict[str, Any]]) -> None:
        """Store these issuers in place of all others."""
        at = engine.now(self.connection)
        self.connection.execute(delete(issuers))
        if definitions:
            rows = [
                {"id": name, "definition": fields, "updated_at": at} for name, fields in definitions.items()
            ]
            self.connection.execute(insert(issuers), rows)

    def hold_issuers(self, dropped: Collection[str]) -> None:
        """Take the row at which dispatchers take turns, so that none admits anything meanwhile."""
        rows = select(issuers.c.id).where(issuers.c.id.in_(dropped)).order_by(issuers.c.id)
        self.connection.execute(rows.with_for_update())

    def unsettled(self, dropped: Collection[str]) -> dict[str, int]:
        """Count, by issuer, the awards that these issuers have yet to deal with."""
        done = (AwardState.ISSUED, AwardState.REVOKED, AwardState.EARNED)
        rows = self.connection.execute(
            select(awards.c.issuer, func.count())
            .where(awards.c.issuer.in_(dropped), awards.c.state.not_in([state.value for state in done]))
            .group_by(awards.c.issuer)
        )
        return {row[0]: row[1] for row in rows}

    def save_badge(self, badge: StoredBadge, status: str, issuer: str | None) -> None:
        """Store a new or changed badge."""
        at = engine.now(self.connection)
        values = {
            "definition": badge.definition,
            "version": badge.version,
            "status": status,
            "issuer": issuer,
            "updated_at": at,
        }
        changed = self.connection.execute(update(badges).where(badges.c.id == badge.badge_id).values(values))
        if changed.rowcount == 0:
            first = {"id": badge.badge_id, "created_at": at, "admitted_at": at}
            self.connection.execute(insert(badges).values(values | first))

    def reroute(self, badge_id: str, issuer: str | None) -> int:
        """Send unsent awards of a badge to its present issuer, `earned` ones too; return how many moved.

        One that is or may be at the old issuer (uncertain, under way, to be revoked) is left to it.
        """
        unsent = (AwardState.WAITING, AwardState.PENDING, AwardState.FAILED, AwardState.EARNED)
        fresh = AwardState.EARNED if issuer is None else AwardState.WAITING
        moved = self.connection.execute(
            update(awards)
            .where(
                awards.c.badge_id == badge_id,
                awards.c.state.in_(state.value for state in unsent),
                awards.c.issuer.is_distinct_from(issuer),
                awards.c.uncertain.is_(False),
                awards.c.assertion_id.is_(None),
            )
            .values(issuer=issuer, state=fresh.value, attempts=0, due_at=engine.now(self.connection))
        )
        if issuer is not None:
            self._wake(badge_id)
        return moved.rowcount

    def _wake(self, badge_id: str) -> None:
        """Make those pending that wait for nothing; an award ahead of its `earned_at` stays due then.

        Not only those that moved: the badge may ask for less than before.
        """
        later = "GREATEST" if self.dialect.name != "sqlite" else "MAX"
        self.connection.execute(
            statement(
                f"UPDATE awards SET state = :pending, due_at = {later}(due_at, earned_at) "
                f"WHERE badge_id = :badge_id AND state = :waiting AND {reachable(self.dialect)}"
            ),
            {
                "pending": AwardState.PENDING.value,
                "waiting": AwardState.WAITING.value,
                "badge_id": badge_id,
            },
        )

    def evaluate_later(self, badge_id: str, version: int) -> None:
        """Note durably that everybody is to be evaluated for this version of the badge."""
        evaluations.note(self.connection, badge_id, version, Reason.RULES)

    def raise_version(self, version: int) -> None:
        """Make `version` the one in force."""
        self.connection.execute(update(rulebook).values(version=version))


class Backfill(Batch):
    """Awards a few of those whom an evaluation found; implements ports.Backfill."""

    def note_found(self, part: Part, worker: int, awards: int) -> None:
        """Note how many awards this made."""
        evaluations.note_found(self.connection, part, worker, awards)
