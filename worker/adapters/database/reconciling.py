"""The database's side of reconciling: what our awards say, and mending them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.adapters.database import engine
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.revoking import release
from worker.adapters.database.schema import awards, badges, recipients, reconciliations, users
from worker.awards import OPERATOR, AwardState
from worker.comparison import Held, Standing

_SAYS = (
    awards.c.user_id,
    awards.c.badge_id,
    awards.c.state,
    awards.c.earned_at,
    awards.c.assertion_id,
    awards.c.recipient,
    awards.c.badgeclass,
    awards.c.uncertain,
)


class Books:
    """Implements ports.Books. Every method is one transaction."""

    def __init__(self, bound_to: Engine) -> None:
        self._engine = bound_to

    # What we have

    def now(self) -> datetime:
        """Return the database's clock."""
        with engine.reading(self._engine) as connection:
            return engine.now(connection)

    def badgeclasses(self, issuer: str) -> dict[str, str]:
        """Return the badge of each badge class of this issuer, those included that awards were sent to."""
        frozen = select(awards.c.badgeclass, awards.c.badge_id).where(
            awards.c.issuer == issuer, awards.c.badgeclass.is_not(None)
        )
        with engine.reading(self._engine) as connection:
            sent_to = {row.badgeclass: row.badge_id for row in connection.execute(frozen.distinct())}
            rows = connection.execute(select(badges.c.id, badges.c.definition).order_by(badges.c.id)).all()
        issued = [(row.id, row.definition.get("issue")) for row in rows]
        return sent_to | {
            issue.get("template") or issue["badgeclass"]: badge_id
            for badge_id, issue in issued
            if issue and issue["issuer"] == issuer
        }

    def changed_to(self, issuer: str) -> datetime | None:
        """Return up to which change nothing was left to mend."""
        statement = select(reconciliations.c.changed_to).where(reconciliations.c.issuer == issuer)
        with engine.reading(self._engine) as connection:
            return connection.scalar(statement)

    def note(self, issuer: str, changed_to: datetime) -> None:
        """Note that nothing is left to mend up to this change."""
        with engine.transaction(self._engine) as connection:
            values = {"changed_to": changed_to, "at": engine.now(connection)}
            insert = _insert(connection, reconciliations).values(issuer=issuer, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["issuer"], set_=values))

    def linked(self, issuer: str, assertion_ids: Sequence[str]) -> dict[str, Standing]:
        """Return the awards that are linked to these assertions."""
        statement = select(*_SAYS).where(awards.c.issuer == issuer, awards.c.assertion_id.in_(assertion_ids))
        with engine.reading(self._engine) as connection:
            return {row.assertion_id: _standing(row) for row in connection.execute(statement)}

    def holders(self, badge_id: str, addresses: Sequence[str]) -> dict[str, Standing]:
        """Return whose these addresses are and where they stand with the badge.

        An address belongs to the user to whom it was sent; else to one who has it now: first of all to one
        with an award that is still to be linked, then to one with any award.
        """
        with engine.reading(self._engine) as connection:
            sent = _sent_to(connection, badge_id, addresses)
            return _who_have(connection, badge_id, [each for each in addresses if each not in sent]) | sent

    def issued(
        self, issuer: str, before: datetime, after: tuple[str, str] | None, limit: int
    ) -> list[Standing]:
        """Return awards that were issued before an instant, in the order of (user, badge) after `after`.

        Among them are those whose revocation failed: perhaps because there is nothing to be revoked.
        """
        key = tuple_(awards.c.user_id, awards.c.badge_id)
        statement = select(*_SAYS).where(
            awards.c.issuer == issuer,
            awards.c.state.in_((AwardState.ISSUED.value, AwardState.FAILED.value)),
            awards.c.assertion_id.is_not(None),
            awards.c.issued_at < before,
        )
        if after is not None:
            statement = statement.where(key > tuple_(*after))
        statement = statement.order_by(awards.c.user_id, awards.c.badge_id).limit(limit)
        with engine.reading(self._engine) as connection:
            return [_standing(row) for row in connection.execute(statement)]

    # Mending. Each says whether the award was still as it was compared.

    def adopt(self, issuer: str, award: Standing, held: Held) -> bool:
        """Link an award to an assertion of this issuer: one not sent, or whose own assertion is lost.

        What somebody asked to be revoked meanwhile is to be revoked.
        """
        assertion = held.assertion
        values: dict[str, Any] = {
            "state": AwardState.ISSUED.value,
            "issuer": issuer,
            "assertion_id": assertion.assertion_id,
            "assertion_url": assertion.url,
            "recipient": assertion.recipient,
            "badgeclass": held.badgeclass,
            "uncertain": False,
            "last_error": None,
        }
        detail = {"assertion_id": assertion.assertion_id}
        with engine.transaction(self._engine) as connection:
            if not _is_as_compared(connection, award):
                return False
            if _is_linked(connection, issuer, assertion.assertion_id):
                return False
            if not _is_theirs(connection, award, assertion.recipient):
                return False
            values["issued_at"] = engine.now(connection)
            _change(connection, award, values, "found and adopted", detail)
            _revoke_if_asked(connection, award)
            return True

    def lose(self, award: Standing) -> bool:
        """Let an award be issued again whose assertion is lost; one that was to be revoked is revoked."""
        if award.state is AwardState.FAILED:
            return self._nothing_left(award)
        values: dict[str, Any] = {
            "state": AwardState.PENDING.value,
            "assertion_id": None,
            "assertion_url": None,
            "issued_at": None,
            "uncertain": False,
            "attempts": 0,
        }
        detail = {"assertion_id": award.assertion_id}
        with engine.transaction(self._engine) as connection:
            if not _is_as_compared(connection, award):
                return False
            values["due_at"] = max(engine.now(connection), award.earned_at or engine.now(connection))
            release(connection, award)
            return _change(connection, award, values, "lost by the provider; to be issued again", detail)

    def _nothing_left(self, award: Standing) -> bool:
        values = {"state": AwardState.REVOKED.value, "last_error": None}
        detail = {"assertion_id": award.assertion_id}
        with engine.transaction(self._engine) as connection:
            if not _is_as_compared(connection, award):
                return False
            release(connection, award)
            return _change(connection, award, values, "lost by the provider; nothing to revoke", detail)

    def revoked_there(self, award: Standing, reason: str) -> bool:
        """Note that an award was revoked by somebody else."""
        values = {"state": AwardState.REVOKED.value, "revoke_reason": reason, "last_error": None}
        with engine.transaction(self._engine) as connection:
            if not _is_as_compared(connection, award):
                return False
            release(connection, award)
            return _change(connection, award, values, "revoked over there", {"reason": reason})

    def revoke_again(self, award: Standing) -> bool:
        """Let a revoked award be revoked at the provider."""
        with engine.transaction(self._engine) as connection:
            if not _is_as_compared(connection, award):
                return False
            values = {
                "state": AwardState.REVOKING.value,
                "revoke_reason": func.coalesce(awards.c.revoke_reason, "revoked"),
                "due_at": engine.now(connection),
                "lease_until": None,
                "attempts": 0,
            }
            return _change(connection, award, values, "to be revoked", {"why": "it is still good over there"})


def _insert(connection: Connection, table: Any) -> Any:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)


def _standing(row: Any) -> Standing:
    """Return what the columns of _SAYS say; more may follow them."""
    user_id, badge_id, state, *rest = row[: len(_SAYS)]
    return Standing(user_id, badge_id, None if state is None else AwardState(state), *rest)


def _sent_to(connection: Connection, badge_id: str, addresses: Sequence[str]) -> dict[str, Standing]:
    rows = connection.execute(
        select(*_SAYS, recipients.c.recipient.label("address"))
        .join(
            recipients,
            (recipients.c.user_id == awards.c.user_id) & (recipients.c.badge_id == awards.c.badge_id),
        )
        .where(recipients.c.badge_id == badge_id, recipients.c.recipient.in_(addresses))
    )
    return {row.address: _standing(row) for row in rows}


def _who_have(connection: Connection, badge_id: str, addresses: Sequence[str]) -> dict[str, Standing]:
    if not addresses:
        return {}
    address = func.lower(func.trim(users.c.email))
    held = (awards.c.user_id == users.c.user_id) & (awards.c.badge_id == badge_id)
    rows = connection.execute(
        select(users.c.user_id, literal(badge_id).label("badge_id"), *_SAYS[2:], address.label("address"))
        .join(awards, held, isouter=True)
        .where(address.in_(addresses))
        .order_by(awards.c.state.is_(None).desc(), _can_be_linked(), users.c.user_id.desc())
    )
    return {row.address: _standing(row) for row in rows}


def _can_be_linked() -> Any:
    states = [AwardState.WAITING, AwardState.PENDING, AwardState.ISSUING, AwardState.FAILED]
    return awards.c.state.in_([each.value for each in states]) & awards.c.assertion_id.is_(None)


def _is_as_compared(connection: Connection, award: Standing) -> bool:
    """Lock the award and say whether nobody has touched it since."""
    row = connection.execute(
        select(awards.c.state, awards.c.assertion_id, awards.c.uncertain)
        .where(awards.c.user_id == award.user_id, awards.c.badge_id == award.badge_id)
        .with_for_update()
    ).one()
    return tuple(row) == (award.state, award.assertion_id, award.uncertain)


def _is_linked(connection: Connection, issuer: str, assertion_id: str) -> bool:
    mine = (awards.c.issuer == issuer, awards.c.assertion_id == assertion_id)
    return connection.execute(select(awards.c.user_id).where(*mine)).first() is not None


def _is_theirs(connection: Connection, award: Standing, address: str) -> bool:
    """Claim the address for this user of the badge; say whether nobody else has it."""
    claim = {"badge_id": award.badge_id, "recipient": address, "user_id": award.user_id}
    connection.execute(_insert(connection, recipients).values(claim).on_conflict_do_nothing())
    owner = connection.scalar(
        select(recipients.c.user_id).where(
            recipients.c.badge_id == award.badge_id, recipients.c.recipient == address
        )
    )
    return bool(owner == award.user_id)


def _revoke_if_asked(connection: Connection, award: Standing) -> None:
    """Let an award that was just linked be revoked, if somebody has asked for it."""
    mine = (awards.c.user_id == award.user_id, awards.c.badge_id == award.badge_id)
    reason = connection.scalar(select(awards.c.revoke_reason).where(*mine))
    if reason is not None:
        values = {"state": AwardState.REVOKING.value, "due_at": engine.now(connection), "attempts": 0}
        _change(connection, award, values, "to be revoked", {"reason": reason})


def _change(
    connection: Connection, award: Standing, values: dict[str, Any], what: str, detail: dict[str, Any]
) -> bool:
    at = engine.now(connection)
    connection.execute(
        update(awards)
        .where(awards.c.user_id == award.user_id, awards.c.badge_id == award.badge_id)
        .values(values | {"lease_id": None})
    )
    write_history(connection, [Entry(award.user_id, award.badge_id, at, what, detail, OPERATOR)])
    return True
