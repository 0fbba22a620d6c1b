"""The database as the use cases see it: each method one transaction, each transaction's class one concern."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from worker.adapters.database import (
    admission,
    asking,
    calls,
    candidates,
    engine,
    evaluations,
    forgetting,
    listings,
    merging,
    revoking,
    traces,
)
from worker.adapters.database.alone import Work, alone, at_work
from worker.adapters.database.batch import Batch
from worker.adapters.database.listings import AwardFilter, BadgeRow, DeadLetter, HistoryRow, Place
from worker.adapters.database.rules import Backfill, RulesChange, Sweep
from worker.adapters.database.schema import badges, issuers
from worker.awards import OPERATOR, Asked, AwardRow, Call, Ending, LeasedAward, LeasedRevocation, Which
from worker.news import ActivityNews
from worker.people import Gone, Person, Traces
from worker.ports import Admission, Close, Evaluation, Part, Reason, Written
from worker.rules.rulebook import Rule


class Database:
    """Implements ports.BatchStore, RulesStore, Outbox and Revocations on PostgreSQL or SQLite.

    Every method raises DatabaseUnavailable for what time mends.
    """

    def __init__(self, bound_to: Engine) -> None:
        self.engine = bound_to

    # Events

    def written(self, news: Sequence[ActivityNews]) -> Written:
        """Write news of activities down as `Batch.merge` takes them."""
        return merging.written(self.engine.dialect, news)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Open the transaction of one batch."""
        with engine.transaction(self.engine) as connection:
            yield Batch(connection)

    # Time and change

    def alone(self, work: Work) -> AbstractContextManager[bool]:
        """Give True to the one process that does this work now, False to the others."""
        return alone(self.engine, work)

    @contextmanager
    def sweep(self) -> Iterator[Sweep]:
        """Open one transaction of the sweep."""
        with engine.transaction(self.engine) as connection:
            yield Sweep(connection)

    @contextmanager
    def change(self) -> Iterator[RulesChange]:
        """Open the transaction of an `apply`."""
        with engine.transaction(self.engine) as connection:
            yield RulesChange(connection)

    @contextmanager
    def backfill(self) -> Iterator[Backfill]:
        """Open the transaction that awards a few of those whom an evaluation found."""
        with engine.transaction(self.engine) as connection:
            yield Backfill(connection)

    def evaluations(self) -> list[Evaluation]:
        """Return the evaluations that are not over."""
        with engine.reading(self.engine) as connection:
            return evaluations.under_way(connection)

    def evaluate_all(
        self, reason: Reason, badge_ids: Collection[str] | None, since: datetime | None
    ) -> list[Evaluation]:
        """Note durably that everybody is to be evaluated for these (or all) published badges."""
        with engine.transaction(self.engine) as connection:
            return evaluations.note_all(connection, reason, badge_ids, since)

    def now(self) -> datetime:
        """Return the database's clock."""
        with engine.reading(self.engine) as connection:
            return engine.now(connection)

    def at_work(self) -> AbstractContextManager[int]:
        """Give a number of our own; until the block ends others see by it that we are alive."""
        return at_work(self.engine)

    def claim(self, evaluation: Evaluation, worker: int, people: int) -> Part | None:
        """Take a part of up to so many people that nobody alive works on."""
        with engine.transaction(self.engine) as connection:
            return evaluations.claim(connection, evaluation, worker, people)

    def part_done(self, part: Part, worker: int) -> Evaluation:
        """Note that a part is done; return how far its evaluation is."""
        with engine.transaction(self.engine) as connection:
            return evaluations.part_done(connection, part, worker)

    def finish(self, evaluation: Evaluation) -> tuple[Close, Evaluation]:
        """End an evaluation of which nothing is left to do; return whether, and how it stands."""
        with engine.transaction(self.engine) as connection:
            return evaluations.finish(connection, evaluation)

    def drop(self, evaluation: Evaluation) -> None:
        """End an evaluation, whatever is left to do."""
        with engine.transaction(self.engine) as connection:
            evaluations.drop(connection, evaluation)

    def people_after(self, after: str, limit: int) -> tuple[int, str]:
        """Return how many the next up to `limit` users after `after` are, and the last of them."""
        with engine.reading(self.engine) as connection:
            return evaluations.people_after(connection, after, limit)

    def count_people(self) -> int:
        """Count the users."""
        with engine.reading(self.engine) as connection:
            return evaluations.count_people(connection)

    def find_candidates(self, rule: Rule, after: str, upto: str) -> list[str]:
        """Return the users after `after` up to `upto` for whom the rule holds and who lack the badge."""
        with engine.reading(self.engine) as connection:
            return candidates.find_candidates(connection, rule, after, upto)

    def count_candidates(self, rule: Rule, after: str, upto: str) -> int:
        """Return how many `find_candidates` would return."""
        with engine.reading(self.engine) as connection:
            return candidates.count_candidates(connection, rule, after, upto)

    # Awards on their way

    def issuers(self) -> dict[str, dict[str, Any]]:
        """Return every issuer's definition."""
        with engine.reading(self.engine) as connection:
            rows = connection.execute(select(issuers.c.id, issuers.c.definition).order_by(issuers.c.id))
            return {row.id: row.definition for row in rows}

    def badge(self, badge_id: str) -> dict[str, Any]:
        """Return one badge's definition; raises LookupError without one."""
        with engine.reading(self.engine) as connection:
            found = connection.scalar(select(badges.c.definition).where(badges.c.id == badge_id))
        if found is None:
            raise LookupError(badge_id)
        return dict(found)

    def reclaim(self, issuer: str, settle_after: float) -> int:
        """Take back leases that ran out."""
        with engine.transaction(self.engine) as connection:
            return admission.reclaim(connection, issuer, settle_after)

    def admit(self, wanted: Admission) -> list[Call]:
        """Lease due awards for as many calls as there is room for."""
        with engine.transaction(self.engine) as connection:
            return admission.admit(connection, wanted)

    def prepare(self, lease_id: str) -> list[LeasedAward]:
        """Freeze address and badge class of the unsent awards of a lease."""
        with engine.transaction(self.engine) as connection:
            ready, waiting = calls.prepare(connection, lease_id)
        if waiting:
            self._look_again(sorted(waiting))
        return ready

    def _look_again(self, user_ids: Sequence[str]) -> None:
        """Wake awards of which the missing piece came just before they were made to wait.

        Whoever brought it did not see them waiting; these locks wait for its commit.
        """
        with self.batch() as batch:
            batch.lock_users(user_ids)
            batch.addresses_came(user_ids)

    def mark_sent(self, lease_id: str, awards: int, deadline: float, before: datetime | None) -> datetime:
        """Commit that the call of a lease goes out now; raises LeaseLost."""
        with engine.transaction(self.engine) as connection:
            return calls.mark_sent(connection, lease_id, awards, deadline, before)

    def end(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
        """Record how the awards of a lease ended."""
        with engine.transaction(self.engine) as connection:
            calls.end(connection, lease_id, endings)

    def hand_back(self, lease_id: str) -> None:
        """Make the unsent awards of a lease due again at once."""
        with engine.transaction(self.engine) as connection:
            calls.hand_back(connection, lease_id)

    # Revoking

    def count_revocable(self, which: Which) -> int:
        """Count the awards that asking would revoke."""
        with engine.reading(self.engine) as connection:
            return asking.count(connection, which)

    def ask(
        self,
        which: Which,
        reason: str,
        after: tuple[str, str] | None,
        limit: int,
        actor: str = OPERATOR,
    ) -> list[Asked]:
        """Let `actor` ask for up to `limit` of these awards to be revoked."""
        with engine.transaction(self.engine) as connection:
            return asking.ask(connection, which, reason, after, limit, actor)

    def prepare_revocations(self, lease_id: str) -> list[LeasedRevocation]:
        """Return the unsent revocations of a lease."""
        with engine.reading(self.engine) as connection:
            return revoking.prepare(connection, lease_id)

    def end_revocations(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
        """Record how the revocations of a lease ended."""
        with engine.transaction(self.engine) as connection:
            revoking.end(connection, lease_id, endings)

    # Forgetting people

    def person(self, user_id: str) -> Person | None:
        """Return a user with all by which texts may name them; None if there is no such user."""
        with engine.reading(self.engine) as connection:
            return forgetting.person(connection, user_id)

    def is_forgotten(self, hash_of_user: str) -> bool:
        """Return whether this hash is kept of somebody."""
        with engine.reading(self.engine) as connection:
            return forgetting.is_forgotten(connection, hash_of_user)

    def forget(self, person: Person, hash_of_user: str, fingerprint: str, reason: str | None) -> Gone | None:
        """Let a person's data go; raises Unsettled while an award may be on its way."""
        with engine.transaction(self.engine) as connection:
            return forgetting.forget(connection, person, hash_of_user, fingerprint, reason)

    def remove_traces(self, of: Traces) -> tuple[int, int]:
        """Delete dead letters that name a person, and take them out of texts; return how many of both."""
        with engine.reading(self.engine) as connection:
            letters = traces.named_letters(connection, of)
            said = traces.named_in_awards(connection, of)
            told = traces.named_in_histories(connection, of)
        with engine.transaction(self.engine) as connection:
            return traces.discard(connection, letters), traces.rewrite(connection, of, said, told)

    # What people ask

    def list_awards(self, wanted: AwardFilter) -> list[AwardRow]:
        """Return awards, in the order they were decided."""
        with engine.reading(self.engine) as connection:
            return listings.list_awards(connection, wanted)

    def each_award(self, wanted: AwardFilter) -> Iterator[AwardRow]:
        """Yield awards in the order they were decided, however many they are."""
        with engine.reading(self.engine) as connection:
            yield from listings.each_award(connection, wanted)

    def number_of_awards(self, wanted: AwardFilter) -> int:
        """Count awards, whatever their limit."""
        with engine.reading(self.engine) as connection:
            return listings.number_of_awards(connection, wanted)

    def history_of(self, user_id: str, badge_id: str) -> list[HistoryRow]:
        """Return what happened to one award, oldest first."""
        with engine.reading(self.engine) as connection:
            return listings.history_of(connection, user_id, badge_id)

    def count_awards(self) -> dict[str, int]:
        """Return how many awards are in each state."""
        with engine.reading(self.engine) as connection:
            return listings.count_awards(connection)

    def places(self) -> list[Place]:
        """Return where awards are: how many of each badge at each issuer, by state."""
        with engine.reading(self.engine) as connection:
            return listings.places(connection)

    def retry(self, wanted: AwardFilter, actor: str = OPERATOR) -> list[tuple[str, str]]:
        """Put failed awards back; return them as (user, badge)."""
        with engine.transaction(self.engine) as connection:
            return listings.retry(connection, wanted, actor)

    def list_badges(self) -> list[BadgeRow]:
        """Return every badge with the number of its awards."""
        with engine.reading(self.engine) as connection:
            return listings.list_badges(connection)

    def list_dead_letters(self, limit: int | None = None) -> list[DeadLetter]:
        """Return dead letters, oldest first."""
        with engine.reading(self.engine) as connection:
            return listings.list_dead_letters(connection, limit)

    def each_dead_letter(self, limit: int | None = None) -> Iterator[DeadLetter]:
        """Yield dead letters, oldest first, however many they are."""
        with engine.reading(self.engine) as connection:
            yield from listings.each_dead_letter(connection, limit)

    def number_of_dead_letters(self) -> int:
        """Count dead letters."""
        with engine.reading(self.engine) as connection:
            return listings.number_of_dead_letters(connection)

    def dead_letter_ids(self, start: str = "") -> list[str]:
        """Return the ids of the dead letters whose id begins so, oldest first."""
        with engine.reading(self.engine) as connection:
            return listings.dead_letter_ids(connection, start)

    def dead_letters_of(self, ids: Sequence[str]) -> list[DeadLetter]:
        """Return the dead letters with these ids, oldest first: those that are there."""
        with engine.reading(self.engine) as connection:
            return listings.dead_letters_of(connection, ids)

    def discard_dead_letters(self, ids: Sequence[str]) -> list[str]:
        """Forget these dead letters for good; return the ids of those that were there."""
        with engine.transaction(self.engine) as connection:
            return listings.discard_dead_letters(connection, ids)

    def note_replayed(self, ids: Sequence[str]) -> None:
        """Note that these dead letters were put back on the queue now."""
        with engine.transaction(self.engine) as connection:
            listings.note_replayed(connection, ids)
