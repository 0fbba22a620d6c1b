"""Deliveries: at least once and in any order, the same events lead to the same counts and awards."""

from __future__ import annotations

import hashlib
import random
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.support.bodies import (
    DAY,
    at,
    enrolled,
    event,
    met,
    parted,
    posted,
    registered,
    unposted,
    updated,
)
from tests.support.failing import refuse_object
from tests.support.ground import Ground, badge
from worker.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

ENROL = badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True)
TWO_POSTS = badge({"social_engagement": {"threshold": 2}})
TWO_FRIENDS = badge({"social_connection": {"threshold": 2}})


def story() -> list[bytes]:
    """Return events that take something away, but never from somebody who would have earned before."""
    return [
        registered(0, "ada", email="Ada@example.org"),
        enrolled(10, "ada"),
        posted(20, "ada", "p1"),
        posted(30, "ada", "p2"),
        posted(40, "bob", "p3"),
        unposted(35, "bob", "p3"),
        met(50, "ada", "bob"),
        met(60, "ada", "eve"),
        parted(55, "eve", "bob"),
    ]


def test_repeated_and_shuffled_deliveries_lead_to_the_same_counts_and_awards(ground: Ground) -> None:
    ground.apply(enrol=ENROL, posts=TWO_POSTS, friends=TWO_FRIENDS)
    bodies = story()
    ground.ingest(*bodies)
    expected = ground.earned(), ground.counts()

    for seed in range(5):
        ground.clear()
        shuffled = bodies * 2
        random.Random(seed).shuffle(shuffled)  # noqa: S311 # repeatable, not secret
        ground.ingest(*shuffled, size=1 + seed * 2)
        assert (ground.earned().keys(), ground.counts()) == (expected[0].keys(), expected[1])

    assert expected == (
        {("ada", "enrol"): at(10), ("ada", "posts"): at(30), ("ada", "friends"): at(60)},
        {
            ("ada", "enrolled"): 1,
            ("ada", "post"): 2,
            ("ada", "connected"): 2,
            ("bob", "connected"): 1,
            ("eve", "connected"): 1,
        },
    )


def test_the_same_batch_again_changes_nothing(ground: Ground) -> None:
    ground.apply(enrol=ENROL, posts=TWO_POSTS, friends=TWO_FRIENDS)
    bodies = story()
    first = ground.ingest(*bodies)
    before = ground.earned(), ground.counts(), ground.history("ada", "enrol")

    again = ground.ingest(*bodies)

    assert (first.events, first.awards) == (9, 3)
    assert (again.events, again.awards) == (9, 0)
    assert (ground.earned(), ground.counts(), ground.history("ada", "enrol")) == before


def test_a_second_meeting_of_a_connected_pair_counts_once(ground: Ground) -> None:
    ground.ingest(met(1, "ada", "bob"))

    ground.ingest(met(2, "bob", "ada"))

    assert ground.counts() == {("ada", "connected"): 1, ("bob", "connected"): 1}


def test_a_removal_that_comes_before_its_beginning_counts_nothing(ground: Ground) -> None:
    bodies = [parted(5, "ada", "bob"), met(3, "ada", "bob"), unposted(5, "ada", "p"), posted(3, "ada", "p")]

    for order in permutations(bodies):
        ground.clear()
        ground.ingest(*order, size=1)
        assert ground.counts() == {}


def test_a_late_removal_can_make_a_window_hold(ground: Ground) -> None:
    ground.apply(week=badge({"social_connection": {"threshold": 3, "period": 7 * DAY}}))
    ground.ingest(
        met(0, "ada", "bob"),
        met(20 * DAY, "ada", "bob"),
        met(18 * DAY, "ada", "c"),
        met(19 * DAY, "ada", "d"),
    )
    before = ground.earned()

    late = ground.ingest(parted(10 * DAY, "ada", "bob"))

    assert before == {}
    assert late.awards == 1
    assert ground.earned() == {("ada", "week"): at(20 * DAY)}


def test_an_unknown_type_is_counted_and_never_an_error(ground: Ground) -> None:
    done = ground.ingest(event("course.rated", 1), event("course.rated", 2), posted(3, "ada", "p"))

    assert done.unknown == {"course.rated.v1": 2}
    assert (done.events, done.dead) == (1, 0)
    assert ground.database.list_dead_letters() == []


def test_a_dead_letter_is_kept_by_its_hash_with_reason_bytes_and_count(ground: Ground) -> None:
    body = b'\xff{"not": "utf-8"}'
    ground.ingest(body, posted(1, "ada", "p"), b"{}")

    ground.ingest(body)

    letters = {letter.body: letter for letter in ground.database.list_dead_letters()}
    assert letters.keys() == {body, b"{}"}
    assert letters[body].id == hashlib.sha256(body).hexdigest()
    assert (letters[body].times, letters[b"{}"].times) == (2, 1)
    assert letters[b"{}"].reason.startswith("type: missing")
    assert ground.database.dead_letter_ids(letters[body].id[:10]) == [letters[body].id]
    assert ground.counts() == {("ada", "post"): 1}


def test_a_dead_letter_commits_with_the_batch_it_came_in_or_not_at_all(own_postgres: Ground) -> None:
    fail_on_commit(own_postgres, "activities")

    with pytest.raises(DatabaseUnavailable):
        own_postgres.ingest(posted(1, "ada", "p"), b"junk")
    letters = own_postgres.database.list_dead_letters()

    assert letters == []
    assert own_postgres.counts() == {}


def fail_on_commit(ground: Ground, table: str) -> None:
    """Let every transaction that writes to the table fail at its commit, as a victim of a deadlock."""
    with ground.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$"
            )
        )
        connection.execute(
            text(
                f"CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        )


@pytest.mark.parametrize("position", [0, 3, 6])
def test_a_body_that_the_database_cannot_hold_is_set_aside_alone(own_postgres: Ground, position: int) -> None:
    refuse_object(own_postgres, "poison")
    own_postgres.apply(posts=TWO_POSTS)
    poison = posted(5, "ada", "poison")
    bodies = [posted(number, "ada", f"p{number}") for number in range(6)]
    bodies.insert(position, poison)

    done = own_postgres.ingest(*bodies, b"junk")

    assert (done.events, done.dead, done.awards) == (6, 2, 1)
    assert own_postgres.counts() == {("ada", "post"): 6}
    letters = {letter.body: letter for letter in own_postgres.database.list_dead_letters()}
    assert letters.keys() == {poison, b"junk"}
    assert letters[poison].reason.startswith("body: cannot be kept")
    assert [letter.times for letter in letters.values()] == [1, 1]


def test_an_address_that_comes_makes_waiting_awards_pending(ground: Ground) -> None:
    ground.apply(enrol=ENROL)
    ground.ingest(registered(0, "ada"), enrolled(1, "ada"), enrolled(2, "bob"))
    waiting = ground.states()

    ground.ingest(updated(3, "ada", email="ada@example.org"), updated(3, "eve", email="eve@example.org"))

    assert waiting == {"ada": "waiting", "bob": "waiting"}
    assert ground.states() == {"ada": "pending", "bob": "waiting"}
    assert ground.history("ada", "enrol") == ["decided", "what it waited for came"]


def test_an_award_of_a_badge_without_an_issuer_is_earned(ground: Ground) -> None:
    ground.apply(posts=TWO_POSTS)

    ground.ingest(posted(1, "ada", "p"), posted(2, "ada", "q"))

    award = ground.award("ada", "posts")
    assert award is not None
    assert (award.state, award.issuer, award.earned_at) == ("earned", None, at(2))
    assert objects(award.because) == ["p", "q"]


def objects(because: Sequence[dict[str, str]]) -> list[str]:
    return [each["object"] for each in because]


def test_a_blank_address_is_none(ground: Ground) -> None:
    ground.apply(enrol=ENROL)

    ground.ingest(registered(0, "ada", email="  "), enrolled(1, "ada"))

    assert ground.states() == {"ada": "waiting"}


def test_profile_news_is_settled_by_event_time_not_by_arrival(ground: Ground) -> None:
    ground.ingest(updated(9, "ada", email="new@example.org"), size=1)

    ground.ingest(updated(5, "ada", email="old@example.org", first_name="Ada"), size=1)

    with ground.engine.connect() as connection:
        row = connection.execute(text("SELECT email, first_name FROM users")).one()
    assert tuple(row) == ("new@example.org", "Ada")
