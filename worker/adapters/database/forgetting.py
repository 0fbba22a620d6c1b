"""Forgetting a person: one short transaction alone with the rules, in which all that is theirs goes.

Alone with the rules no batch is in flight: whoever comes after reads that somebody was forgotten. Everything
is found by a key: what a person's connections name is in their own rows, since both sides are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from worker.activities import Kind
from worker.adapters.database import asking, engine
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.locks import RULES
from worker.adapters.database.schema import (
    activities,
    award_history,
    awards,
    blocks,
    counts,
    evaluation_parts,
    evaluations,
    forgotten,
    recipients,
    rulebook,
    users,
)
from worker.awards import OPERATOR, AwardState, RevocationAnswer, Which
from worker.errors import ConfigurationError
from worker.people import Gone, Person, Traces, Unsettled, pseudonym

_KEPT = frozenset({"assertion_id", "earned_at", "version"})  # of a history's details: the rest is words
_ALL = 1_000_000  # awards of one person
_CONNECTED = Kind.CONNECTED.value


def person(connection: Connection, user_id: str) -> Person | None:
    """Return a user with all by which texts may name them."""
    row = connection.execute(select(users).where(users.c.user_id == user_id)).one_or_none()
    if row is None:
        return None
    frozen = connection.scalars(
        select(awards.c.recipient).where(awards.c.user_id == user_id, awards.c.recipient.is_not(None))
    )
    addresses = {address.strip().lower() for address in (row.email, *frozen) if address and address.strip()}
    return Person(user_id, frozenset(addresses), (row.uuid or "").strip() or None)


def is_forgotten(connection: Connection, hash_of_user: str) -> bool:
    """Return whether this hash is kept of somebody."""
    return connection.scalar(select(forgotten.c.hash).where(forgotten.c.hash == hash_of_user)) is not None


def forget(
    connection: Connection, who: Person, hash_of_user: str, fingerprint: str, reason: str | None
) -> Gone | None:
    """Let a person's data go; None if they are gone already. Raises Unsettled: then nothing is to be kept."""
    RULES.exclude(connection)
    mine = select(users.c.user_id).where(users.c.user_id == who.user_id)
    if connection.scalar(mine.with_for_update()) is None:
        return None
    _remember(connection, hash_of_user, fingerprint)
    _lock_awards(connection, who.user_id)
    stands_in = pseudonym(hash_of_user)
    asked = asking.ask(connection, Which(None, (who.user_id,)), reason, None, _ALL) if reason else []
    kept, deleted = _end_awards(connection, who, stands_in)
    connections = _rename_for_others(connection, who.user_id, stands_in)
    gone = [
        connection.execute(delete(table).where(table.c.user_id == who.user_id)).rowcount
        for table in (activities, blocks, counts, recipients)
    ]
    _step_back(connection, who.user_id)
    connection.execute(delete(users).where(users.c.user_id == who.user_id))
    queued = sum(each.answer is RevocationAnswer.QUEUED for each in asked)
    return Gone(gone[0], gone[1], connections, kept, deleted, queued)


def _remember(connection: Connection, hash_of_user: str, fingerprint: str) -> None:
    """Keep the hash and say to consumers that there is one more; raises ConfigurationError by another key."""
    number = connection.scalars(select(rulebook.c.forgotten)).one()
    if number and not is_forgotten(connection, fingerprint):
        raise ConfigurationError(
            "BADGE_WORKER_SECRET_KEY: not the one by which people were forgotten before; nothing was changed"
        )
    for each in {hash_of_user, fingerprint}:
        if not is_forgotten(connection, each):
            connection.execute(insert(forgotten).values(hash=each))
    connection.execute(update(rulebook).values(forgotten=number + 1))


# Awards


def _lock_awards(connection: Connection, user_id: str) -> None:
    """Lock all awards that will change, in the order in which everybody does: the dispatcher is at work."""
    people = _partners(user_id).union(select(literal(user_id, Text)))
    mine = select(awards.c.user_id).where(awards.c.user_id.in_(people))
    connection.execute(mine.order_by(awards.c.user_id, awards.c.badge_id).with_for_update())


def _partners(user_id: str) -> Select[Any]:
    """Return the query for whom the user is or was connected with: both sides of a connection are kept."""
    return select(activities.c.object_id).where(
        activities.c.user_id == user_id, activities.c.kind == _CONNECTED
    )


def _end_awards(connection: Connection, who: Person, stands_in: str) -> tuple[int, int]:
    """Put awards that the provider has under the pseudonym, delete the others; return how many of both.

    What was never sent can never be: the address is gone. What is being sent, or may be there, is settled
    first: by its address and by its user.
    """
    rows = connection.execute(
        select(awards).where(awards.c.user_id == who.user_id).order_by(awards.c.badge_id)
    ).all()
    open_ones = [row.badge_id for row in rows if row.state == AwardState.ISSUING or row.uncertain]
    if open_ones:
        raise Unsettled(_unsettled(who.user_id, open_ones))
    kept = [row for row in rows if row.assertion_id is not None]
    _rewrite_histories(connection, who.user_id, stands_in, {row.badge_id for row in kept})
    for row in kept:
        _put_under(connection, row, who, stands_in)
    connection.execute(delete(awards).where(awards.c.user_id == who.user_id))
    at = engine.now(connection)
    write_history(connection, [Entry(stands_in, row.badge_id, at, "forgotten", {}, OPERATOR) for row in kept])
    return len(kept), len(rows) - len(kept)


def _unsettled(user_id: str, badge_ids: Sequence[str]) -> str:
    return (
        f"user {user_id}: nothing was changed, because the award of {', '.join(badge_ids)} is being sent, or "
        "it is not known yet whether the provider has it. The task workers find that out, in about two "
        "minutes; forget the user then. One that is `failed` is looked up by `badge-worker awards retry`"
    )


def _put_under(connection: Connection, row: Row[Any], who: Person, stands_in: str) -> None:
    under_way = row.state == AwardState.REVOKING and row.revoke_reason is not None
    reason = Traces(who, stands_in).out_of(row.revoke_reason) if under_way else None
    connection.execute(
        update(awards)
        .where(awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
        .values(user_id=stands_in, because=[], recipient=None, last_error=None, revoke_reason=reason)
    )


def _rewrite_histories(connection: Connection, user_id: str, stands_in: str, kept: set[str]) -> None:
    """Keep what happened and when, without the words that were said; of deleted awards keep nothing."""
    mine = award_history.c.user_id == user_id
    rows = connection.execute(select(award_history).where(mine)).mappings().all()
    connection.execute(delete(award_history).where(mine))
    rewritten = [
        {
            **row,
            "user_id": stands_in,
            "detail": {name: value for name, value in row["detail"].items() if name in _KEPT},
        }
        for row in rows
        if row["badge_id"] in kept
    ]
    if rewritten:
        connection.execute(insert(award_history), rewritten)


# Others


def _rename_for_others(connection: Connection, user_id: str, stands_in: str) -> int:
    """Let others' connections, and what their awards rest on, name the pseudonym; their counts stay."""
    partners = _partners(user_id)
    theirs = and_(awards.c.user_id.in_(partners), awards.c.user_id != user_id)
    rows = connection.execute(select(awards.c.user_id, awards.c.badge_id, awards.c.because).where(theirs))
    for row in rows.all():
        because = [_renamed(each, user_id, stands_in) for each in row.because]
        if because != row.because:
            same = (awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
            connection.execute(update(awards).where(*same).values(because=because))
    return connection.execute(
        update(activities)
        .where(
            activities.c.user_id.in_(partners),
            activities.c.kind == _CONNECTED,
            activities.c.object_id == user_id,
        )
        .values(object_id=stands_in)
    ).rowcount


def _renamed(reason: dict[str, str], user_id: str, stands_in: str) -> dict[str, str]:
    named = reason.get("kind") == _CONNECTED and reason.get("object") == user_id
    return {**reason, "object": stands_in} if named else reason


def _step_back(connection: Connection, user_id: str) -> None:
    """Let evaluations that came as far as this user have come as far as the one before: it is the same.

    Where a part begins there already it stays: the next claim moves on.
    """
    before = connection.scalar(select(func.max(users.c.user_id)).where(users.c.user_id < user_id)) or ""
    parts = evaluation_parts.c
    begins: ColumnElement[bool] = (
        select(parts.after)
        .where(
            parts.badge_id == evaluations.c.badge_id,
            parts.version == evaluations.c.version,
            parts.after == before,
        )
        .exists()
    )
    came = (evaluations.c.position == user_id, ~begins)
    connection.execute(update(evaluations).where(*came).values(position=before))
    connection.execute(update(evaluation_parts).where(parts.upto == user_id).values(upto=before))
