"""Revoking (design.md 3): at once, by calls of its own, or after what is under way is settled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.bodies import enrolled, updated
from tests.support.ground import Ground, badge, now
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
from worker.adapters.database import asking
from worker.adapters.database.engine import transaction
from worker.adapters.database.listings import AwardFilter
from worker.awards import AwardState, Call, Ending, RevocationAnswer, Which
from worker.errors import (
    LeaseLost,
)
from worker.revoking import ask

WHY = "awarded by mistake"
REVOKED, QUEUED, REMEMBERED, AGAIN, UNDER_WAY = RevocationAnswer
UNCERTAIN = Ending(AwardState.PENDING, "uncertain", "no answer", tried=True, uncertain=True)
NOT_SENT = Ending(AwardState.PENDING, "not sent", "connection refused", tried=True)


@pytest.fixture
def due(ground: Ground) -> Ground:
    """Ground on which one award of one badge is due: that of Ada."""
    return one_due(ground)


def one_due(ground: Ground) -> Ground:
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada")
    return ground


@pytest.fixture
def there(due: Ground) -> Ground:
    """Ground on which Ada's award is issued."""
    return issue(due)


def issue(ground: Ground) -> Ground:
    call, _ = sent(ground)
    ground.database.end(call.lease_id, issued("ada"))
    return ground


def revoke(ground: Ground, *users: str, badge_id: str | None = "40") -> list[RevocationAnswer]:
    which = Which(badge_id, users or None)
    return [each.answer for each in ask(ground.database, which, WHY)]


def revocation(ground: Ground) -> Call:
    """Lease what is to be revoked for its one call."""
    call = lease(ground)
    assert call.revoke
    return call


def mark(ground: Ground, call: Call) -> None:
    ground.database.mark_sent(call.lease_id, call.awards, 30.0, None)


def done(*names: str) -> dict[str, Ending]:
    return {name: Ending(AwardState.REVOKED, "revoked", tried=True) for name in names or ("A1",)}


# What follows


@pytest.mark.parametrize("state", ["waiting", "pending", "failed", "earned"])
def test_what_was_never_sent_is_revoked_at_once(due: Ground, state: str) -> None:
    change(due, state=state)

    answers = revoke(due)

    assert answers == [REVOKED]
    assert stored(due, "ada", "state", "revoke_reason", "recipient") == ("revoked", WHY, None)
    assert due.history("ada", "40") == ["decided", "revoked"]
    assert admit(due) == []


def test_what_was_issued_is_to_be_revoked_at_the_provider(there: Ground) -> None:
    answers = revoke(there)

    assert answers == [QUEUED]
    assert stored(there, "ada", "state", "revoke_reason", "attempts") == ("revoking", WHY, 0)
    (*_, last) = there.database.history_of("ada", "40")
    assert (last.what, last.actor, last.detail) == ("to be revoked", "operator", {"reason": WHY})


def test_what_is_revoked_or_being_revoked_stays_so(there: Ground) -> None:
    revoke(there)
    again = revoke(there)
    call = revocation(there)
    there.database.end_revocations(call.lease_id, done())

    and_again = revoke(there)

    assert (again, and_again) == ([UNDER_WAY], [AGAIN])
    assert there.history("ada", "40") == ["decided", "sent", "issued", "to be revoked", "revoked"]


def test_only_what_is_meant_is_revoked(ground: Ground) -> None:
    ground.apply(**{"40": enrol_badge("40"), "41": enrol_badge("41")})
    award_due(ground, "ada", "bob", "cid")
    award_due(ground, "ada", badge_id="41")

    by_badge = revoke(ground, "bob", "cid")
    by_user = list(ask(ground.database, Which(user_ids=("ada",)), WHY, chunk=1))

    assert by_badge == [REVOKED, REVOKED]
    assert [(each.user_id, each.badge_id) for each in by_user] == [("ada", "40"), ("ada", "41")]


def test_many_are_asked_for_in_chunks(ground: Ground) -> None:
    ground.apply(**{"40": enrol_badge("40")})
    people = [f"user-{number}" for number in range(7)]
    award_due(ground, *people)

    asked = [each.user_id for each in ask(ground.database, Which("40"), WHY, chunk=3)]

    assert asked == people
    assert ground.database.count_revocable(Which("40")) == 0


def test_a_revoked_badge_is_not_earned_again(due: Ground) -> None:
    revoke(due)

    due.ingest(enrolled(9, "ada", "40"))
    due.apply(**{"40": enrol_badge("40", narrative="changed")})

    assert due.states() == {"ada": "revoked"}


def test_an_address_is_free_again_once_its_badge_is_revoked(there: Ground) -> None:
    award_due(there, "bob", address="ada@example.org")
    leased(there)
    revoke(there, "ada")
    there.database.end_revocations(revocation(there).lease_id, done())
    there.database.retry(AwardFilter(user_id="bob"))

    _, ready = leased(there)

    assert [each.user_id for each in ready] == ["bob"]


def test_a_badge_that_goes_to_another_issuer_leaves_revocations_to_the_old_one(there: Ground) -> None:
    revoke(there)
    call = revocation(there)
    refused = Ending(AwardState.FAILED, "revocation refused", "no permission", tried=True)
    there.database.end_revocations(call.lease_id, {"A1": refused})

    there.apply(**{"40": badge({"lp_enroll": {"learning_path_id": "40"}})})

    assert stored(there, "ada", "state", "issuer") == ("failed", "academy")


@pytest.mark.parametrize("first", [0, 1])
def test_two_who_revoke_the_same_at_once_revoke_it_once(postgres: Ground, first: int) -> None:
    one_due(postgres)
    if first:
        issue(postgres)

    with transaction(postgres.engine) as connection:
        (mine,) = asking.ask(connection, Which("40"), WHY, None, 10)
        other = Running(lambda: revoke(postgres))
        postgres.until_waiting(other)

    assert [mine.answer, *other.result()] == ([QUEUED, UNDER_WAY] if first else [REVOKED, AGAIN])
    assert [what for what in postgres.history("ada", "40") if "revoked" in what] == [
        "to be revoked" if first else "revoked"
    ]


# While it is on its way


def test_what_is_leased_but_not_sent_is_never_sent(due: Ground) -> None:
    call = lease(due)
    answers = revoke(due)

    ready = due.database.prepare(call.lease_id)

    assert (answers, ready) == ([REMEMBERED], [])
    assert due.states() == {"ada": "revoked"}
    assert stored(due, "ada", "recipient", "lease_id") == (None, None)


@pytest.mark.parametrize("how", ["handed-back", "ran-out"])
def test_what_is_not_sent_after_all_is_revoked_at_once(due: Ground, how: str) -> None:
    call, _ = leased(due)
    revoke(due)

    if how == "handed-back":
        due.database.hand_back(call.lease_id)
    else:
        run_out(due)

    assert due.states() == {"ada": "revoked"}
    assert due.history("ada", "40")[-2:] == ["to be revoked once it is settled", "revoked"]
    assert admit(due) == []


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (issued("ada")["ada"], "revoking"),
        (NOT_SENT, "revoked"),
        (Ending(AwardState.FAILED, "refused", "bad address", tried=True), "revoked"),
        (Ending(AwardState.WAITING, "waits for an address"), "revoked"),
        (Ending(AwardState.REVOKED, "revoked over there"), "revoked"),
        (UNCERTAIN, "pending"),
        (Ending(AwardState.FAILED, "refused", "unknown class", uncertain=True), "failed"),
    ],
    ids=[
        "issued",
        "not-sent",
        "refused",
        "no-address",
        "revoked-there",
        "uncertain",
        "uncertain-and-refused",
    ],
)
def test_what_was_being_sent_is_revoked_after_its_end(due: Ground, ending: Ending, state: str) -> None:
    call, _ = sent(due)
    assert revoke(due) == [REMEMBERED]

    due.database.end(call.lease_id, {"ada": ending})

    assert stored(due, "ada", "state", "revoke_reason", "uncertain") == (state, WHY, ending.uncertain)


def test_an_answer_that_comes_late_is_revoked_too(due: Ground) -> None:
    call, _ = sent(due)
    run_out(due)
    assert revoke(due) == [REMEMBERED]

    due.database.end(call.lease_id, issued("ada"))

    assert stored(due, "ada", "state", "assertion_id") == ("revoking", "A1")
    assert revocation(due).awards == 1


def test_an_uncertain_one_that_is_remembered_is_looked_up_first(due: Ground) -> None:
    call, _ = sent(due)
    due.database.end(call.lease_id, {"ada": UNCERTAIN})
    revoke(due)
    make_due(due)

    call = lease(due)

    assert (call.settle, call.revoke) == (True, False)
    assert [each.user_id for each in due.database.prepare(call.lease_id)] == ["ada"]


def test_asking_twice_while_it_is_on_its_way_is_remembered_once(due: Ground) -> None:
    sent(due)

    assert (revoke(due), revoke(due)) == ([REMEMBERED], [UNDER_WAY])


# Admission, leases and fencing


def test_revocations_of_several_badges_go_out_together(ground: Ground) -> None:
    ground.apply(**{"40": enrol_badge("40"), "41": enrol_badge("41")})
    award_due(ground, "ada")
    award_due(ground, "ada", badge_id="41")
    for call in admit(ground):
        ground.database.prepare(call.lease_id)
        ground.database.end(call.lease_id, issued("ada", f"A{call.badge_id}"))
    revoke(ground, badge_id=None)

    call = revocation(ground)

    found = ground.database.prepare_revocations(call.lease_id)
    assert (call.issuer, call.badge_id, call.awards, call.settle) == ("academy", "", 2, False)
    assert [(each.badge_id, each.assertion_id, each.reason) for each in found] == [
        ("40", "A40", WHY),
        ("41", "A41", WHY),
    ]


def many_revoking(ground: Ground, number: int, *, asked: bool = True) -> list[str]:
    ground.apply(**{"40": enrol_badge("40")})
    people = [f"user-{index:03}" for index in range(number)]
    bodies = [updated(1, name, email=f"{name}@example.org") for name in people]
    ground.ingest(*bodies, *(enrolled(2, name, "40") for name in people))
    with ground.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE awards SET state = 'issued', assertion_id = 'A-' || user_id")
    if asked:
        revoke(ground)
    return people


def test_a_call_revokes_fifty_at_most_and_no_more_calls_go_than_have_room(ground: Ground) -> None:
    many_revoking(ground, 120)

    one = admit(ground, room=1)
    rest = admit(ground, room=100)

    assert [call.awards for call in (*one, *rest)] == [50, 50]
    assert admit(ground, room=2) == []  # two are admitted and not sent


def test_while_few_are_due_one_call_at_a_time_gathers_them(there: Ground) -> None:
    revoke(there)
    revocation(there)
    award_due(there, "bob")
    change(there, ["bob"], state="revoking", assertion_id="A2", revoke_reason=WHY)

    assert admit(there) == []


def test_revocations_take_turns_with_fresh_awards(ground: Ground) -> None:
    many_revoking(ground, 200)
    award_due(ground, *(f"fresh-{number}" for number in range(3)))

    turns = [call for _ in range(4) for call in admit(ground, room=1 + len(_leases(ground)))]

    assert sorted(call.revoke for call in turns[:2]) == [False, True]
    assert [call.awards for call in turns if not call.revoke] == [3]


def _leases(ground: Ground) -> set[str]:
    return {lease_id for lease_id in ground.column("lease_id").values() if lease_id}


def test_two_dispatchers_admit_no_revocation_twice(postgres: Ground) -> None:
    many_revoking(postgres, 60)

    both = [Running(lambda: admit(postgres, room=1)) for _ in range(2)]
    calls = [call for each in both for call in each.result()]

    found = [each for call in calls for each in postgres.database.prepare_revocations(call.lease_id)]
    assert len({each.assertion_id for each in found}) == len(found)


def test_a_revocation_is_sent_once_by_whoever_holds_the_lease(there: Ground) -> None:
    revoke(there)
    call = revocation(there)
    mark(there, call)

    with pytest.raises(LeaseLost):
        mark(there, call)

    assert there.database.prepare_revocations(call.lease_id) == []
    assert there.history("ada", "40")[-1] == "revocation sent"


def test_a_lease_that_ran_out_sends_no_revocation(there: Ground) -> None:
    revoke(there)
    call = revocation(there)
    change(there, lease_until=now() + timedelta(seconds=29))

    with pytest.raises(LeaseLost):
        mark(there, call)


@pytest.mark.parametrize("was_sent", [False, True])
def test_a_revocation_whose_lease_ran_out_is_due_again(there: Ground, was_sent: bool) -> None:
    revoke(there)
    call = revocation(there)
    if was_sent:
        mark(there, call)

    run_out(there)
    again = revocation(there)

    assert again.lease_id != call.lease_id
    assert stored(there, "ada", "state", "attempts") == ("revoking", int(was_sent))


def test_a_late_answer_to_a_revocation_is_recorded_if_nobody_took_it_up(there: Ground) -> None:
    revoke(there)
    call = revocation(there)
    mark(there, call)
    run_out(there)

    there.database.end_revocations(call.lease_id, done())

    assert there.states() == {"ada": "revoked"}


def test_a_late_answer_is_dropped_if_somebody_else_revokes(there: Ground) -> None:
    revoke(there)
    late = revocation(there)
    run_out(there)
    call = revocation(there)

    there.database.end_revocations(late.lease_id, done())

    assert stored(there, "ada", "state", "lease_id") == ("revoking", call.lease_id)


def test_a_revocation_that_is_handed_back_is_due_at_once(there: Ground) -> None:
    revoke(there)
    call = revocation(there)

    there.database.hand_back(call.lease_id)

    assert stored(there, "ada", "state", "attempts", "lease_id") == ("revoking", 0, None)
    assert revocation(there).awards == 1


def test_a_revocation_that_failed_is_put_back_to_be_revoked(there: Ground) -> None:
    revoke(there)
    call = revocation(there)
    refused = Ending(AwardState.FAILED, "revocation refused", "no permission", tried=True)
    there.database.end_revocations(call.lease_id, {"A1": refused})

    there.database.retry(AwardFilter(user_id="ada"))

    assert stored(there, "ada", "state", "attempts") == ("revoking", 0)
    assert revocation(there).awards == 1


def test_an_uncertain_one_that_failed_is_put_back_to_be_looked_up(due: Ground) -> None:
    call, _ = sent(due)
    refused = Ending(AwardState.FAILED, "refused", "unknown class", uncertain=True)
    revoke(due)
    due.database.end(call.lease_id, {"ada": refused})
    with due.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET email = NULL")

    due.database.retry(AwardFilter(user_id="ada"))

    assert lease(due).settle is True


def test_asking_for_what_could_not_be_looked_up_has_it_looked_up_again(due: Ground) -> None:
    call, _ = sent(due)
    refused = Ending(AwardState.FAILED, "refused", "unknown class", uncertain=True)
    due.database.end(call.lease_id, {"ada": refused})

    first = revoke(due)
    call = lease(due)
    due.database.end(call.lease_id, {"ada": refused})
    again = revoke(due)

    assert (first, again) == ([REMEMBERED], [REMEMBERED])
    assert call.settle
    assert stored(due, "ada", "state", "uncertain", "revoke_reason") == ("pending", True, WHY)


# Many at once


def test_who_was_killed_midway_asks_again_and_everything_is_revoked_once(ground: Ground) -> None:
    people = many_revoking(ground, 7, asked=False)
    asking_for = ask(ground.database, Which("40"), WHY, chunk=3)
    killed = [next(asking_for) for _ in range(2)]  # the second chunk never comes

    again = [each.answer for each in ask(ground.database, Which("40"), WHY, chunk=3)]

    assert [each.answer for each in killed] == [QUEUED, QUEUED]
    assert again == [UNDER_WAY] * 3 + [QUEUED] * 4
    assert set(ground.states().values()) == {"revoking"}
    assert {tuple(ground.history(user, "40")).count("to be revoked") for user in people} == {1}


def test_a_chunk_is_asked_for_as_a_whole_or_not_at_all(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = many_revoking(ground, 3, asked=False)

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(asking, "write_history", killed)
    with pytest.raises(KeyboardInterrupt):
        revoke(ground)

    assert ground.states() == dict.fromkeys(people, "issued")


def test_failed_revocations_are_among_those_that_are_asked_about(there: Ground) -> None:
    change(there, state="failed", revoke_reason="before")

    assert there.database.count_revocable(Which("40")) == 1
    assert revoke(there) == [QUEUED]
    assert there.database.count_revocable(Which("40")) == 0


def test_asking_for_many_and_sending_them_do_not_wait_for_each_other(postgres: Ground) -> None:
    """A sender locks its awards in the same order as who asks, whatever order they are stored in."""
    postgres.apply(**{"40": enrol_badge("40")})
    award_due(postgres, "bob", "ada")
    call, _ = leased(postgres)
    change(postgres, ["bob"], attempts=0)
    change(postgres, ["ada"], attempts=0)  # what was written last is stored last

    with transaction(postgres.engine) as connection:
        asking.ask(connection, Which("40", ("ada",)), WHY, None, 10)
        sender = Running(lambda: postgres.database.mark_sent(call.lease_id, 2, 30.0, None))
        postgres.until_waiting(sender)
        asked = asking.ask(connection, Which("40", ("bob",)), WHY, None, 10)

    assert [each.answer for each in asked] == [REMEMBERED]
    assert sender.result() is not None
