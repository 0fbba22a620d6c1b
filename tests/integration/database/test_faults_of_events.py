"""Bodies that are no events, of every kind: each a dead letter that says why, and the queue moves on."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text

from tests.support.bodies import event, posted
from tests.support.broken import BROKEN
from tests.support.faults import consuming
from tests.support.ground import Ground, badge
from tests.support.waiting import wait_until
from worker.adapters.queues.memory import MemoryQueue
from worker.errors import DatabaseUnavailable

POSTS = badge({"social_engagement": {"threshold": 60}})
BODIES = {kind: broken.make(number) for number, (kind, broken) in enumerate(BROKEN.items())}


def mixed() -> list[bytes]:
    """Return every kind of broken body, each after a good one and an event of a type that nobody knows."""
    good = [posted(number, "ada", f"p{number}") for number in range(60)]
    strange = [event("course.rated", number) for number in range(60)]
    broken = [*BODIES.values(), *[b"junk"] * 60]
    return [body for three in zip(good, strange, broken, strict=False) for body in three]


@pytest.mark.parametrize("size", [1, 7, 500])
def test_every_kind_of_broken_body_is_a_dead_letter_that_names_the_field(ground: Ground, size: int) -> None:
    ground.apply(posts=POSTS)

    done = ground.ingest(*mixed(), size=size)

    letters = {letter.body: letter for letter in ground.database.list_dead_letters()}
    said = {kind: letters[body].reason for kind, body in BODIES.items() if body in letters}
    assert said.keys() == BROKEN.keys()
    assert {kind: why for kind, why in said.items() if not why.startswith(BROKEN[kind].said)} == {}
    assert all(letter.id == hashlib.sha256(body).hexdigest() for body, letter in letters.items())
    assert (done.events, done.unknown, done.dead) == (60, {"course.rated.v1": 60}, 60)
    assert ground.history("ada", "posts") == ["decided"]


def test_the_queue_moves_on(sqlite: Ground) -> None:
    queue = MemoryQueue()
    queue.publish(mixed())

    with consuming(sqlite.awarding(), queue):
        wait_until(lambda: queue.backlog() == 0)

    assert sqlite.counts() == {("ada", "post"): 60}


def test_what_takes_the_database_too_long_goes_by_parts(own_postgres: Ground) -> None:
    """A time-out of the role's would end the same batch again and again, and nothing would move on."""
    end_long_statements(own_postgres, most=10)

    done = own_postgres.ingest(*[posted(number, "ada", f"p{number}") for number in range(60)], b"junk")

    assert (done.events, done.dead) == (60, 1)
    assert own_postgres.counts() == {("ada", "post"): 60}


def test_what_takes_too_long_however_little_it_is_waits(own_postgres: Ground) -> None:
    end_long_statements(own_postgres, most=0)

    with pytest.raises(DatabaseUnavailable):
        own_postgres.ingest(posted(1, "ada", "p1"), posted(2, "ada", "p2"))

    assert own_postgres.counts() == {}
    assert own_postgres.database.list_dead_letters() == []


def end_long_statements(ground: Ground, most: int) -> None:
    """Let the server end statements that insert more rows, as it does with those that take too long."""
    with ground.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION too_long() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608 # ours
                f"IF (SELECT count(*) FROM fresh) > {most} THEN "
                "RAISE 'canceling statement due to statement timeout' USING ERRCODE = '57014'; "
                "END IF; RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE TRIGGER too_long AFTER INSERT ON activities REFERENCING NEW TABLE AS fresh "
                "FOR EACH STATEMENT EXECUTE FUNCTION too_long()"
            )
        )


def test_what_the_database_alone_refuses_is_found_among_many_and_the_others_are_kept(
    own_postgres: Ground,
) -> None:
    own_postgres.apply(posts=POSTS)
    refuse_posts(own_postgres, "p13", "p14", "p59", "bad")
    bad = posted(1, "eve", "bad")

    done = own_postgres.ingest(bad, *mixed(), bad)

    counts = {("ada", "post"): 57}
    refused = [
        letter
        for letter in own_postgres.database.list_dead_letters()
        if letter.reason.startswith("body: cannot be kept")
    ]
    assert own_postgres.counts() == own_postgres.recounted() == counts
    assert sorted(letter.times for letter in refused) == [1, 1, 1, 2]
    assert (done.events, done.dead, done.awards) == (57, 65, 0)
    assert len(own_postgres.database.list_dead_letters()) == len(BROKEN) + 1 + 4


def test_what_time_mends_is_never_taken_for_a_fault_of_the_event(own_postgres: Ground) -> None:
    refuse_posts(own_postgres, "p1", state="40001")

    with pytest.raises(DatabaseUnavailable):
        own_postgres.ingest(posted(1, "ada", "p1"), posted(2, "ada", "p2"), b"junk")

    assert own_postgres.database.list_dead_letters() == []


def refuse_posts(ground: Ground, *posts: str, state: str = "22000") -> None:
    """Let the database be unable to hold activities about these posts."""
    named = ", ".join(f"'{post}'" for post in posts)
    refusing = f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'cannot be held' USING ERRCODE = '{state}';
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON activities
        FOR EACH ROW WHEN (NEW.object_id IN ({named})) EXECUTE FUNCTION refuse()"""
    with ground.engine.begin() as connection:
        connection.execute(text(refusing))
