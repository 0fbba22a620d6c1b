"""The clock of account ages: the sweep moves it, consumers decide by it, nobody falls between (design 4)."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.support.bodies import blocked, enrolled, registered, unblocked
from tests.support.ground import Ground, Statements, badge, now
from tests.support.running import HeldDatabase, Running, holding
from tests.support.waiting import wait_until
from worker import reevaluation
from worker.adapters.database.store import Database
from worker.awarding import Awarding
from worker.reevaluation import sweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MINUTE = timedelta(minutes=1)
HOUR_OLD = badge({"registered_for": {"threshold": 3600}})


def old(**age: float) -> datetime:
    """Return the registration of an account that is so old now."""
    return now() - timedelta(**age)


@pytest.fixture
def swept(ground: Ground) -> Ground:
    """Ground whose clock stands half an hour back."""
    return behind(ground)


def behind(ground: Ground) -> Ground:
    ground.apply(hour=HOUR_OLD)
    ground.swept_to(now() - 30 * MINUTE)
    return ground


def test_consumers_decide_by_the_sweeps_clock_and_not_by_their_own(swept: Ground) -> None:
    at_once = swept.ingest(registered(old(minutes=91), "ada"), registered(old(minutes=80), "bob"))

    by_the_sweep = sweep(swept.database)

    assert (at_once.awards, by_the_sweep) == (1, 1)
    assert set(swept.earned()) == {("ada", "hour"), ("bob", "hour")}


def test_an_unblock_is_decided_by_the_sweeps_clock_too(swept: Ground) -> None:
    registration = old(minutes=80)
    swept.ingest(registered(registration, "ada"), blocked(registration, "ada"))

    swept.ingest(unblocked(registration + MINUTE, "ada"))
    before = swept.earned()
    sweep(swept.database)

    assert before == {}
    assert swept.earned() == {("ada", "hour"): registration + timedelta(hours=1)}


def test_a_sweep_awards_what_fell_due_since_the_last_one_and_nothing_twice(swept: Ground) -> None:
    swept.ingest(
        registered(old(minutes=80), "due"),
        registered(old(minutes=50), "young"),
        registered(old(days=9), "late"),
    )

    made = [sweep(swept.database) for _ in range(2)]

    assert made == [1, 0]
    assert set(swept.earned()) == {("due", "hour"), ("late", "hour")}


def test_a_long_pause_is_made_up_for_in_steps_of_an_hour(swept: Ground) -> None:
    swept.ingest(*(registered(old(minutes=65 + 60 * hours), f"user-{hours}") for hours in range(4)))
    with swept.engine.begin() as connection:
        connection.execute(text("DELETE FROM awards"))
    swept.swept_to(now() - timedelta(hours=3, minutes=30))

    with Statements(swept.engine) as asked:
        made = sweep(swept.database)

    assert made == 4
    assert len([each for each in asked.texts if each.startswith("UPDATE rulebook")]) == 4


def test_many_who_fall_due_are_swept_up_a_few_at_a_time(
    swept: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reevaluation, "MOST_DUE", 2)
    swept.ingest(*(registered(old(minutes=62 + 3 * number), f"user-{number}") for number in range(8)))

    with Statements(swept.engine) as asked:
        made = sweep(swept.database)

    assert made == 8
    assert len([each for each in asked.texts if each.startswith("UPDATE rulebook")]) >= 4


def test_those_who_fall_due_together_are_swept_up_together(
    swept: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reevaluation, "MOST_DUE", 2)
    together = old(minutes=70)
    swept.ingest(*(registered(together, f"user-{number}") for number in range(5)))

    assert sweep(swept.database) == 5


def test_a_sweep_that_fails_moves_no_clock(swept: Ground) -> None:
    class Interrupted(Exception):
        pass

    class Failing(Database):
        @contextmanager
        def sweep(self) -> Iterator[Any]:
            with super().sweep() as step:
                yield step
                raise Interrupted

    swept.ingest(registered(old(minutes=80), "ada"))

    with pytest.raises(Interrupted):
        sweep(Failing(swept.engine))
    nothing = swept.earned()
    made = sweep(swept.database)

    assert nothing == {}
    assert made == 1


def test_a_sweep_of_nobody_locks_nobody(postgres: Ground) -> None:
    behind(postgres)
    postgres.ingest(registered(old(minutes=10), "young"), registered(old(days=10), "old"))
    postgres.ingest(enrolled(1, "young"))
    with postgres.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM users FOR UPDATE"))

        made = Running(lambda: sweep(postgres.database)).result()

        connection.rollback()
    assert made == 0


def test_a_registration_that_is_not_committed_when_the_sweep_comes_is_not_passed_over(
    postgres: Ground,
) -> None:
    """The consumer found it too young by the old clock, and the sweep cannot see it before the commit."""
    behind(postgres)

    with postgres.holding_batch(registered(old(minutes=80), "ada")) as consumer:
        sweeping = Running(lambda: sweep(postgres.database))
        postgres.until_waiting(sweeping)
        consumer.commits()
        sweeping.result()

    assert set(postgres.earned()) == {("ada", "hour")}


def test_a_registration_that_comes_while_the_sweep_is_not_committed_is_not_passed_over(
    postgres: Ground,
) -> None:
    """The sweep did not see it, and the consumer must not find it too young by the old clock."""
    behind(postgres)
    held = HeldDatabase(postgres.database, "batch")

    with holding(postgres.database, "sweep", sweep) as sweeping:
        consumer = Running(lambda: Awarding(held, now).ingest([registered(old(minutes=80), "ada")]))
        postgres.until_waiting(consumer)
        sweeping.commits()
        wait_until(held.reached.is_set)
        held.let_go()
        consumer.result()

    assert set(postgres.earned()) == {("ada", "hour")}


@pytest.mark.parametrize("first", ["consumer", "sweep"])
def test_no_late_registration_is_lost_wherever_it_meets_the_sweep(postgres: Ground, first: str) -> None:
    behind(postgres)
    for number in range(8):
        user_id, body = f"user-{number}", registered(old(minutes=65 + number), f"user-{number}")
        postgres.swept_to(now() - 30 * MINUTE)
        if first == "consumer":
            with postgres.holding_batch(body) as consumer:
                other: Running[Any] = Running(lambda: sweep(postgres.database))
                postgres.until_waiting(other)
                consumer.commits()
                other.result()
        else:
            with holding(postgres.database, "sweep", sweep) as sweeping:
                other = Running(lambda body=body: postgres.ingest(body))  # type: ignore[misc]
                postgres.until_waiting(other)
                sweeping.commits()
                other.result()

        assert (user_id, "hour") in postgres.earned()


def test_two_sweeps_at_once_award_once(postgres: Ground) -> None:
    behind(postgres)
    postgres.ingest(registered(old(minutes=80), "ada"))

    with holding(postgres.database, "sweep", sweep) as one:
        other = Running(lambda: sweep(postgres.database))
        postgres.until_waiting(other)
        made = one.commits() + other.result()

    assert made == 1
    assert postgres.history("ada", "hour") == ["decided"]
