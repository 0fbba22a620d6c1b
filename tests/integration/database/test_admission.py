"""Admission: what is due goes out once, fairly, and no more of it than there is room for (design.md 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.support.bodies import enrolled, updated
from tests.support.ground import Ground, now
from tests.support.outbox import ADMISSION, admit, award_due, change, enrol_badge, issued, stored
from tests.support.running import Running
from worker.adapters.database import admission
from worker.adapters.database.engine import transaction

if TYPE_CHECKING:
    from worker.awards import Call


@pytest.fixture
def badges(ground: Ground) -> Ground:
    """Ground with three issued badges."""
    return three_badges(ground)


def three_badges(ground: Ground) -> Ground:
    ground.apply(**{name: enrol_badge(name) for name in ("a", "b", "c")})
    return ground


def due(ground: Ground, badge_id: str, number: int, *, backfilled: bool = False) -> list[str]:
    """Let so many new users have a due award of this badge."""
    people = [f"{badge_id}-{'late' if backfilled else 'fresh'}-{index:03}" for index in range(number)]
    bodies = [updated(1, name, email=f"{name}@example.org") for name in people]
    ground.ingest(*bodies, *(enrolled(2, name, badge_id) for name in people))
    if backfilled:
        change(ground, people, backfilled=True)
    return people


def badges_of(calls: list[Call]) -> list[str]:
    return [call.badge_id for call in calls]


def users_of(ground: Ground, call: Call) -> list[str]:
    return [each.user_id for each in ground.database.prepare(call.lease_id)]


# Room


def test_due_awards_of_a_badge_go_out_together(badges: Ground) -> None:
    people = due(badges, "a", 3)

    (call,) = admit(badges)

    assert (call.issuer, call.badge_id, call.awards, call.settle) == ("academy", "a", 3, False)
    assert users_of(badges, call) == people
    assert stored(badges, people[0], "state", "lease_id", "lease_until") == (
        "issuing",
        call.lease_id,
        call.lease_until,
    )


def test_a_call_has_fifty_awards_at_most(badges: Ground) -> None:
    due(badges, "a", 120)

    calls = admit(badges)

    assert [call.awards for call in calls] == [50, 50]


def test_no_more_is_admitted_than_the_rate_limit_has_room_for(badges: Ground) -> None:
    for name in ("a", "b", "c"):
        due(badges, name, 1)

    first = admit(badges, room=2)
    again = admit(badges, room=2)

    assert len(first) == 2
    assert again == [], "two calls are on their way to the room that there is"


def test_what_was_sent_has_its_permit_and_takes_no_more_room(badges: Ground) -> None:
    for name in ("a", "b", "c"):
        due(badges, name, 1)
    (call,) = admit(badges, room=1)
    badges.database.prepare(call.lease_id)
    badges.database.mark_sent(call.lease_id, 1, 30.0, None)

    assert len(admit(badges, room=1)) == 1


def test_no_more_calls_are_in_flight_than_the_cap(badges: Ground) -> None:
    due(badges, "a", 120)
    due(badges, "b", 1)

    first = admit(badges, in_flight=2)
    again = admit(badges, in_flight=3)

    assert (len(first), len(again)) == (2, 1)


def test_without_room_nothing_is_admitted(badges: Ground) -> None:
    due(badges, "a", 1)

    assert admit(badges, room=0) == []
    assert badges.states() == {"a-fresh-000": "pending"}


def test_what_is_not_due_yet_stays(badges: Ground) -> None:
    people = due(badges, "a", 2)
    change(badges, people[:1], due_at=now() + timedelta(seconds=60))

    (call,) = admit(badges)

    assert users_of(badges, call) == people[1:]


def test_another_issuers_awards_stay(badges: Ground) -> None:
    due(badges, "a", 1)

    assert admit(badges, issuer="partner") == []


# Fairness


def test_badges_take_turns(badges: Ground) -> None:
    for name in ("a", "b", "c"):
        due(badges, name, 101)

    turns = []
    for _ in range(3):
        calls = admit(badges, room=100, in_flight=1)
        turns += badges_of(calls)
        badges.database.hand_back(calls[0].lease_id)

    assert sorted(turns) == ["a", "b", "c"]


def test_one_run_gives_each_badge_a_call_before_any_gets_a_second(badges: Ground) -> None:
    due(badges, "a", 101)
    due(badges, "b", 101)
    due(badges, "c", 1)

    assert sorted(badges_of(admit(badges, in_flight=5))) == ["a", "a", "b", "b", "c"]


def test_while_little_is_due_one_call_of_a_badge_gathers_it(badges: Ground) -> None:
    due(badges, "a", 1)
    (first,) = admit(badges)
    due(badges, "b", 1)
    award_due(badges, "more-1", "more-2", badge_id="a")

    while_under_way = admit(badges)
    badges.database.hand_back(first.lease_id)
    (gathered,) = [call for call in admit(badges) if call.badge_id == "a"]

    assert badges_of(while_under_way) == ["b"]
    assert gathered.awards == 3


def test_while_much_is_due_a_badge_has_many_calls(badges: Ground) -> None:
    due(badges, "a", 101)

    first = admit(badges)
    again = admit(badges)

    assert [call.awards for call in first] == [50, 50]
    assert again == [], "the last one gathers more while two calls are under way"


def test_fresh_awards_go_out_before_backfilled_ones_of_the_same_badge(badges: Ground) -> None:
    late = due(badges, "a", 55, backfilled=True)
    fresh = due(badges, "a", 2)

    (call,) = admit(badges, in_flight=1)

    assert set(users_of(badges, call)) == {*fresh, *late[:48]}


def test_fresh_awards_go_out_before_backfilled_ones_of_other_badges(badges: Ground) -> None:
    due(badges, "a", 101, backfilled=True)
    due(badges, "b", 101)

    assert badges_of(admit(badges, in_flight=2)) == ["b", "b"]


def test_a_backfill_does_not_slow_the_fresh_awards_of_a_busy_badge(badges: Ground) -> None:
    """Even where its own badge has fresh ones too: those go first, then the other's."""
    due(badges, "a", 200, backfilled=True)
    due(badges, "a", 1)
    due(badges, "b", 151)

    assert sorted(badges_of(admit(badges, in_flight=4))) == ["a", "b", "b", "b"]


def test_what_is_to_be_looked_up_goes_out_first(badges: Ground) -> None:
    due(badges, "a", 1)
    people = due(badges, "b", 1)
    change(badges, people, uncertain=True)

    (call,) = admit(badges, room=1)

    assert (call.badge_id, call.settle) == ("b", True)


def test_a_badge_that_just_had_its_turn_waits_for_the_others(badges: Ground) -> None:
    due(badges, "a", 1)
    due(badges, "b", 1)
    (first,) = admit(badges, room=1)
    badges.database.hand_back(first.lease_id)

    (second,) = admit(badges, room=1)

    assert {first.badge_id, second.badge_id} == {"a", "b"}


# Two dispatchers


def test_two_dispatchers_at_once_admit_nothing_twice(postgres: Ground) -> None:
    three_badges(postgres)
    people = [name for badge_id in ("a", "b", "c") for name in due(postgres, badge_id, 60)]

    with transaction(postgres.engine) as connection:
        mine = admission.admit(connection, ADMISSION)
        other = Running(lambda: admit(postgres))
        postgres.until_waiting(other)

    calls = [*mine, *other.result()]
    taken = [name for call in calls for name in users_of(postgres, call)]
    assert len(taken) == len(set(taken)) == 150
    assert set(taken) < set(people)


def test_two_dispatchers_at_once_keep_the_cap_and_the_room(postgres: Ground) -> None:
    three_badges(postgres)
    for badge_id in ("a", "b", "c"):
        due(postgres, badge_id, 60)
    wanted = replace(ADMISSION, room=3, in_flight=3)

    with transaction(postgres.engine) as connection:
        mine = admission.admit(connection, wanted)
        other = Running(lambda: postgres.database.admit(wanted))
        postgres.until_waiting(other)

    assert len(mine) == 3
    assert other.result() == []


def test_an_award_that_somebody_else_writes_is_passed_over_and_not_waited_for(postgres: Ground) -> None:
    three_badges(postgres)
    held, free = due(postgres, "a", 2)

    with postgres.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM awards WHERE user_id = :held FOR UPDATE"), {"held": held})
        dispatcher = Running(lambda: admit(postgres))
        postgres.until_waiting(dispatcher)
        waited = not dispatcher.ended
        connection.rollback()

    (call,) = dispatcher.result()
    assert not waited
    assert users_of(postgres, call) == [free]


def test_many_dispatchers_and_callers_issue_each_award_once(postgres: Ground) -> None:
    three_badges(postgres)
    people = [name for badge_id in ("a", "b", "c") for name in due(postgres, badge_id, 55)]
    taken: list[str] = []

    def dispatch() -> None:
        while calls := admit(postgres, in_flight=100):
            for call in calls:
                users = users_of(postgres, call)
                taken.extend(users)
                endings = [issued(name, f"assertion-{name}") for name in users]
                postgres.database.end(
                    call.lease_id, {name: each for end in endings for name, each in end.items()}
                )

    dispatchers = [Running(dispatch) for _ in range(4)]
    for dispatcher in dispatchers:
        dispatcher.result()
    dispatch()

    assert sorted(taken) == sorted(people)
    assert set(postgres.states().values()) == {"issued"}
