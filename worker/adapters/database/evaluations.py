"""Everybody's evaluations: noted, shared out in parts and ended (design.md section 4).

Lock order: an evaluation, then its parts. Whoever awards locks its part last of all.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from worker.adapters.database import engine
from worker.adapters.database.alone import is_free
from worker.adapters.database.schema import badges, evaluation_parts, evaluations, users
from worker.ports import Close, Evaluation, Part, Reason

_COLUMNS = [evaluations.c[name] for name in ("badge_id", "version", "reason", "people", "looked_at", "found")]
_FRESH = {"position": "", "people": 0, "looked_at": 0, "found": 0}


def under_way(connection: Connection) -> list[Evaluation]:
    """Return the evaluations that are not over: those of new rules first, those of the night last."""
    order = [evaluations.c.reason == Reason.NIGHTLY.value, evaluations.c.started_at, evaluations.c.badge_id]
    rows = connection.execute(select(*_COLUMNS).where(evaluations.c.finished_at.is_(None)).order_by(*order))
    return [_evaluation(row) for row in rows]


def note(connection: Connection, badge_id: str, version: int, reason: Reason) -> None:
    """Note that everybody is to be evaluated for a version of a badge that nobody was evaluated for."""
    values = {"badge_id": badge_id, "version": version, "reason": reason.value, **_FRESH}
    connection.execute(insert(evaluations).values(**values, started_at=engine.now(connection)))


def note_all(
    connection: Connection, reason: Reason, badge_ids: Collection[str] | None, since: datetime | None
) -> list[Evaluation]:
    """Note it for these (or all) published badges, and return what is under way for them.

    What began at `since` or later is left as it is.
    """
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    wanted = select(
        badges.c.id,
        badges.c.version,
        literal(reason.value),
        *(literal(value) for value in _FRESH.values()),
        literal(engine.now(connection), evaluations.c.started_at.type),
    ).where(badges.c.status == "published")
    if badge_ids is not None:
        wanted = wanted.where(badges.c.id.in_(badge_ids))
    columns = ["badge_id", "version", "reason", *_FRESH, "started_at"]
    noted = make(evaluations).from_select(columns, wanted.order_by(badges.c.id))
    over = evaluations.c.finished_at.is_not(None)
    again = over if since is None else and_(over, evaluations.c.started_at < since)
    fresh: dict[str, Any] = {name: noted.excluded[name] for name in ("reason", *_FRESH, "started_at")}
    connection.execute(
        noted.on_conflict_do_update(
            index_elements=["badge_id", "version"], set_=fresh | {"finished_at": None}, where=again
        )
    )
    chosen = None if badge_ids is None else set(badge_ids)
    return [each for each in under_way(connection) if chosen is None or each.badge_id in chosen]


def claim(connection: Connection, evaluation: Evaluation, worker: int, people: int) -> Part | None:
    """Take the next part, or one of a worker that is dead; None if there is neither."""
    row = connection.execute(_locked(evaluation)).one()
    if row.finished_at is not None:
        return None
    if row.position == "":  # here and not where it is noted: an `apply` keeps consumers waiting
        connection.execute(_of(evaluation, people=count_people(connection)))
        # A program of the release before, which knows of no parts, may have ended the last one over theirs.
        connection.execute(delete(evaluation_parts).where(*_parts_of(evaluation)))
    size, upto = people_after(connection, row.position, people)
    if size == 0:
        return _inherit(connection, evaluation, worker)
    connection.execute(
        insert(evaluation_parts).values(
            badge_id=evaluation.badge_id,
            version=evaluation.version,
            after=row.position,
            upto=upto,
            people=size,
            found=0,
            worked_on_by=worker,
        )
    )
    connection.execute(_of(evaluation, position=upto))
    return Part(evaluation, row.position, upto, size)


def _inherit(connection: Connection, evaluation: Evaluation, worker: int) -> Part | None:
    """Take over a part whose worker died. It is done from its beginning: awards are made once only."""
    parts = evaluation_parts.c
    rows = connection.execute(
        select(evaluation_parts).where(*_parts_of(evaluation)).order_by(parts.after)
    ).all()
    for row in rows:
        if is_free(connection, row.worked_on_by):
            connection.execute(
                update(evaluation_parts)
                .where(*_parts_of(evaluation), parts.after == row.after)
                .values(worked_on_by=worker)
            )
            return Part(evaluation, row.after, row.upto, row.people)
    return None


def note_found(connection: Connection, part: Part, worker: int, awards: int) -> None:
    """Note how many awards a part made by now."""
    connection.execute(
        update(evaluation_parts).where(*_is(part, worker)).values(found=evaluation_parts.c.found + awards)
    )


def part_done(connection: Connection, part: Part, worker: int) -> Evaluation:
    """Add a part to what was looked at; if somebody else took it over, it is not ours to add."""
    connection.execute(_locked(part.evaluation))
    found = connection.scalars(
        delete(evaluation_parts).where(*_is(part, worker)).returning(evaluation_parts.c.found)
    ).one_or_none()
    if found is not None:
        connection.execute(
            _of(
                part.evaluation,
                looked_at=evaluations.c.looked_at + part.people,
                found=evaluations.c.found + found,
            )
        )
    return _evaluation(connection.execute(_locked(part.evaluation)).one())


def finish(connection: Connection, evaluation: Evaluation) -> tuple[Close, Evaluation]:
    """End an evaluation of which no part is left; nothing new was to be claimed when this was asked."""
    row = connection.execute(_locked(evaluation)).one()
    if row.finished_at is not None:
        return Close.OTHERS, _evaluation(row)
    parts = select(evaluation_parts.c.after).where(*_parts_of(evaluation)).limit(1)
    if connection.execute(parts).first() is not None:
        return Close.NOT_YET, _evaluation(row)
    connection.execute(_of(evaluation, finished_at=engine.now(connection)))
    return Close.OURS, _evaluation(row)


def drop(connection: Connection, evaluation: Evaluation) -> None:
    """End an evaluation with all that is left of it."""
    connection.execute(_locked(evaluation))
    connection.execute(delete(evaluation_parts).where(*_parts_of(evaluation)))
    connection.execute(_of(evaluation, finished_at=engine.now(connection)))


def people_after(connection: Connection, after: str, limit: int) -> tuple[int, str]:
    """Return how many the next up to `limit` users after `after` are, and the last of them."""
    some = select(users.c.user_id).where(users.c.user_id > after).order_by(users.c.user_id).limit(limit)
    found = some.subquery()
    row = connection.execute(select(func.count(), func.max(found.c.user_id)).select_from(found)).one()
    return row[0], row[1] or ""


def count_people(connection: Connection) -> int:
    """Count the users."""
    return int(connection.scalar(select(func.count()).select_from(users)) or 0)


def _evaluation(row: Row[Any]) -> Evaluation:
    return Evaluation(row.badge_id, row.version, Reason(row.reason), row.people, row.looked_at, row.found)


def _locked(evaluation: Evaluation) -> Select[Any]:
    return select(evaluations).where(*_key(evaluation)).with_for_update()


def _of(evaluation: Evaluation, **values: Any) -> Any:
    return update(evaluations).where(*_key(evaluation)).values(**values)


def _key(evaluation: Evaluation) -> list[ColumnElement[bool]]:
    columns = evaluations.c
    return [columns.badge_id == evaluation.badge_id, columns.version == evaluation.version]


def _parts_of(evaluation: Evaluation) -> list[ColumnElement[bool]]:
    columns = evaluation_parts.c
    return [columns.badge_id == evaluation.badge_id, columns.version == evaluation.version]


def _is(part: Part, worker: int) -> list[ColumnElement[bool]]:
    columns = evaluation_parts.c
    return [*_parts_of(part.evaluation), columns.after == part.after, columns.worked_on_by == worker]
