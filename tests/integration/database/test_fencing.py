"""Fencing: a call goes out once, by whoever holds the lease, to the address it was meant for (design 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from tests.support.bodies import updated
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
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.schema import badges, recipients
from worker.awards import AwardState, Ending
from worker.errors import LeaseLost

if TYPE_CHECKING:
    from worker.awards import Call

DEADLINE = 30.0
UNCERTAIN = Ending(AwardState.PENDING, "uncertain", "no answer", tried=True, uncertain=True)
NOT_SENT = Ending(AwardState.PENDING, "not sent", "connection refused", tried=True)


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


@pytest.mark.parametrize(("left", "goes_out"), [(29.0, False), (35.0, True)])
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


# The address


def test_the_address_is_sent_in_lower_case(due: Ground) -> None:
    due.ingest(updated(5, "ada", email=" Ada@Example.ORG "))

    _, ready = leased(due)

    assert [each.recipient for each in ready] == ["ada@example.org"]


def test_an_address_that_may_have_been_used_is_frozen(due: Ground) -> None:
    sent(due)
    due.ingest(updated(5, "ada", email="new@example.org"))
    run_out(due)
    make_due(due)

    _, ready = leased(due)

    assert [each.recipient for each in ready] == ["ada@example.org"]


def test_the_badge_class_that_may_have_been_used_is_frozen_with_it(due: Ground) -> None:
    sent(due)
    run_out(due)
    make_due(due)
    with due.engine.begin() as connection:
        moved = {**enrol_badge("40"), "issue": {"issuer": "academy", "badgeclass": "class-41"}}
        connection.execute(update(badges).values(definition=moved))

    _, ready = leased(due)

    assert [each.badgeclass for each in ready] == ["class-40"]


@pytest.mark.parametrize("how", ["handed-back", "ran-out", "not-sent"])
def test_an_address_that_was_never_used_is_not_frozen(due: Ground, how: str) -> None:
    call, _ = leased(due)
    if how == "handed-back":
        due.database.hand_back(call.lease_id)
    elif how == "not-sent":
        due.database.end(call.lease_id, {"ada": NOT_SENT})
    else:
        run_out(due)

    due.ingest(updated(5, "ada", email="new@example.org"))
    award_due(due, "bob", address="ada@example.org")
    _, ready = leased(due)

    assert [each.recipient for each in ready] == ["new@example.org", "ada@example.org"]


def test_the_second_user_of_an_address_is_failed_and_told_the_first(due: Ground) -> None:
    award_due(due, "bob", address="ADA@example.org")

    _, ready = leased(due)

    assert [each.user_id for each in ready] == ["ada"]
    second = due.award("bob", "40")
    assert second is not None
    assert (second.state, second.attempts) == ("failed", 1)
    assert "user ada" in str(second.last_error)


def test_an_address_is_the_first_users_for_good_once_it_was_issued_to(due: Ground) -> None:
    call, _ = sent(due)
    due.database.end(call.lease_id, issued("ada"))
    due.ingest(updated(5, "ada", email="new@example.org"))
    award_due(due, "bob", address="ada@example.org")

    leased(due)

    assert due.states() == {"ada": "issued", "bob": "failed"}


def test_an_address_is_free_again_when_its_award_failed(due: Ground) -> None:
    award_due(due, "bob", address="ada@example.org")
    call, _ = leased(due)
    due.database.end(call.lease_id, {"ada": Ending(AwardState.FAILED, "refused", "no such mailbox")})
    due.database.retry(AwardFilter(user_id="bob"))

    _, ready = leased(due)

    assert [each.user_id for each in ready] == ["bob"]


def test_one_address_may_have_many_badges(due: Ground) -> None:
    due.apply(**{"40": enrol_badge("40"), "41": enrol_badge("41")})
    award_due(due, "bob", badge_id="41", address="ada@example.org")

    ready = [due.database.prepare(call.lease_id) for call in admit(due)]

    assert sorted(each.user_id for awards in ready for each in awards) == ["ada", "bob"]


def test_what_is_too_long_for_an_address_fails_alone(due: Ground) -> None:
    """No index would hold it, and with it the whole call would fail again and again."""
    long = "".join(chr(0x10000 + number * 997) for number in range(1000)) + "@example.org"
    award_due(due, "bob", address=long)

    _, ready = leased(due)

    assert [each.user_id for each in ready] == ["ada"]
    failed = due.award("bob", "40")
    assert failed is not None
    assert (failed.state, failed.last_error) == ("failed", "the address of this user has 1012 characters")


def test_two_calls_at_once_for_one_address_are_told_apart(postgres: Ground) -> None:
    postgres.apply(**{"40": enrol_badge("40")})
    award_due(postgres, "bob", address="ada@example.org")
    call = lease(postgres)

    with postgres.engine.begin() as connection:
        claim = {"badge_id": "40", "recipient": "ada@example.org", "user_id": "ada"}
        connection.execute(insert(recipients).values(claim))
        other = Running(lambda: postgres.database.prepare(call.lease_id))
        postgres.until_waiting(other)

    assert other.result() == []
    assert postgres.states() == {"bob": "failed"}
