"""Awards at a Credly issuer wait for an address and both names, whichever comes last."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from tests.support.bodies import enrolled, updated
from tests.support.ground import ISSUER, badge, read
from tests.support.outbox import ADMISSION, admit, award_due, lease, make_due, run_out, sent, stored
from tests.support.running import Running
from worker.adapters.database.schema import users
from worker.applying import apply

if TYPE_CHECKING:
    from tests.support.ground import Ground
    from worker.awards import Call, LeasedAward

CREDLY = {"provider": "credly", "url": "https://api.credly.com/v1", "organization": "org-1"}
PROFILE = {"email": "ada@example.org", "first_name": "Ada", "last_name": "Lovelace"}
TEMPLATE, BADGECLASS = {"template": "t1"}, {"badgeclass": "c1"}


def define(ground: Ground, issue: dict[str, str] | None, issuer: str = "academy") -> None:
    """Let the badge 40 be earned by enrolling in its path, and issued so."""
    provider = CREDLY if issue == TEMPLATE else ISSUER
    written = badge({"lp_enroll": {"learning_path_id": "40"}})
    if issue is not None:
        written["issue"] = {"issuer": issuer, **issue}
    apply(ground.database, read({"issuers": {issuer: provider}, "badges": {"40": written}}))


@pytest.fixture
def credly(ground: Ground) -> Ground:
    """Ground with one badge, which Credly issues."""
    define(ground, TEMPLATE)
    return ground


def leased(ground: Ground) -> tuple[Call, list[LeasedAward]]:
    call = lease(ground, most_per_call=1)
    return call, ground.database.prepare(call.lease_id)


@pytest.mark.parametrize("order", list(permutations(PROFILE)), ids="-".join)
def test_the_last_piece_makes_the_award_pending(credly: Ground, order: tuple[str, ...]) -> None:
    credly.ingest(enrolled(1, "ada"))
    states = []
    for when, name in enumerate(order, 2):
        states.append(credly.states()["ada"])
        credly.ingest(updated(when, "ada", **{name: PROFILE[name]}))

    assert states == ["waiting"] * 3
    assert credly.states() == {"ada": "pending"}
    assert credly.history("ada", "40") == ["decided", "what it waited for came"]


def test_everything_known_before_or_with_the_award_makes_it_pending_at_once(credly: Ground) -> None:
    credly.ingest(updated(1, "ada", **PROFILE), updated(1, "bob", **PROFILE | {"email": "bob@example.org"}))

    credly.ingest(enrolled(2, "ada"), enrolled(2, "bob"), enrolled(2, "cid"))
    credly.ingest(enrolled(3, "dan"), updated(3, "dan", **PROFILE | {"email": "dan@example.org"}))

    assert credly.states() == {"ada": "pending", "bob": "pending", "cid": "waiting", "dan": "pending"}


def test_a_blank_name_is_no_name(credly: Ground) -> None:
    credly.ingest(enrolled(1, "ada"), updated(1, "ada", **PROFILE | {"last_name": "  "}))
    blank = credly.states()

    credly.ingest(updated(2, "ada", last_name="Lovelace"))

    assert (blank, credly.states()) == ({"ada": "waiting"}, {"ada": "pending"})


def test_names_that_come_do_not_send_what_waits_for_an_address(ground: Ground) -> None:
    define(ground, BADGECLASS)
    ground.ingest(enrolled(1, "ada"), enrolled(1, "bob"))

    ground.ingest(
        updated(2, "ada", first_name="Ada", last_name="Lovelace"), updated(2, "bob", email="b@b.org")
    )

    assert ground.states() == {"ada": "waiting", "bob": "pending"}


def test_a_call_gets_the_names_and_the_template(credly: Ground) -> None:
    credly.ingest(enrolled(1, "ada"), updated(1, "ada", **PROFILE | {"first_name": " Ada "}))

    _, (award,) = leased(credly)

    assert (award.first_name, award.last_name, award.badgeclass) == ("Ada", "Lovelace", "t1")
    assert award.recipient == "ada@example.org"


def test_a_badge_that_moves_to_credly_waits_for_names_when_its_turn_comes(ground: Ground) -> None:
    define(ground, BADGECLASS)
    award_due(ground, "ada")
    define(ground, TEMPLATE)

    _, ready = leased(ground)
    waiting = ground.states()
    ground.ingest(updated(5, "ada", first_name="Ada", last_name="Lovelace"))

    assert ready == []
    assert waiting == {"ada": "waiting"}
    assert ground.states() == {"ada": "pending"}


@pytest.mark.parametrize("issuer", ["academy", "another"])
def test_a_badge_that_leaves_credly_waits_for_no_names(credly: Ground, issuer: str) -> None:
    credly.ingest(enrolled(1, "ada"), updated(1, "ada", email="ada@example.org"), enrolled(1, "bob"))

    define(credly, BADGECLASS, issuer)

    assert credly.states() == {"ada": "pending", "bob": "waiting"}


def test_earned_awards_go_to_a_new_credly_issuer_as_soon_as_names_are_known(ground: Ground) -> None:
    define(ground, None)
    ground.ingest(enrolled(1, "ada"), updated(1, "ada", **PROFILE), enrolled(1, "bob"))
    ground.ingest(updated(1, "bob", email="bob@example.org"))

    define(ground, TEMPLATE)

    assert ground.states() == {"ada": "pending", "bob": "waiting"}


def test_names_that_come_while_a_call_finds_them_missing_are_not_lost(postgres: Ground) -> None:
    """The consumer does not see the award waiting yet; the call does not see the names yet."""
    define(postgres, BADGECLASS)
    award_due(postgres, "ada")
    define(postgres, TEMPLATE)
    call = lease(postgres, most_per_call=1)

    with postgres.holding_batch(updated(5, "ada", first_name="Ada", last_name="Lovelace")) as batch:
        preparing = Running(lambda: postgres.database.prepare(call.lease_id))
        postgres.until_waiting(preparing)
        batch.commits()
        ready = preparing.result()

    assert ready == []
    assert postgres.states() == {"ada": "pending"}


def test_what_is_to_be_looked_up_needs_no_names(credly: Ground) -> None:
    credly.ingest(enrolled(1, "ada"), updated(1, "ada", **PROFILE))
    sent(credly)
    run_out(credly)
    make_due(credly)
    forget_names(credly)

    call, (award,) = leased(credly)

    assert call.settle
    assert (award.badgeclass, award.recipient, award.first_name) == ("t1", "ada@example.org", None)


def forget_names(ground: Ground) -> None:
    with ground.engine.begin() as connection:
        connection.execute(update(users).values(first_name=None, last_name=None))


# One award a call


def people(ground: Ground, number: int) -> list[str]:
    names = [f"user-{index}" for index in range(number)]
    ground.ingest(
        *(updated(1, name, **PROFILE | {"email": f"{name}@example.org"}) for name in names),
        *(enrolled(2, name) for name in names),
    )
    return names


def test_where_a_call_takes_one_award_each_goes_with_its_own(credly: Ground) -> None:
    people(credly, 3)

    calls = admit(credly, most_per_call=1)

    assert [call.awards for call in calls] == [1, 1, 1]
    assert len({call.lease_id for call in calls}) == 3
    assert admit(credly, most_per_call=1) == []


def test_such_calls_do_not_wait_for_each_other_but_for_room(credly: Ground) -> None:
    people(credly, 20)

    first = admit(credly, most_per_call=1, in_flight=5)
    again = admit(credly, most_per_call=1, in_flight=5)
    more = admit(credly, most_per_call=1, in_flight=9, room=7)

    assert (len(first), len(again), len(more)) == (5, 0, 2)


def test_looking_up_goes_one_by_one_too(credly: Ground) -> None:
    people(credly, 2)
    for call in admit(credly, most_per_call=1):
        (award,) = credly.database.prepare(call.lease_id)
        credly.database.mark_sent(call.lease_id, 1, 30.0, None)
        assert award.badgeclass == "t1"
    run_out(credly)
    make_due(credly)

    calls = admit(credly, most_per_call=1)

    assert [(call.settle, call.awards) for call in calls] == [(True, 1), (True, 1)]


def test_fifty_is_what_a_call_takes_unless_told_otherwise() -> None:
    assert ADMISSION.most_per_call == 50


def test_the_template_of_an_award_under_way_is_frozen(credly: Ground) -> None:
    credly.ingest(enrolled(1, "ada"), updated(1, "ada", **PROFILE))
    leased(credly)

    frozen: tuple[Any, ...] = stored(credly, "ada", "recipient", "badgeclass")

    assert frozen == ("ada@example.org", "t1")
