"""The database's side of one call: freeze the address, fence the sending, record the end (design.md 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.adapters.database import engine, revoking
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.revoking import REVOKING, release
from worker.adapters.database.schema import awards, badges, recipients, users
from worker.awards import AwardState, Ending, LeasedAward
from worker.errors import LeaseLost

_ISSUING = AwardState.ISSUING.value
# RFC 5321, section 4.5.3.1: 64 before the @ and 255 behind it. No index holds what anybody may write there.
_LONGEST_ADDRESS = 320
_PENDING = AwardState.PENDING
_ELSEWHERE = "goes to another issuer"


def prepare(connection: Connection, lease_id: str) -> tuple[list[LeasedAward], list[str]]:
    """Freeze address and badge class of the unsent awards of a lease; return them, and whose wait again.

    Lower case, because the provider compares the address as sent with what it stored in lower case
    (facts/badgr-api.md 1.5). One address is one person of a badge over there: the first user has it.
    """
    rows = _leased(connection, lease_id)
    ready, ended = [], dict[str, Ending]()
    for row in rows:
        address = row.recipient or _text(row.email).lower()
        if (hindrance := _hindrance(row, address)) is not None:
            ended[row.user_id] = hindrance
        elif (other := _claim(connection, row, address)) != row.user_id:
            ended[row.user_id] = _taken(other)
        else:
            ready.append(_ready(row, address))
    ready = _of_one_badgeclass(ready, rows, ended)
    _freeze(connection, ready)
    if ended:
        end(connection, lease_id, ended)
    waiting = [user_id for user_id, ending in ended.items() if ending.state is AwardState.WAITING]
    return ready, waiting


def _leased(connection: Connection, lease_id: str) -> Sequence[Row[Any]]:
    return connection.execute(
        select(awards, users.c.email, users.c.first_name, users.c.last_name, badges.c.definition)
        .join(users, users.c.user_id == awards.c.user_id)
        .join(badges, badges.c.id == awards.c.badge_id)
        .where(awards.c.lease_id == lease_id, awards.c.state == _ISSUING, awards.c.sent_at.is_(None))
        .order_by(awards.c.user_id)
        .with_for_update(of=awards)
    ).all()


def _hindrance(row: Row[Any], address: str) -> Ending | None:
    """Return how an award ends that cannot go out as it is, or None."""
    if not row.uncertain and (moved_on := _moved_on(row)) is not None:
        return moved_on
    if (missing := _missing(row, address)) is not None:
        return Ending(AwardState.WAITING, f"waits for {missing}")
    if len(address) > _LONGEST_ADDRESS:
        words = f"the address of this user has {len(address)} characters"
        return Ending(AwardState.FAILED, "refused", words, tried=True)
    return None


def _moved_on(row: Row[Any]) -> Ending | None:
    """Return the end for an unsent award that is to be revoked, or whose badge changed its issuer."""
    issue = row.definition.get("issue")
    if row.revoke_reason is not None:
        return Ending(AwardState.PENDING, "not sent")
    if issue is None:
        return Ending(AwardState.EARNED, _ELSEWHERE, reroute=True)
    if issue["issuer"] != row.issuer:
        return Ending(AwardState.PENDING, _ELSEWHERE, issuer=issue["issuer"], reroute=True)
    return None


def _missing(row: Row[Any], address: str) -> str | None:
    """Return what is not known yet that the issuer needs; an uncertain award is only looked up."""
    if not address:
        return "an address"
    template = not row.uncertain and row.definition["issue"].get("template")
    return "both names" if template and not (_text(row.first_name) and _text(row.last_name)) else None


def _ready(row: Row[Any], address: str) -> LeasedAward:
    issue = row.definition.get("issue")
    badgeclass = row.badgeclass or issue.get("template") or issue["badgeclass"]
    names = (_text(row.first_name) or None, _text(row.last_name) or None)
    return LeasedAward(row.user_id, row.badge_id, row.earned_at, address, badgeclass, row.attempts, *names)


def _of_one_badgeclass(
    ready: list[LeasedAward], rows: Sequence[Row[Any]], ended: dict[str, Ending]
) -> list[LeasedAward]:
    """Return the awards of the first one's badge class; the others go with another call.

    One call names one badge class, and awards that are looked up may be frozen at an earlier one.
    """
    others = {award.user_id for award in ready if award.badgeclass != ready[0].badgeclass}
    for row in rows:
        if row.user_id in others:
            words = row.last_error
            ended[row.user_id] = Ending(_PENDING, "goes with another call", words, uncertain=row.uncertain)
    return [award for award in ready if award.user_id not in others]


def _text(value: str | None) -> str:
    return (value or "").strip()


def _taken(other: str) -> Ending:
    words = f"the address of this user is that of user {other}, who has this badge already"
    return Ending(AwardState.FAILED, "refused", words, tried=True)


def _claim(connection: Connection, row: Row[Any], address: str) -> str:
    """Claim the address for this user of the badge, and return whose it is."""
    dialect = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    claim = dialect(recipients).values(badge_id=row.badge_id, recipient=address, user_id=row.user_id)
    # The update changes nothing; it answers with the owner, who may be gone before another statement asks.
    statement = claim.on_conflict_do_update(
        index_elements=[recipients.c.badge_id, recipients.c.recipient],
        set_={"user_id": recipients.c.user_id},
    )
    owner: str = connection.execute(statement.returning(recipients.c.user_id)).scalar_one()
    return owner


def _freeze(connection: Connection, ready: Sequence[LeasedAward]) -> None:
    for award in ready:
        connection.execute(
            update(awards)
            .where(awards.c.user_id == award.user_id, awards.c.badge_id == award.badge_id)
            .values(recipient=award.recipient, badgeclass=award.badgeclass)
        )


def mark_sent(
    connection: Connection, lease_id: str, expected: int, deadline: float, before: datetime | None
) -> datetime:
    """Mark the awards of a lease as sent now, if all of them are still ours; return that instant.

    Raises LeaseLost otherwise. The lease must outlast the call's total deadline, or somebody else could take
    the award up while our call is still under way.
    """
    _lock(connection, lease_id)
    at = engine.now(connection)
    marked = connection.execute(
        update(awards)
        .where(
            awards.c.lease_id == lease_id,
            awards.c.state.in_((_ISSUING, REVOKING)),
            or_(awards.c.sent_at.is_(None), awards.c.sent_at == before),
            awards.c.lease_until >= at + timedelta(seconds=deadline),
        )
        .values(sent_at=at)
        .returning(awards.c.user_id, awards.c.badge_id, awards.c.state)
    ).all()
    if len(marked) != expected:
        raise LeaseLost(f"lease {lease_id}: {len(marked)} of {expected} awards are still ours")
    what = {_ISSUING: "sent", REVOKING: "revocation sent"}
    write_history(connection, [Entry(row.user_id, row.badge_id, at, what[row.state]) for row in marked])
    return at


def ever_called(connection: Connection, issuer: str) -> bool:
    """Return whether an award of this issuer was ever sent, or may have been."""
    sent = or_(awards.c.sent_at.is_not(None), awards.c.attempts > 0, awards.c.assertion_id.is_not(None))
    found = connection.execute(select(awards.c.user_id).where(awards.c.issuer == issuer, sent).limit(1))
    return found.first() is not None


def _lock(connection: Connection, lease_id: str) -> None:
    """Lock the awards of a lease in the order in which everybody does; an update has an order of its own."""
    mine = select(awards.c.user_id).where(awards.c.lease_id == lease_id)
    connection.execute(mine.order_by(awards.c.user_id, awards.c.badge_id).with_for_update())


def end(connection: Connection, lease_id: str, endings: Mapping[str, Ending]) -> None:
    """Record how the awards of a lease ended, by user.

    An award that the lease lost to somebody else is left alone. One that nobody has taken up since is still
    ours to end: its answer came late, but it came.
    """
    at = engine.now(connection)
    ours = and_(
        awards.c.lease_id == lease_id,
        awards.c.state.in_((_ISSUING, AwardState.PENDING.value)),
        awards.c.user_id.in_(endings),
    )
    rows = connection.execute(
        select(
            awards.c.user_id, awards.c.badge_id, awards.c.issuer, awards.c.attempts, awards.c.revoke_reason
        )
        .where(ours)
        .order_by(awards.c.user_id, awards.c.badge_id)
        .with_for_update()
    ).all()
    endings = {**endings, **_linked_elsewhere(connection, rows, endings)}
    for row in rows:
        _end(connection, row, revoking.instead(endings[row.user_id], row.revoke_reason), at)
    write_history(connection, [entry for row in rows for entry in _entries(row, endings[row.user_id], at)])


def _linked_elsewhere(
    connection: Connection, rows: Sequence[Any], endings: Mapping[str, Ending]
) -> dict[str, Ending]:
    """Return how awards end whose assertion is another award's already: a badge's id was changed, say.

    One assertion is one award's. Linking it twice would undo the ends of all others in the call as well.
    """
    found = {
        ending.assertion.assertion_id: row
        for row in rows
        if (ending := endings[row.user_id]).assertion is not None
    }
    if not found:
        return {}
    holders = connection.execute(
        select(awards.c.user_id, awards.c.badge_id, awards.c.issuer, awards.c.assertion_id).where(
            awards.c.assertion_id.in_(found)
        )
    )
    return {
        row.user_id: Ending(AwardState.FAILED, "refused", _linked_to(held), tried=True)
        for held in holders
        if (row := found[held.assertion_id]).issuer == held.issuer
        and (row.user_id, row.badge_id) != (held.user_id, held.badge_id)
    }


def _linked_to(held: Any) -> str:
    return f"the provider's assertion is linked to badge {held.badge_id} of user {held.user_id} already"


def _entries(row: Any, ending: Ending, at: datetime) -> list[Entry]:
    ended = Entry(row.user_id, row.badge_id, at, ending.what, _detail(ending))
    return [ended, *revoking.follow_up(row, ending, at)]


def _end(connection: Connection, row: Any, ending: Ending, at: datetime) -> None:
    values: dict[str, Any] = {
        "state": ending.state.value,
        "lease_id": None,
        "lease_until": None,
        "uncertain": ending.uncertain,
        "due_at": at + timedelta(seconds=ending.wait),
        "last_error": ending.words,
        "attempts": row.attempts + ending.tried,
    }
    if ending.assertion is not None:
        values["assertion_id"] = ending.assertion.assertion_id
        values["assertion_url"] = ending.assertion.url
        values["issued_at"] = at
    if ending.reroute:
        values["issuer"] = ending.issuer
    connection.execute(
        update(awards)
        .where(awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
        .values(values)
    )
    if not ending.keep_address:
        release(connection, row)


def _detail(ending: Ending) -> dict[str, Any]:
    detail: dict[str, Any] = {}
    if ending.words:
        detail["words"] = ending.words
    if ending.assertion is not None:
        detail["assertion_id"] = ending.assertion.assertion_id
    return detail


def hand_back(connection: Connection, lease_id: str) -> None:
    """Make the unsent awards of a lease due again at once; no attempt is counted.

    An uncertain one stays uncertain, with its address: it has not been looked up.
    """
    _lock(connection, lease_id)
    at = engine.now(connection)
    revoking.hand_back(connection, lease_id, at)
    ours = (awards.c.lease_id == lease_id, awards.c.state == _ISSUING, awards.c.sent_at.is_(None))
    # What is released is what was handed back, as the one statement says: an award may be sent just now.
    rows = connection.execute(
        update(awards)
        .where(*ours)
        .values(state=AwardState.PENDING.value, lease_id=None, lease_until=None, due_at=at)
        .returning(awards.c.user_id, awards.c.badge_id, awards.c.uncertain, awards.c.revoke_reason)
    ).all()
    certain = [row for row in rows if not row.uncertain]
    for row in certain:
        release(connection, row)
    revoking.carry_out(connection, certain, at)
