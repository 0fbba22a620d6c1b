"""An assertion is one award's: the database holds to it, and a call that finds another's says whose it is."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from tests.support.ground import Ground
from tests.support.outbox import admit, award_due, change, enrol_badge, issued, lease, leased, stored


@pytest.fixture
def taken(ground: Ground) -> Ground:
    """Ada's award of one badge is linked to A1; her award of another and Bob's are due."""
    ground.apply(**{"40": enrol_badge("40"), "41": enrol_badge("41")})
    award_due(ground, "ada", badge_id="40")
    call, _ = leased(ground)
    ground.database.end(call.lease_id, issued("ada", "A1"))
    award_due(ground, "bob", badge_id="41")
    award_due(ground, "zoe", badge_id="41")
    return ground


def test_two_awards_of_an_issuer_cannot_have_one_assertion(taken: Ground) -> None:
    with pytest.raises(IntegrityError):
        change(taken, ["bob"], assertion_id="A1")


def test_two_issuers_may_give_their_assertions_the_same_id(taken: Ground) -> None:
    change(taken, ["bob"], assertion_id="A1", issuer="partner")

    assert stored(taken, "bob", "assertion_id") == ("A1",)


def test_an_assertion_of_another_award_fails_alone_and_names_whose_it_is(taken: Ground) -> None:
    call = lease(taken)
    taken.database.prepare(call.lease_id)

    taken.database.end(call.lease_id, issued("bob", "A1") | issued("zoe", "A2"))

    assert stored(taken, "bob", "state", "assertion_id", "last_error") == (
        "failed",
        None,
        "the provider's assertion is linked to badge 40 of user ada already",
    )
    assert stored(taken, "zoe", "state", "assertion_id") == ("issued", "A2")
    assert admit(taken) == []
