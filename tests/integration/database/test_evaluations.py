"""Everybody's evaluation: shared by any number of workers, taken over from dead ones, begun every night."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text, update
from structlog.testing import capture_logs

from tests.support.bodies import enrolled, posted
from tests.support.ground import Ground, badge, definitions, now, read
from tests.support.running import Running
from tests.support.waiting import wait_until
from worker import reevaluation
from worker.adapters.database.schema import evaluations
from worker.adapters.database.store import Database
from worker.applying import apply
from worker.ports import Evaluation, Part, Reason
from worker.reevaluation import Evaluator, backfill, begin_night, reevaluate_user, work_off

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

ENROL = badge({"lp_enroll": {"learning_path_id": "40"}})
A_POST = badge({"social_engagement": {"threshold": 1}})
PEOPLE = [f"user-{number}" for number in range(7)]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reevaluation, "PART", 2)


def noted(ground: Ground) -> Evaluation:
    """Let everybody be enrolled, and note that they are to be evaluated for it."""
    ground.ingest(*(enrolled(1, name) for name in PEOPLE))
    apply(ground.database, read(definitions({"enrol": ENROL})))
    (evaluation,) = ground.database.evaluations()
    return evaluation


def lose_awards(ground: Ground, *user_ids: str) -> None:
    """Take awards away behind everybody's back."""
    with ground.engine.begin() as connection:
        for user_id in user_ids:
            connection.execute(text("DELETE FROM awards WHERE user_id = :user_id"), {"user_id": user_id})


def date_back(ground: Ground, **ago: float) -> None:
    """Make all evaluations older."""
    with ground.engine.begin() as connection:
        connection.execute(update(evaluations).values(started_at=now() - timedelta(**ago)))


class At(Database):
    """A database whose clock of evaluations stands still."""

    def __init__(self, ground: Ground, moment: datetime) -> None:
        super().__init__(ground.engine)
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


# Sharing


def test_two_workers_take_different_parts_and_nobody_is_left_out(postgres: Ground) -> None:
    evaluation = noted(postgres)
    with postgres.database.at_work() as one, postgres.database.at_work() as other:
        taken: list[Part] = []
        while part := postgres.database.claim(evaluation, (one, other)[len(taken) % 2], 2):
            taken.append(part)

    assert [(part.after, part.upto, part.people) for part in taken] == [
        ("", PEOPLE[1], 2),
        (PEOPLE[1], PEOPLE[3], 2),
        (PEOPLE[3], PEOPLE[5], 2),
        (PEOPLE[5], PEOPLE[6], 1),
    ]


def test_an_evaluation_is_not_over_while_a_living_worker_has_a_part_in_hand(postgres: Ground) -> None:
    evaluation = noted(postgres)
    with postgres.database.at_work() as slow:
        part = postgres.database.claim(evaluation, slow, 2)
        others = Running(lambda: list(work_off(postgres.database, [evaluation])))
        with postgres.database.at_work() as third:
            wait_for_parts(postgres, 1)
            nothing = Evaluator(postgres.database, third).one_part(evaluation)
        still = postgres.database.evaluations()
        assert part is not None
        postgres.database.part_done(part, slow)
        others.result()

    assert nothing is None
    assert [(each.looked_at, each.found) for each in still] == [(5, 5)]
    assert postgres.database.evaluations() == []


def wait_for_parts(ground: Ground, number: int) -> None:
    """Wait until so many parts are left, all others being done."""

    def there() -> bool:
        with ground.engine.connect() as connection:
            row = connection.execute(
                text(
                    "SELECT (SELECT count(*) FROM evaluation_parts), "
                    "(SELECT sum(people - looked_at) FROM evaluations WHERE finished_at IS NULL)"
                )
            ).one()
        return bool(row[0] == number and row[1] == 2 * number)

    wait_until(there)


def test_a_part_whose_worker_died_is_taken_over(ground: Ground) -> None:
    evaluation = noted(ground)
    with ground.database.at_work() as dead:
        ground.database.claim(evaluation, dead, 2)

    made = Running(lambda: backfill(ground.database)).result()

    assert made == 7
    assert set(ground.earned()) == {(name, "enrol") for name in PEOPLE}
    assert ground.database.evaluations() == []


def test_a_part_that_came_to_another_worker_is_counted_once(postgres: Ground) -> None:
    evaluation = noted(postgres)
    with postgres.database.at_work() as cut_off:
        part = postgres.database.claim(evaluation, cut_off, 2)
    assert part is not None
    (worked,) = work_off(postgres.database, [evaluation])

    late = postgres.database.part_done(part, cut_off)

    assert (worked.standing.looked_at, worked.standing.found) == (7, 7)
    assert late == worked.standing


def test_four_workers_at_once_award_everybody_once(postgres: Ground) -> None:
    noted(postgres)

    four = [Running(lambda: backfill(postgres.database)) for _ in range(4)]
    made = sum(each.result() for each in four)

    assert made == 7
    assert [postgres.history(name, "enrol") for name in PEOPLE] == [["decided"]] * 7


def test_work_for_a_time_ends_with_it_and_the_next_goes_on(ground: Ground) -> None:
    noted(ground)
    with ground.database.at_work() as number:
        worker = Evaluator(ground.database, number)
        no_time = worker.work_for(0, "enrol", 1)
        worked = worker.work_for(60, "enrol", 1)
        over = worker.work_for(60, "enrol", 1)

    assert no_time is None
    assert worked is not None
    assert (worked.awards, worked.standing.looked_at, worked.standing.people) == (7, 7, 7)
    assert over is None


# Asked for


def test_asking_again_evaluates_everybody_again(ground: Ground) -> None:
    ground.apply(enrol=ENROL, post=A_POST)
    ground.ingest(*(enrolled(1, name) for name in PEOPLE), posted(1, PEOPLE[0], "p"))
    lose_awards(ground, PEOPLE[0], PEOPLE[3])

    noted_ones = ground.database.evaluate_all(Reason.ASKED, None, None)
    ended = {each.standing.badge_id: each.standing for each in work_off(ground.database, noted_ones)}

    assert {badge_id: each.found for badge_id, each in ended.items()} == {"enrol": 2, "post": 1}
    assert {each.reason for each in ended.values()} == {Reason.ASKED}
    assert len(ground.earned()) == 8


def test_parts_that_an_older_release_left_behind_are_in_nobodys_way(ground: Ground) -> None:
    evaluation = noted(ground)
    with ground.database.at_work() as number:
        ground.database.claim(evaluation, number, 2)
    with ground.engine.begin() as connection:
        connection.execute(update(evaluations).values(finished_at=now()))  # as it knows them to be over

    noted_ones = ground.database.evaluate_all(Reason.ASKED, None, None)
    (worked,) = work_off(ground.database, noted_ones)

    assert (worked.standing.looked_at, worked.standing.found) == (7, 7)


def test_asking_for_one_badge_leaves_the_others_alone(ground: Ground) -> None:
    ground.apply(enrol=ENROL, post=A_POST)

    noted_ones = ground.database.evaluate_all(Reason.ASKED, ["post"], None)

    assert [each.badge_id for each in noted_ones] == ["post"]


def test_asking_joins_what_is_under_way(ground: Ground) -> None:
    evaluation = noted(ground)
    with ground.database.at_work() as number:
        Evaluator(ground.database, number).one_part(evaluation)

    (joined,) = ground.database.evaluate_all(Reason.ASKED, None, None)

    assert (joined.reason, joined.looked_at) == (Reason.RULES, 2)


def test_a_disabled_badge_is_evaluated_for_nobody(ground: Ground) -> None:
    ground.apply(enrol=ENROL)
    ground.apply(enrol={**ENROL, "status": "disabled"})

    assert ground.database.evaluate_all(Reason.ASKED, None, None) == []


@pytest.mark.parametrize(("badge_ids", "expected"), [(None, {"enrol", "post"}), (["post"], {"post"})])
def test_one_user_can_be_evaluated_alone(
    ground: Ground, badge_ids: Collection[str] | None, expected: set[str]
) -> None:
    ground.apply(enrol=ENROL, post=A_POST)
    ground.ingest(*(enrolled(1, name) for name in PEOPLE), *(posted(1, name, name) for name in PEOPLE))
    lose_awards(ground, *PEOPLE[:2])

    made = reevaluate_user(ground.database, PEOPLE[0], badge_ids)

    assert made == len(expected)
    assert {badge_id for user, badge_id in ground.earned() if user == PEOPLE[0]} == expected
    assert PEOPLE[1] not in {user for user, _ in ground.earned()}


def test_a_user_who_is_not_there_cannot_be_evaluated(ground: Ground) -> None:
    with pytest.raises(LookupError):
        reevaluate_user(ground.database, "nobody")


# At night


@pytest.fixture
def settled(ground: Ground) -> Ground:
    """Ground on which everybody has what they earned, and the rules are some days old."""
    ground.apply(enrol=ENROL, post=A_POST)
    ground.ingest(*(enrolled(1, name) for name in PEOPLE))
    date_back(ground, days=3)
    return ground


def test_a_night_begins_once_however_often_beat_asks(settled: Ground) -> None:
    first = begin_night(settled.database)
    again = begin_night(settled.database)
    backfill(settled.database)
    after_it = begin_night(settled.database)

    assert [(each.badge_id, each.reason) for each in first] == [
        ("enrol", Reason.NIGHTLY),
        ("post", Reason.NIGHTLY),
    ]
    assert again == first
    assert after_it == []


def test_the_next_night_begins_at_its_hour(settled: Ground) -> None:
    begin_night(settled.database)
    backfill(settled.database)
    next_night = (now() + timedelta(days=1)).replace(hour=reevaluation.NIGHT, minute=0, second=0)

    before = begin_night(At(settled, next_night - timedelta(minutes=1)))
    at_its_hour = begin_night(At(settled, next_night + timedelta(seconds=1)))

    assert (before, len(at_its_hour)) == ([], 2)


def test_rules_that_are_new_since_the_hour_need_no_night(ground: Ground) -> None:
    ground.apply(enrol=ENROL)

    noted_ones = begin_night(At(ground, now()))

    assert noted_ones == []


def run_night(ground: Ground) -> list[Any]:
    begin_night(ground.database)
    with capture_logs() as logs:
        backfill(ground.database)
    return [(entry["event"], entry["log_level"], entry["badge"], entry["awards"]) for entry in logs]


def test_a_night_that_finds_nothing_warns_of_nothing(settled: Ground) -> None:
    assert run_night(settled) == [
        ("evaluation.finished", "info", "enrol", 0),
        ("evaluation.finished", "info", "post", 0),
    ]


def test_a_night_that_finds_something_awards_it_and_says_so(settled: Ground) -> None:
    lose_awards(settled, PEOPLE[2])

    logs = run_night(settled)

    assert ("nightly.found_missing", "warning", "enrol", 1) in logs
    assert (PEOPLE[2], "enrol") in settled.earned()


def test_new_rules_come_before_the_night(settled: Ground) -> None:
    begin_night(settled.database)

    apply(settled.database, read(definitions({"enrol": ENROL, "post": A_POST, "zeal": A_POST})))

    assert [each.badge_id for each in settled.database.evaluations()] == ["zeal", "enrol", "post"]
