"""The address that an award goes to: frozen once it may have been used, and one user's for each badge."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from tests.support.bodies import updated
from tests.support.ground import Ground
from tests.support.outbox import (
    admit,
    award_due,
    enrol_badge,
    issued,
    lease,
    leased,
    make_due,
    run_out,
    sent,
)
from tests.support.running import Running
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.schema import badges, recipients
from worker.awards import AwardState, Ending

NOT_SENT = Ending(AwardState.PENDING, "not sent", "connection refused", tried=True)


@pytest.fixture
def due(ground: Ground) -> Ground:
    """Ground on which one award of one badge is due: that of Ada."""
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada")
    return ground


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
