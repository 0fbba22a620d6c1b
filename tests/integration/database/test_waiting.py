"""What an award waits for: an address, and for Credly both names too (contract.md 4); and its issuer."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.support.bodies import enrolled, updated
from tests.support.ground import Ground
from tests.support.outbox import admit, award_due, enrol_badge, lease, make_due, run_out, sent, stored
from tests.support.running import Running

ADDRESS = updated(1, "ada", email="ada@example.org")
FIRST = updated(2, "ada", first_name="Ada")
LAST = updated(3, "ada", last_name="Lovelace")


@pytest.fixture
def academy(ground: Ground) -> Ground:
    ground.apply(**{"40": enrol_badge("40")})
    return ground


@pytest.fixture
def partner(ground: Ground) -> Ground:
    ground.apply(**{"40": enrol_badge("40", by="partner")})
    return ground


def test_at_badgr_an_address_is_enough(academy: Ground) -> None:
    academy.ingest(enrolled(5, "ada"))
    before = academy.states()

    academy.ingest(ADDRESS)

    assert (before, academy.states()) == ({"ada": "waiting"}, {"ada": "pending"})


def test_at_credly_address_and_both_names_are_waited_for_in_any_order(partner: Ground) -> None:
    for first, second, third in permutations([ADDRESS, FIRST, LAST]):
        partner.clear()
        states = []
        partner.ingest(enrolled(5, "ada"))
        for body in (first, second, third):
            partner.ingest(body)
            states.append(partner.states()["ada"])

        assert states == ["waiting", "waiting", "pending"]


def test_at_credly_what_is_known_before_the_award_is_not_waited_for(partner: Ground) -> None:
    partner.ingest(ADDRESS, FIRST, LAST)

    partner.ingest(enrolled(5, "ada"))

    assert partner.states() == {"ada": "pending"}


def test_at_credly_blank_names_are_none(partner: Ground) -> None:
    partner.ingest(enrolled(5, "ada"), ADDRESS, FIRST, updated(4, "ada", last_name="  "))

    assert partner.states() == {"ada": "waiting"}


def test_a_backfill_waits_for_the_names_too(ground: Ground) -> None:
    ground.ingest(enrolled(5, "ada"), ADDRESS, enrolled(5, "bob"), updated(1, "bob", email="b@example.org"))
    ground.ingest(updated(2, "bob", first_name="Bob", last_name="Builder"))

    ground.apply(**{"40": enrol_badge("40", by="partner")})

    assert ground.states() == {"ada": "waiting", "bob": "pending"}


def test_awards_that_were_not_sent_go_to_the_new_issuer_with_what_that_needs(academy: Ground) -> None:
    award_due(academy, "ada", "bob")
    academy.ingest(updated(2, "bob", first_name="Bob", last_name="Builder"))

    academy.apply(**{"40": enrol_badge("40", by="partner")})

    assert academy.states() == {"ada": "waiting", "bob": "pending"}
    assert academy.column("issuer") == {"ada": "partner", "bob": "partner"}


def test_an_award_that_is_leased_while_its_badge_changes_its_issuer_is_not_sent_to_the_old_one(
    academy: Ground,
) -> None:
    award_due(academy, "ada")
    call = lease(academy)
    academy.apply(**{"40": enrol_badge("40", by="partner")})

    ready = academy.database.prepare(call.lease_id)

    assert ready == []
    assert stored(academy, "ada", "state", "issuer") == ("pending", "partner")


def test_it_then_waits_for_what_the_new_issuer_needs(academy: Ground) -> None:
    award_due(academy, "ada")
    call = lease(academy)
    academy.apply(**{"40": enrol_badge("40", by="partner")})
    academy.database.prepare(call.lease_id)

    again = lease(academy, issuer="partner")
    ready = academy.database.prepare(again.lease_id)
    waiting = academy.states()
    academy.ingest(FIRST, LAST)

    assert ready == []
    assert (waiting, academy.states()) == ({"ada": "waiting"}, {"ada": "pending"})


def test_names_that_come_while_an_award_is_found_to_lack_them_wake_it(postgres: Ground) -> None:
    """Whoever brings them does not see it waiting, and whoever lets it wait does not see them."""
    postgres.apply(**{"40": enrol_badge("40")})
    award_due(postgres, "ada")
    call = lease(postgres)
    postgres.apply(**{"40": enrol_badge("40", by="partner")})
    postgres.database.prepare(call.lease_id)
    again = lease(postgres, issuer="partner")

    with postgres.holding_batch(FIRST, LAST) as consumer:
        caller = Running(lambda: postgres.database.prepare(again.lease_id))
        postgres.until_waiting(caller)
        consumer.commits()
        ready = caller.result()

    assert ready == []
    assert postgres.states() == {"ada": "pending"}


def test_an_award_that_may_have_been_sent_stays_with_the_issuer_that_may_have_it(academy: Ground) -> None:
    award_due(academy, "ada")
    sent(academy)
    run_out(academy)

    academy.apply(**{"40": enrol_badge("40", by="partner")})
    make_due(academy)
    (call,) = admit(academy)

    assert call.settle
    assert [each.badgeclass for each in academy.database.prepare(call.lease_id)] == ["class-40"]


def test_a_badge_that_loses_its_issuer_has_its_unsent_awards_earned(academy: Ground) -> None:
    award_due(academy, "ada")
    academy.ingest(enrolled(5, "bob"))

    academy.apply(**{"40": {name: value for name, value in enrol_badge("40").items() if name != "issue"}})

    assert academy.states() == {"ada": "earned", "bob": "earned"}
    assert academy.column("issuer") == {"ada": None, "bob": None}
