"""Backfills: a new or changed badge is evaluated for everybody, resumably, and checked again under locks."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from examples.replay import replay
from tests.support.bodies import (
    DAY,
    at,
    blocked,
    enrolled,
    met,
    parted,
    posted,
    registered,
    updated,
)
from tests.support.ground import Ground, badge, definitions, now, read
from tests.support.population import population, untidied
from tests.support.running import Running
from worker import reevaluation
from worker.adapters.database.store import Database
from worker.applying import apply
from worker.reevaluation import backfill, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.ports import Evaluation

ENROL = {"lp_enroll": {"learning_path_id": "40"}}
THREE_A_WEEK = {"social_connection": {"threshold": 3, "period": 7 * DAY}}
PEOPLE = [f"user-{number}" for number in range(7)]


def only_apply(ground: Ground, **badges: dict[str, Any]) -> None:
    """Make these the badges in force; who evaluates everybody is another."""
    apply(ground.database, read(definitions(badges)))


def test_everybody_gets_what_a_second_reading_finds_when_all_badges_come_late(ground: Ground) -> None:
    crowd = population(people=20, events=500, seed=3)
    sweep(ground.database)
    ground.ingest(*untidied(crowd.bodies, seed=3), size=100)
    before = ground.earned()

    apply(ground.database, read(crowd.definitions))
    made = backfill(ground.database)

    expected = replay(crowd.definitions, [*untidied(crowd.bodies)], now())
    assert before == {}
    assert len({badge_id for _, badge_id in expected.awards}) == len(crowd.definitions["badges"])
    assert ground.earned() == {pair: award.earned_at for pair, award in expected.awards.items()}
    assert made == len(expected.awards)
    assert ground.database.evaluations() == []


def test_backfilled_awards_say_so_and_wait_for_an_address_like_others(ground: Ground) -> None:
    ground.ingest(enrolled(1, "ada"), enrolled(1, "bob"), updated(1, "bob", email="bob@example.org"))

    ground.apply(enrol=badge(ENROL, issued=True))

    assert ground.states() == {"ada": "waiting", "bob": "pending"}
    assert ground.column("backfilled") == {"ada": True, "bob": True}


def test_who_may_not_earn_gets_nothing_by_a_backfill(ground: Ground) -> None:
    ground.ingest(
        *(enrolled(1, name) for name in ("ada", "bob", "eve")),
        blocked(2, "bob"),
        updated(2, "eve", scope="ANONYMOUS"),
    )

    ground.apply(enrol=badge(ENROL))

    assert set(ground.earned()) == {("ada", "enrol")}


def test_a_candidate_whose_connections_lie_too_far_apart_gets_nothing(ground: Ground) -> None:
    ground.ingest(*(met(day * DAY, "ada", f"friend-{day}") for day in (0, 5, 10)))
    ground.ingest(*(met(day * DAY, "bob", f"friend-{day}") for day in (0, 5, 6)))

    ground.apply(week=badge(THREE_A_WEEK))

    assert ground.earned() == {("bob", "week"): at(6 * DAY)}


def test_a_backfill_goes_in_parts_and_goes_on_where_it_was_interrupted(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(evaluation: Evaluation) -> None:
        if evaluation.looked_at == 4:
            raise Interrupted

    monkeypatch.setattr(reevaluation, "PART", 2)
    ground.ingest(*(enrolled(1, name) for name in PEOPLE))
    only_apply(ground, enrol=badge(ENROL))
    seen: list[Evaluation] = []

    with pytest.raises(Interrupted):
        backfill(ground.database, interrupt)
    there = ground.database.evaluations()
    made = backfill(ground.database, seen.append)

    assert [(each.looked_at, each.found) for each in there] == [(4, 4)]
    assert made == 3
    assert [(each.people, each.looked_at, each.found) for each in seen] == [(7, 6, 6), (7, 7, 7)]
    assert len(ground.earned()) == 7
    assert ground.database.evaluations() == []


def test_a_new_title_during_a_backfill_loses_nobody(ground: Ground) -> None:
    """The change makes a new version and no new backfill, since nobody earns by it."""
    ground.ingest(enrolled(1, "ada"))
    only_apply(ground, enrol=badge(ENROL))
    only_apply(ground, enrol=badge(ENROL, title="Another title"))

    backfill(ground.database)

    assert set(ground.earned()) == {("ada", "enrol")}


def test_a_criterion_that_changes_again_before_the_backfill_is_the_one_that_counts(ground: Ground) -> None:
    ground.ingest(enrolled(1, "ada", "40"), enrolled(1, "bob", "41"))
    only_apply(ground, enrol=badge(ENROL))
    only_apply(ground, enrol=badge({"lp_enroll": {"learning_path_id": "41"}}))

    backfill(ground.database)

    assert set(ground.earned()) == {("bob", "enrol")}
    assert ground.database.evaluations() == []


def test_a_badge_that_is_disabled_before_its_backfill_is_not_earned(ground: Ground) -> None:
    ground.ingest(enrolled(1, "ada"))
    only_apply(ground, enrol=badge(ENROL))
    only_apply(ground, enrol=badge(ENROL, status="disabled"))

    made = backfill(ground.database)

    assert made == 0
    assert ground.earned() == {}
    assert ground.database.evaluations() == []


def test_a_removal_between_finding_and_locking_is_seen(ground: Ground) -> None:
    class Late(Database):
        def find_candidates(self, *wanted: Any) -> list[str]:
            found = super().find_candidates(*wanted)
            ground.ingest(parted(9, "ada", "friend-2"))
            return found

    ground.ingest(*(met(number, "ada", f"friend-{number}") for number in range(3)))
    only_apply(ground, friends=badge({"social_connection": {"threshold": 3}}))

    made = backfill(Late(ground.engine))

    assert made == 0


def test_a_backfill_waits_for_a_batch_about_its_users_and_sees_what_it_did(postgres: Ground) -> None:
    postgres.ingest(enrolled(1, "ada"), *(met(number, "bob", f"friend-{number}") for number in range(3)))
    badges = {"enrol": badge(ENROL, issued=True), "friends": badge({"social_connection": {"threshold": 3}})}
    only_apply(postgres, **badges)

    address = updated(2, "ada", email="ada@example.org")
    with postgres.holding_batch(address, parted(9, "bob", "friend-2")) as consumer:
        filling = Running(lambda: backfill(postgres.database))
        postgres.until_waiting(filling)
        consumer.commits()
        filling.result()

    assert postgres.states() == {"ada": "pending"}


def test_two_backfills_at_once_award_once(postgres: Ground) -> None:
    postgres.ingest(*(enrolled(1, name) for name in PEOPLE))
    only_apply(postgres, enrol=badge(ENROL))

    both = [Running(lambda: backfill(postgres.database)) for _ in range(2)]
    made = sum(each.result() for each in both)

    assert made == 7
    assert [postgres.history(name, "enrol") for name in PEOPLE] == [["decided"]] * 7


def test_ages_of_a_new_badge_are_decided_by_the_sweeps_clock(ground: Ground) -> None:
    """What falls due after it is left to the next sweep."""
    ground.swept_to(now() - timedelta(minutes=30))
    for name, minutes in (("old", 91), ("due", 80)):
        ground.ingest(registered(now() - timedelta(minutes=minutes), name))

    ground.apply(hour=badge({"registered_for": {"threshold": 3600}}))
    by_the_backfill = set(ground.earned())
    sweep(ground.database)

    assert by_the_backfill == {("old", "hour")}
    assert set(ground.earned()) == {("old", "hour"), ("due", "hour")}


def test_a_chunk_that_fails_is_done_again(ground: Ground) -> None:
    class Interrupted(Exception):
        pass

    class Failing(Database):
        @contextmanager
        def backfill(self) -> Iterator[Any]:
            with super().backfill() as chunk:
                yield chunk
                if chunk.blocks(["ada"]) is not None and self.found:
                    raise Interrupted

        found = False

        def find_candidates(self, *wanted: Any) -> list[str]:
            self.found = True
            return super().find_candidates(*wanted)

    ground.ingest(enrolled(1, "ada"), posted(1, "ada", "p"))
    only_apply(ground, enrol=badge(ENROL))

    with pytest.raises(Interrupted):
        backfill(Failing(ground.engine))
    nothing = ground.earned()
    made = backfill(ground.database)

    assert nothing == {}
    assert made == 1
