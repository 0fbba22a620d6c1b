"""Forgetting a person: nothing of them is left, others keep their counts, what comes later is not kept."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from tests.support.bodies import (
    DAY,
    blocked,
    completed,
    enrolled,
    met,
    parted,
    posted,
    registered,
    unblocked,
    updated,
)
from tests.support.forgetting import (
    ADDRESS,
    KEY,
    PROFILE,
    PSEUDONYM,
    WHO,
    consumer,
    forget_user,
    forgotten,
    ingest,
    places,
)
from tests.support.ground import Ground, Statements, badge, definitions, read
from tests.support.outbox import change, enrol_badge, lease, run_out, sent
from tests.support.running import Running
from tests.support.world import World
from worker.adapters.database import forgetting
from worker.adapters.database.engine import transaction
from worker.applying import apply
from worker.awards import AwardState, Ending, Which
from worker.errors import ConfigurationError
from worker.people import Person, Pseudonyms, Unsettled
from worker.reevaluation import backfill
from worker.revoking import ask

FRIENDS = badge({"social_connection": {"threshold": 2}})
PROFILED = registered(0, WHO, **PROFILE)


def user_ids(ground: Ground) -> list[str]:
    with ground.engine.connect() as connection:
        return sorted(connection.scalars(text("SELECT user_id FROM users")))


def connections_of(ground: Ground, user_id: str) -> list[str]:
    with ground.engine.connect() as connection:
        found = text("SELECT object_id FROM activities WHERE user_id = :user AND kind = 'connected'")
        return sorted(connection.scalars(found, {"user": user_id}))


def full_life(ground: Ground) -> World:
    """Let Ada leave traces wherever one can be left."""
    ground.apply(**{"40": enrol_badge("40"), "41": enrol_badge("41")}, friends=FRIENDS)
    ingest(ground, PROFILED, blocked(1, WHO), unblocked(2, WHO), posted(3, WHO, "p1"), enrolled(4, WHO))
    world = World(ground)
    world.issue()
    # Bob has the same address and the same badge: his error names her.
    ingest(ground, updated(5, "bob", email=ADDRESS), enrolled(6, "bob"))
    world.issue()
    ingest(ground, enrolled(7, WHO, "41"), met(8, WHO, "bob"), met(9, "bob", "cid"))
    ingest(ground, *letters())
    with ground.engine.begin() as connection:
        connection.execute(text("UPDATE users SET email = NULL WHERE user_id = 'bob'"))
        connection.execute(text("UPDATE evaluations SET position = :who"), {"who": WHO})
    return world


def letters() -> list[bytes]:
    """Return what is no event and names Ada in one way each."""
    return [
        json.dumps({"type": "user.updated.v1", "data": {"user_id": WHO, "email": 7}}).encode(),
        json.dumps({"data": {"user_ids": ["bob", WHO]}}).encode(),
        json.dumps({"to": f"mailto:{ADDRESS.upper()}"}).encode(),
        json.dumps({"person": {"uuid": PROFILE["uuid"]}}).encode(),
        b'not JSON, of "' + WHO.encode() + b'"',
    ]


def test_nothing_of_a_person_is_left_in_any_table(ground: Ground) -> None:
    full_life(ground)
    before = places(ground)

    done = forgotten(ground)

    assert set(before) >= {
        "users.user_id",
        "users.email",
        "users.uuid",
        "activities.user_id",
        "activities.object_id",
        "counts.user_id",
        "blocks.user_id",
        "awards.user_id",
        "awards.recipient",
        "awards.because",
        "awards.last_error",
        "award_history.user_id",
        "award_history.detail",
        "recipients.recipient",
        "recipients.user_id",
        "dead_letters.body",
        "evaluations.position",
    }
    assert places(ground) == []
    assert (done.dead_letters, done.pseudonym) == (5, PSEUDONYM)
    assert (done.gone.awards_kept, done.gone.awards_deleted, done.gone.connections) == (1, 1, 1)
    assert ground.counts() == ground.recounted()


def test_that_a_badge_was_issued_stays_under_the_pseudonym(ground: Ground) -> None:
    full_life(ground)
    before = ground.award(WHO, "40")
    assert before

    forgotten(ground)

    after = ground.award(PSEUDONYM, "40")
    assert after
    assert (after.state, after.assertion_id) == ("issued", before.assertion_id)
    assert (after.earned_at, after.issued_at) == (before.earned_at, before.issued_at)
    assert ground.history(PSEUDONYM, "40") == ["decided", "sent", "issued", "forgotten"]
    assert ground.award(WHO, "40") is None


def test_dead_letters_of_others_stay(ground: Ground) -> None:
    ingest(ground, PROFILED)
    others = [
        json.dumps({"data": {"user_id": f"{WHO}-2"}}).encode(),
        json.dumps({"data": {"user_id": "bob", "learning_path_id": WHO}}).encode(),
        b"no JSON",
    ]
    ingest(ground, *others, *letters())

    forgotten(ground)

    assert sorted(letter.body for letter in ground.database.list_dead_letters()) == sorted(others)


# What comes later


def test_later_events_of_the_person_are_not_kept(ground: Ground) -> None:
    ground.apply(**{"40": enrol_badge("40")})
    awarding = consumer(ground)
    awarding.ingest([PROFILED, posted(1, WHO, "p1")])
    forgotten(ground)

    known = awarding.ingest([enrolled(2, WHO), posted(3, "bob", "p2"), updated(4, WHO, **PROFILE)])
    fresh = ingest(ground, completed(2, WHO), PROFILED)

    assert (known.events, known.awards, fresh.events) == (3, 0, 2)
    assert places(ground) == []
    assert user_ids(ground) == ["bob"]
    assert ground.counts() == {("bob", "post"): 1}


def test_a_later_message_that_is_no_event_is_not_kept_if_it_names_them(ground: Ground) -> None:
    ingest(ground, PROFILED)
    forgotten(ground)
    named = json.dumps({"data": {"user_id": WHO}}).encode()

    alone = ingest(ground, named)
    ingest(ground, named, b"junk", posted(1, "bob", "p"))

    assert alone.dead == 1
    assert [letter.body for letter in ground.database.list_dead_letters()] == [b"junk"]


def test_who_is_connected_with_them_keeps_the_count_and_what_it_rests_on(ground: Ground) -> None:
    ground.apply(friends=FRIENDS)
    ingest(ground, met(1, WHO, "bob"), met(2, "bob", "cid"))
    before = ground.award("bob", "friends")

    forgotten(ground)

    after = ground.award("bob", "friends")
    assert before
    assert after
    assert [each["object"] for each in before.because] == [WHO, "cid"]
    assert [each["object"] for each in after.because] == [PSEUDONYM, "cid"]
    assert connections_of(ground, "bob") == ["cid", PSEUDONYM]
    assert ground.counts() == {("bob", "connected"): 2, ("cid", "connected"): 1}


def test_an_old_event_that_comes_again_is_the_same_connection(ground: Ground) -> None:
    first = met(1, WHO, "bob")
    ingest(ground, first)
    forgotten(ground)

    ingest(ground, first, first)

    assert connections_of(ground, "bob") == [PSEUDONYM]
    assert ground.counts() == {("bob", "connected"): 1}
    assert places(ground) == []


def test_the_other_one_of_a_later_connection_has_it_with_the_pseudonym(ground: Ground) -> None:
    ground.apply(friends=FRIENDS)
    ingest(ground, PROFILED)
    forgotten(ground)

    done = ingest(ground, met(1, "bob", WHO), met(2, "bob", "cid"))

    assert done.awards == 1
    assert connections_of(ground, "bob") == ["cid", PSEUDONYM]
    assert places(ground) == []
    assert ground.counts() == ground.recounted()


def test_a_later_removal_ends_the_others_connection(ground: Ground) -> None:
    ingest(ground, met(1, WHO, "bob"))
    forgotten(ground)

    ingest(ground, parted(DAY, WHO, "bob"))

    assert ground.counts() == {}
    assert user_ids(ground) == ["bob"]


def test_two_who_are_forgotten_leave_nothing_of_their_connection(ground: Ground) -> None:
    again = met(1, WHO, "bob")
    ingest(ground, again)
    forgotten(ground)
    forgotten(ground, "bob")

    ingest(ground, again)

    assert user_ids(ground) == []
    assert ground.counts() == {}


def test_everybody_is_evaluated_as_before(ground: Ground) -> None:
    ingest(ground, met(1, WHO, "bob"), met(2, "bob", "cid"), enrolled(3, WHO))
    forgotten(ground)

    ground.apply(friends=FRIENDS, enrol=badge({"lp_enroll": {"learning_path_id": "40"}}))

    assert set(ground.earned()) == {("bob", "friends")}


def test_an_evaluation_under_way_goes_on_without_them(ground: Ground) -> None:
    """Its parts are named by the users where they begin and end."""
    store = ground.database
    ingest(ground, *(met(number, name, "bob") for number, name in enumerate([WHO, "aaron", "cid"], 1)))
    apply(store, read(definitions({"friends": FRIENDS})))
    (evaluation,) = store.evaluations()
    with store.at_work() as number:
        part = store.claim(evaluation, number, 2)
        forgotten(ground)
        clean = places(ground)
        store.part_done(part, number) if part else None
        backfill(store)

    assert part
    assert (part.after, part.upto) == ("", WHO)
    assert clean == []
    assert set(ground.earned()) == {("bob", "friends")}


# What it costs


def test_while_nobody_is_forgotten_nothing_more_is_asked(postgres: Ground) -> None:
    awarding = consumer(postgres)
    awarding.ingest([posted(1, "bob", "p1")])

    with Statements(postgres.engine) as asked:
        awarding.ingest([posted(2, "bob", "p2")])

    assert len(asked.without("pg_advisory")) == 3
    assert asked.without("pg_advisory") == asked.without("pg_advisory", "FROM forgotten")


def test_each_user_is_asked_for_once(postgres: Ground) -> None:
    awarding = consumer(postgres)
    awarding.ingest([PROFILED])
    forgotten(postgres)
    awarding.ingest([posted(1, "bob", "p1"), posted(1, WHO, "p2")])

    with Statements(postgres.engine) as asked:
        awarding.ingest([posted(2, "bob", "p3"), posted(2, WHO, "p4")])
        awarding.ingest([posted(3, "cid", "p5")])

    assert len(asked.texts) - len(asked.without("FROM forgotten")) == 1


# Two at once


def test_a_batch_in_flight_is_forgotten_with_the_rest(postgres: Ground) -> None:
    """Alone with the rules, forgetting waits for it; else the batch would bring the person back."""
    ingest(postgres, PROFILED, met(1, WHO, "bob"))
    body = (posted(2, WHO, "p1"), met(3, WHO, "cid"))

    with postgres.holding_batch(*body) as held:
        other = Running(lambda: forgotten(postgres))
        postgres.until_waiting(other)
        waited = not other.ended
        held.commits()
        other.result()

    assert waited
    assert places(postgres) == []
    assert connections_of(postgres, "cid") == [PSEUDONYM]
    assert postgres.counts() == postgres.recounted()


def test_a_batch_that_waited_for_the_forgetting_learns_of_it(postgres: Ground) -> None:
    awarding = consumer(postgres)
    awarding.ingest([PROFILED])
    who, names = Person(WHO), Pseudonyms(KEY)

    with transaction(postgres.engine) as connection:
        forgetting.forget(connection, who, names.hash_of(WHO), names.fingerprint, None)
        batch = Running(lambda: awarding.ingest([posted(2, WHO, "p1"), posted(2, "bob", "p2")]))
        postgres.until_waiting(batch)
        waited = not batch.ended
    batch.result()

    assert waited
    assert user_ids(postgres) == ["bob"]


# The key


@pytest.mark.parametrize(("key", "said"), [(None, "missing"), (f"not {KEY}", "not the one")])
def test_a_consumer_without_the_right_key_keeps_nothing_and_says_so(
    ground: Ground, key: str | None, said: str
) -> None:
    awarding = consumer(ground, key)
    awarding.ingest([PROFILED])
    forgotten(ground)

    with pytest.raises(ConfigurationError, match=f"BADGE_WORKER_SECRET_KEY: {said}"):
        awarding.ingest([posted(1, "bob", "p1")])
    with pytest.raises(ConfigurationError, match=said):
        awarding.ingest([b"junk"])

    assert user_ids(ground) == []
    assert ground.database.number_of_dead_letters() == 0


def test_nobody_is_forgotten_by_another_key_than_those_before(ground: Ground) -> None:
    ingest(ground, PROFILED, posted(1, "bob", "p1"))
    forgotten(ground)

    with pytest.raises(ConfigurationError, match="not the one"):
        forget_user(ground, "bob", key=f"not {KEY}")

    assert user_ids(ground) == ["bob"]


# Awards


@pytest.mark.parametrize("state", ["waiting", "pending", "failed", "earned", "revoked"])
def test_what_was_never_sent_goes(ground: Ground, state: str) -> None:
    ground.apply(**{"40": enrol_badge("40")})
    ingest(ground, PROFILED, enrolled(1, WHO))
    change(ground, state=state)

    done = forgotten(ground)

    assert (done.gone.awards_deleted, done.gone.awards_kept) == (1, 0)
    assert ground.states() == {}
    assert places(ground) == []


@pytest.mark.parametrize("revoke", [False, True])
def test_what_may_be_over_there_is_settled_first(ground: Ground, revoke: bool) -> None:
    """The answer that comes later finds its award by the user, and a look-up goes by the address."""
    ground.apply(**{"40": enrol_badge("40")})
    ingest(ground, PROFILED, enrolled(1, WHO))
    sent(ground)

    with pytest.raises(Unsettled, match=f"user {WHO}: nothing was changed, because the award of 40 is"):
        forget_user(ground, revoke=revoke)
    run_out(ground)
    with pytest.raises(Unsettled):
        forget_user(ground, revoke=revoke)

    assert ground.states() == {WHO: "pending"}
    assert ground.column("revoke_reason") == {WHO: None}
    assert user_ids(ground) == [WHO]
    with ground.database.batch() as batch:
        assert batch.begin([]).forgotten == 0


def test_with_revoke_what_was_issued_is_revoked_though_the_address_is_gone(ground: Ground) -> None:
    world = full_life(ground)

    done = forgotten(ground, revoke=True)
    states = ground.states_of("40")
    world.issue()

    assert done.gone.revocations == 1
    assert states[PSEUDONYM] == "revoking"
    assert ground.states_of("40")[PSEUDONYM] == "revoked"
    assert [each.revoked for each in world.there] == [True]
    assert places(ground) == []


def test_a_revocation_under_way_ends_under_the_pseudonym(ground: Ground) -> None:
    ground.apply(**{"40": enrol_badge("40")})
    ingest(ground, PROFILED, enrolled(1, WHO))
    world = World(ground)
    world.issue()
    (assertion,) = world.there
    list(ask(ground.database, Which("40", (WHO,)), f"user {WHO} left"))
    call = lease(ground)
    ground.database.mark_sent(call.lease_id, call.awards, 30.0, None)

    forgotten(ground)
    ending = Ending(AwardState.REVOKED, "revoked", tried=True)
    ground.database.end_revocations(call.lease_id, {assertion.assertion_id: ending})

    assert ground.states() == {PSEUDONYM: "revoked"}
    assert places(ground) == []


def test_somebody_new_with_the_same_address_gets_no_second_assertion(ground: Ground) -> None:
    """The address is not kept: the provider refuses, and its assertion is linked to the pseudonym's award."""
    world = full_life(ground)
    forgotten(ground)

    ingest(ground, updated(20, "new", email=ADDRESS), enrolled(21, "new"))
    world.issue()  # the provider says that it is there already
    world.issue()  # it is looked up

    assert len(world.there) == 1
    assert ground.states_of("40")["new"] == "failed"
    assert ground.states_of("40")[PSEUDONYM] == "issued"


def test_a_comparison_finds_nothing_to_mend(ground: Ground) -> None:
    world = full_life(ground)
    with ground.engine.begin() as connection:
        connection.execute(text("DELETE FROM awards WHERE user_id = 'bob'"))
    forgotten(ground)

    assert world.found(full=True) == []


# Again


def test_a_second_time_finishes_what_was_interrupted(ground: Ground) -> None:
    ingest(ground, PROFILED, met(1, WHO, "bob"))
    forgotten(ground)
    late = json.dumps({"data": {"user_id": WHO}}).encode()
    with ground.database.batch() as batch:
        batch.bury([(late, "no event")])

    again = forgotten(ground)

    assert (again.before, again.dead_letters, again.gone.activities) == (True, 1, 0)
    assert places(ground) == []
    assert ground.counts() == {("bob", "connected"): 1}


def test_nobody_is_no_user(ground: Ground) -> None:
    assert forget_user(ground, "nobody") is None
    with ground.database.batch() as batch:
        assert batch.begin([]).forgotten == 0
