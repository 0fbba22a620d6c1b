"""One database and all that acts on it, as the tests of the database side speak of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Engine, event, func, select, text, update

from tests.support.running import holding
from tests.support.waiting import wait_until
from worker.adapters.database.engine import reading
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.schema import activities, awards, counts, metadata, rulebook
from worker.adapters.database.store import Database
from worker.applying import Applied, apply
from worker.awarding import Awarding, Ingested
from worker.reevaluation import backfill
from worker.rules.definitions import Definitions, read_definitions

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from tests.support.running import Held, Running
    from worker.awards import AwardRow

ISSUER = {"provider": "badgr", "url": "https://api.badgr.io"}
PARTNER = {"provider": "credly", "url": "https://api.credly.com/v1", "organization": "our-organization"}


def now() -> datetime:
    return datetime.now(UTC)


def badge(
    criteria: dict[str, Any], *, issued: bool = False, by: str = "academy", **fields: Any
) -> dict[str, Any]:
    """Return a badge as it is written; `issued` ones go to `academy` (Badgr) or `partner` (Credly)."""
    written = {"title": "A badge", "picture": "https://example.org/badge.png", "criteria": criteria, **fields}
    if issued:
        written["issue"] = {"issuer": by}  # definitions() adds the badge class
    return written


def definitions(badges: dict[str, dict[str, Any]], **issuers: dict[str, Any]) -> dict[str, Any]:
    """Return a badges file, parsed: its badges by id, each issued one with a badge class of its own."""
    named = {badge_id: _named(badge_id, written) for badge_id, written in badges.items()}
    at_credly = any("template" in written.get("issue", ()) for written in named.values())
    known = {"academy": ISSUER, "partner": PARTNER} if at_credly else {"academy": ISSUER}
    return {"issuers": issuers or known, "badges": named}


def _named(badge_id: str, written: dict[str, Any]) -> dict[str, Any]:
    issue = written.get("issue")
    if issue is None:
        return written
    field = "badgeclass" if issue["issuer"] == "academy" else "template"
    return {**written, "issue": {"issuer": issue["issuer"], field: f"class-{badge_id}"}}


def read(document: dict[str, Any]) -> Definitions:
    read_ones, problems = read_definitions(document)
    assert not problems
    return read_ones


class Ground:
    """A database with its schema, and what acts on it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.database = Database(engine)

    # What acts

    def apply(self, **badges: dict[str, Any]) -> Applied:
        """Make these the badges in force and evaluate everybody for what is new."""
        applied = apply(self.database, read(definitions(badges)))
        backfill(self.database)
        return applied

    def awarding(self) -> Awarding:
        """Return a consumer of its own."""
        return Awarding(self.database, now)

    def holding_batch(self, *bodies: bytes) -> AbstractContextManager[Held[Ingested]]:
        """Let a consumer take these in as one batch, and stand still before its commit."""
        return holding(self.database, "batch", lambda database: Awarding(database, now).ingest(bodies))

    def ingest(self, *bodies: bytes, size: int | None = None) -> Ingested:
        """Let one consumer take these in, in one batch or in batches of `size`."""
        awarding, total = self.awarding(), Ingested()
        step = size or max(1, len(bodies))
        for start in range(0, len(bodies), step):
            total += awarding.ingest(bodies[start : start + step])
        return total

    def swept_to(self, instant: datetime) -> None:
        """Set the clock of account ages."""
        with self.engine.begin() as connection:
            connection.execute(update(rulebook).values(swept_to=instant))

    def set_awards(self, **values: Any) -> None:
        """Change all awards behind everybody's back."""
        with self.engine.begin() as connection:
            connection.execute(update(awards).values(values))

    def clear(self) -> None:
        """Empty the tables of events and awards; rules stay."""
        kept = {"rulebook", "badges", "issuers", "evaluations"}
        with self.engine.begin() as connection:
            for table in metadata.sorted_tables:
                if table.name not in kept:
                    connection.execute(table.delete())

    # What is there

    def award(self, user_id: str, badge_id: str) -> AwardRow | None:
        rows = self.database.list_awards(AwardFilter(user_id=user_id, badge_id=badge_id))
        return rows[0] if rows else None

    def earned(self) -> dict[tuple[str, str], datetime]:
        """Return who has earned what, and when."""
        rows = self.database.list_awards(AwardFilter())
        return {(row.user_id, row.badge_id): row.earned_at for row in rows}

    def states(self) -> dict[str, str]:
        """Return the state of each user's only award."""
        rows = self.database.list_awards(AwardFilter())
        states = {row.user_id: row.state for row in rows}
        assert len(states) == len(rows)
        return states

    def states_of(self, badge_id: str) -> dict[str, str]:
        """Return the state of each user's award of one badge."""
        rows = self.database.list_awards(AwardFilter(badge_id=badge_id))
        return {row.user_id: row.state for row in rows}

    def history(self, user_id: str, badge_id: str) -> list[str]:
        return [row.what for row in self.database.history_of(user_id, badge_id)]

    def column(self, name: str) -> dict[str, Any]:
        """Return one column of each user's only award."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(awards.c.user_id, awards.c[name]))
            return {user_id: value for user_id, value in rows}  # noqa: C416 # a row is no pair to mypy

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the counts that are kept, but for those that fell to nothing."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(counts.c.user_id, counts.c.kind, counts.c.value))
            return {(user_id, kind): value for user_id, kind, value in rows if value}

    def recounted(self) -> dict[tuple[str, str], int]:
        """Return what the counts should be by the activities."""
        live = activities.c.counted_at.is_not(None)
        statement = select(activities.c.user_id, activities.c.kind, func.count()).where(live)
        with reading(self.engine) as connection:
            rows = connection.execute(statement.group_by(activities.c.user_id, activities.c.kind))
            return {(user_id, kind): value for user_id, kind, value in rows}

    # PostgreSQL's

    def waiting(self) -> int:
        """Return how many connections to this database wait for a lock."""
        statement = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with self.engine.connect() as connection:
            return int(connection.execute(statement).scalar_one())

    def until_waiting(self, *others: Running[Any]) -> None:
        """Wait until all of these wait for a lock, or have ended because nothing held them up."""

        def settled() -> bool:
            return self.waiting() >= sum(not other.ended for other in others)

        wait_until(settled, what="the others wait or have ended")


class Statements:
    """What was asked of an engine, statement by statement."""

    def __init__(self, engine: Engine) -> None:
        self.texts: list[str] = []
        self._engine = engine

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_error: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.texts.append(statement)

    def without(self, *words: str) -> list[str]:
        """Return the statements in which none of the words stands."""
        return [text for text in self.texts if not any(word in text for word in words)]
