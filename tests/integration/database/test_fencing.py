"""Fencing: a call goes out once, by whoever holds the lease, to the address it was meant for (design 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.ground import Ground, now
from tests.support.outbox import (
    admit,
    award_due,
    change,
    enrol_badge,
    issued,
    lease,
    leased,
    make_due,
    run_out,
    sent,
    stored,
)
from tests.support.running import Running
from worker.adapters.database import calls
from worker.adapters.database.engine import transaction
from worker.awards import AwardState, Ending
from worker.errors import LeaseLost

if TYPE_CHECKING:
    from worker.awards import Call

DEADLINE = 30.0
UNCERTAIN = Ending(AwardState.PENDING, "uncertain", "no answer", tried=True, uncertain=True)


@pytest.fixture
def due(ground: Ground) -> Ground:
    """Ground on which one award of one badge is due: that of Ada."""
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada")
    return ground


def mark(ground: Ground, call: Call, awards: int = 1, deadline: float = DEADLINE) -> None:
    ground.database.mark_sent(call.lease_id, awards, deadline, None)


# Sending


def test_the_sending_is_committed_before_the_call(due: Ground) -> None:
    call, ready = leased(due)

    at = due.database.mark_sent(call.lease_id, len(ready), DEADLINE, None)

    assert stored(due, "ada", "state", "lease_id", "sent_at") == ("issuing", call.lease_id, at)
    assert due.history("ada", "40") == ["decided", "sent"]


def test_a_second_sender_of_the_same_lease_is_refused(due: Ground) -> None:
    call, _ = leased(due)
    mark(due, call)

    with pytest.raises(LeaseLost):
        mark(due, call)

    assert due.database.prepare(call.lease_id) == []


def test_the_sender_itself_may_repeat_what_was_not_accepted(due: Ground) -> None:
    call, at = sent(due)

    again = due.database.mark_sent(call.lease_id, 1, DEADLINE, at)

    assert again > at
    with pytest.raises(LeaseLost):
        due.database.mark_sent(call.lease_id, 1, DEADLINE, at)


def test_two_senders_of_one_lease_at_once_are_one(postgres: Ground) -> None:
    postgres.apply(**{"40": enrol_badge("40")})
    award_due(postgres, "ada")
    call, _ = leased(postgres)

    with transaction(postgres.engine) as connection:
        calls.mark_sent(connection, call.lease_id, 1, DEADLINE, None)
        other = Running(lambda: mark(postgres, call))
        postgres.until_waiting(other)

    with pytest.raises(LeaseLost):
        other.result()
    assert postgres.history("ada", "40") == ["decided", "sent"]


def test_a_lease_that_ran_out_sends_nothing(due: Ground) -> None:
    call, _ = leased(due)
    run_out(due)

    with pytest.raises(LeaseLost):
        mark(due, call)

    assert stored(due, "ada", "state", "sent_at") == ("pending", None)


def test_a_lease_that_somebody_else_has_by_now_sends_nothing(due: Ground) -> None:
    late, _ = leased(due)
    run_out(due)
    call, _ = leased(due)

    with pytest.raises(LeaseLost):
        mark(due, late)
    mark(due, call)

    assert stored(due, "ada", "lease_id") == (call.lease_id,)


@pytest.mark.parametrize(("left", "goes_out"), [(20.0, False), (200.0, True)])
def test_a_lease_must_outlast_the_call(due: Ground, left: float, *, goes_out: bool) -> None:
    call, _ = leased(due)
    change(due, lease_until=now() + timedelta(seconds=left))

    if goes_out:
        mark(due, call, deadline=30.0)
    else:
        with pytest.raises(LeaseLost):
            mark(due, call, deadline=30.0)

    assert (stored(due, "ada", "sent_at") != (None,)) == goes_out


def test_a_call_goes_out_for_all_its_awards_or_for_none(due: Ground) -> None:
    award_due(due, "bob")
    call, _ = leased(due)
    due.database.end(call.lease_id, {"bob": Ending(AwardState.FAILED, "refused")})

    with pytest.raises(LeaseLost):
        mark(due, call, awards=2)

    assert stored(due, "ada", "sent_at") == (None,)
    assert due.history("ada", "40") == ["decided"]


# Leases that run out


def test_an_unsent_lease_that_ran_out_is_simply_pending_again(due: Ground) -> None:
    leased(due)

    run_out(due)

    assert stored(due, "ada", "state", "uncertain", "attempts") == ("pending", False, 0)
    assert lease(due).settle is False


def test_a_sent_lease_that_ran_out_is_uncertain_until_it_may_be_looked_up(due: Ground) -> None:
    _, at = sent(due)

    run_out(due)

    state, uncertain, attempts, due_at = stored(due, "ada", "state", "uncertain", "attempts", "due_at")
    assert (state, uncertain, attempts) == ("pending", True, 1)
    assert due_at == at + timedelta(seconds=60)
    assert due.history("ada", "40") == ["decided", "sent", "lease ran out after sending"]


def test_a_lease_that_has_time_left_is_nobody_elses(due: Ground) -> None:
    call, _ = sent(due)

    taken_back = due.database.reclaim("academy", 60.0)

    assert taken_back == 0
    assert admit(due) == []
    assert stored(due, "ada", "state", "lease_id") == ("issuing", call.lease_id)


def test_leases_of_another_issuer_are_left_alone(due: Ground) -> None:
    leased(due)
    change(due, lease_until=now() - timedelta(seconds=1))

    assert due.database.reclaim("partner", 60.0) == 0
    assert due.database.reclaim("academy", 60.0) == 1


def test_a_late_answer_is_recorded_if_nobody_took_the_award_up(due: Ground) -> None:
    call, _ = sent(due)
    run_out(due)

    due.database.end(call.lease_id, issued("ada"))

    award = due.award("ada", "40")
    assert award is not None
    assert (award.state, award.assertion_id, award.uncertain) == ("issued", "A1", False)


def test_a_late_answer_is_dropped_if_somebody_else_has_the_award(due: Ground) -> None:
    late, _ = sent(due)
    run_out(due)
    make_due(due)
    call = lease(due)

    due.database.end(late.lease_id, issued("ada", "LATE"))
    still = stored(due, "ada", "state", "lease_id", "assertion_id")
    due.database.end(call.lease_id, issued("ada", "FOUND"))

    assert still == ("issuing", call.lease_id, None)
    assert stored(due, "ada", "state", "assertion_id") == ("issued", "FOUND")


def test_an_answer_that_comes_twice_is_recorded_once(due: Ground) -> None:
    call, _ = sent(due)

    due.database.end(call.lease_id, issued("ada", "A1"))
    due.database.end(call.lease_id, issued("ada", "A2"))

    assert stored(due, "ada", "assertion_id", "attempts") == ("A1", 1)
    assert due.history("ada", "40") == ["decided", "sent", "issued"]


def test_work_that_is_handed_back_unsent_is_due_at_once_and_no_attempt(due: Ground) -> None:
    call, _ = leased(due)

    due.database.hand_back(call.lease_id)

    assert stored(due, "ada", "state", "attempts", "lease_id", "recipient") == ("pending", 0, None, None)
    assert lease(due).settle is False


def test_work_that_was_sent_cannot_be_handed_back(due: Ground) -> None:
    call, _ = sent(due)

    due.database.hand_back(call.lease_id)

    assert stored(due, "ada", "state", "lease_id") == ("issuing", call.lease_id)


# Uncertain awards


def test_an_uncertain_award_is_only_looked_up(due: Ground) -> None:
    call, _ = sent(due)
    due.database.end(call.lease_id, {"ada": UNCERTAIN})
    award_due(due, "bob")

    both = admit(due)

    assert {(each.settle, each.awards) for each in both} == {(True, 1), (False, 1)}
    asked = {each.settle: [a.user_id for a in due.database.prepare(each.lease_id)] for each in both}
    assert asked == {True: ["ada"], False: ["bob"]}


def test_an_uncertain_award_is_not_looked_up_before_its_time(due: Ground) -> None:
    sent(due)
    run_out(due)

    too_early = admit(due)
    make_due(due)

    assert too_early == []
    assert lease(due).settle is True


def test_a_look_up_that_is_handed_back_leaves_the_award_uncertain(due: Ground) -> None:
    sent(due)
    run_out(due)
    make_due(due)
    call = lease(due)
    due.database.prepare(call.lease_id)

    due.database.hand_back(call.lease_id)

    assert stored(due, "ada", "uncertain", "recipient") == (True, "ada@example.org")
    assert lease(due).settle is True


def test_a_look_up_whose_lease_ran_out_leaves_the_award_uncertain(due: Ground) -> None:
    sent(due)
    run_out(due)
    make_due(due)
    leased(due)

    run_out(due)

    assert stored(due, "ada", "uncertain", "recipient") == (True, "ada@example.org")
    assert lease(due).settle is True
