"""Badges change while events come in, and no award is lost (design.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.bodies import enrolled, posted, updated
from tests.support.ground import Ground, badge, definitions, now, read
from tests.support.running import HeldDatabase, Running, holding
from tests.support.waiting import wait_until
from worker.adapters.database.rules import RulesChange
from worker.adapters.database.store import Database
from worker.applying import Applied, Change, apply
from worker.awarding import Awarding
from worker.reevaluation import backfill


def enrol(path: str, **fields: Any) -> dict[str, Any]:
    return badge({"lp_enroll": {"learning_path_id": path}}, **fields)


def apply_in(database: Database, **badges: dict[str, Any]) -> Applied:
    return apply(database, read(definitions(badges)))


def test_a_consumer_reads_new_rules_with_its_next_batch(ground: Ground) -> None:
    consumer = ground.awarding()
    ground.apply(first=enrol("1"))
    consumer.ingest([enrolled(1, "ada", "1")])

    ground.apply(first=enrol("1"), second=enrol("2"))
    consumer.ingest([enrolled(2, "ada", "2")])

    assert set(ground.earned()) == {("ada", "first"), ("ada", "second")}


def test_an_apply_waits_for_a_batch_that_is_decided_by_the_old_rules(postgres: Ground) -> None:
    with postgres.holding_batch(enrolled(1, "ada")) as consumer:
        change = Running(lambda: postgres.apply(enrol=enrol("40")))
        postgres.until_waiting(change)
        consumer.commits()
        change.result()

    assert set(postgres.earned()) == {("ada", "enrol")}
    award = postgres.award("ada", "enrol")
    assert award is not None
    assert award.backfilled


def test_a_batch_that_comes_during_an_apply_is_decided_by_the_new_rules(postgres: Ground) -> None:
    """Its backfill cannot see the batch, which is not committed yet; the consumer knows the old rules."""
    held = HeldDatabase(postgres.database, "batch", passing=1)
    consumer = Awarding(held, now)
    consumer.ingest([posted(1, "ada", "p")])
    badges = {"enrol": enrol("40")}
    with holding(postgres.database, "change", lambda database: apply_in(database, **badges)) as change:
        batch = Running(lambda: consumer.ingest([enrolled(1, "ada")]))
        postgres.until_waiting(batch)
        change.commits()
        wait_until(held.reached.is_set)
        backfill(postgres.database)
        held.let_go()
        batch.result()

    assert set(postgres.earned()) == {("ada", "enrol")}


PEOPLE = [f"user-{number}" for number in range(5)]


@pytest.mark.parametrize("first", ["consumer", "apply"])
def test_no_award_is_lost_wherever_an_apply_meets_a_stream(postgres: Ground, first: str) -> None:
    for number in range(10):
        path = f"path-{number}"
        bodies = [enrolled(1, name, path) for name in PEOPLE]
        meet = _consumer_first if first == "consumer" else _apply_first
        meet(postgres, bodies, number % len(PEOPLE), {f"badge-{number}": enrol(path)})

        holders = {user for user, badge_id in postgres.earned() if badge_id == f"badge-{number}"}
        assert holders == set(PEOPLE), number


def one_by_one(consumer: Awarding, bodies: list[bytes]) -> None:
    for body in bodies:
        consumer.ingest([body])


def _consumer_first(
    ground: Ground, bodies: list[bytes], position: int, badges: dict[str, dict[str, Any]]
) -> None:
    """Let the apply come while the batch at `position` is not committed."""
    with holding(
        ground.database,
        "batch",
        lambda database: one_by_one(Awarding(database, now), bodies),
        passing=position,
    ) as consumer:
        change = Running(lambda: ground.apply(**badges))
        ground.until_waiting(change)
        consumer.commits()
        change.result()


def _apply_first(
    ground: Ground, bodies: list[bytes], position: int, badges: dict[str, dict[str, Any]]
) -> None:
    """Let the batch at `position` come while the apply is not committed, and commit after the backfill."""
    held = HeldDatabase(ground.database, "batch", passing=position)
    awarding = Awarding(held, now)
    one_by_one(awarding, bodies[:position])
    with holding(ground.database, "change", lambda database: apply_in(database, **badges)) as change:
        consumer = Running(lambda: one_by_one(awarding, bodies[position:]))
        ground.until_waiting(consumer)
        change.commits()
        wait_until(held.reached.is_set)
        backfill(ground.database)
        held.let_go()
        consumer.result()


def test_two_applies_at_once_take_turns(postgres: Ground) -> None:
    with holding(postgres.database, "change", lambda database: apply_in(database, a=enrol("1"))) as change:
        other = Running(lambda: apply_in(postgres.database, a=enrol("1"), b=enrol("2")))
        postgres.until_waiting(other)
        first = change.commits()
        second = other.result()

    assert (first.version, second.version) == (1, 2)
    assert [(each.badge_id, each.change) for each in second.changes] == [("b", Change.ADDED)]


def test_an_apply_that_fails_changes_nothing(ground: Ground) -> None:
    class Interrupted(Exception):
        pass

    class Failing(Database):
        @contextmanager
        def change(self) -> Iterator[RulesChange]:
            with super().change() as change:
                yield change
                raise Interrupted

    ground.apply(first=enrol("1"))
    before = ground.database.list_badges()

    with pytest.raises(Interrupted):
        apply_in(Failing(ground.engine), second=enrol("2"))

    assert ground.database.list_badges() == before
    assert ground.database.evaluations() == []


def test_the_same_definitions_again_are_no_new_version(ground: Ground) -> None:
    versions = [ground.apply(first=enrol("1")).version for _ in range(2)]

    assert versions == [1, 1]
    assert ground.database.evaluations() == []


def test_a_badge_that_is_gone_from_the_file_is_disabled_and_stays_with_its_holders(ground: Ground) -> None:
    ground.apply(first=enrol("1"), second=enrol("2"))
    ground.ingest(enrolled(1, "ada", "1"))

    applied = ground.apply(second=enrol("2"))
    ground.ingest(enrolled(1, "bob", "1"))

    assert [(each.badge_id, each.change) for each in applied.changes] == [("first", Change.DISABLED)]
    assert set(ground.earned()) == {("ada", "first")}


def test_a_changed_badge_keeps_its_holders_and_gains_those_of_the_new_criterion(ground: Ground) -> None:
    ground.apply(first=enrol("1"))
    ground.ingest(enrolled(1, "ada", "1"), enrolled(1, "bob", "2"))
    kept = ground.award("ada", "first")

    ground.apply(first=enrol("2"))
    ground.ingest(enrolled(2, "eve", "1"))

    assert set(ground.earned()) == {("ada", "first"), ("bob", "first")}
    assert ground.award("ada", "first") == kept


def test_a_badge_that_comes_back_is_not_earned_again_by_who_has_it(ground: Ground) -> None:
    ground.apply(first=enrol("1"))
    ground.ingest(enrolled(1, "ada", "1"))
    ground.apply()
    ground.ingest(enrolled(1, "bob", "1"))

    ground.apply(first=enrol("1"))

    assert set(ground.earned()) == {("ada", "first"), ("bob", "first")}
    assert ground.history("ada", "first") == ["decided"]


def test_a_badge_that_gains_an_issuer_has_its_earned_awards_issued(ground: Ground) -> None:
    ground.apply(enrol=enrol("1"))
    ground.ingest(
        enrolled(1, "ada", "1"), enrolled(1, "bob", "1"), updated(1, "ada", email="ada@example.org")
    )
    before = ground.states()

    ground.apply(enrol=enrol("1", issued=True))

    assert before == {"ada": "earned", "bob": "earned"}
    assert ground.states() == {"ada": "pending", "bob": "waiting"}


def test_every_award_names_the_version_of_the_definition_it_was_decided_by(ground: Ground) -> None:
    ground.apply(first=enrol("1"), other=enrol("3"))
    ground.apply(first=enrol("2"), other=enrol("3"))

    ground.ingest(enrolled(1, "ada", "2"), enrolled(1, "ada", "3"), posted(1, "ada", "p"))

    versions = {
        row: award.definition_version for row in ("first", "other") if (award := ground.award("ada", row))
    }
    assert versions == {"first": 2, "other": 1}
