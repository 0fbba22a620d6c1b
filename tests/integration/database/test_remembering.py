"""What a consumer remembers between batches is only what was committed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.support.bodies import DAY, met, posted, unposted
from tests.support.failing import refuse_object
from tests.support.ground import Ground, Statements, badge
from worker.errors import DatabaseUnavailable

TWO_POSTS = badge({"social_engagement": {"threshold": 2}})
WEEK = badge({"social_connection": {"threshold": 2, "period": 7 * DAY}})


def test_an_award_that_was_undone_with_its_batch_is_made_after_all(own_postgres: Ground) -> None:
    """A later part of the batch finds it made, and then the batch fails: nothing of that was committed."""
    refuse_object(own_postgres, "poison")
    own_postgres.apply(posts=TWO_POSTS)
    earning = [posted(1, "ada", "p1"), posted(2, "ada", "p2")]
    finding = [
        unposted(3, "ada", "p1"),
        unposted(4, "ada", "p2"),
        posted(5, "ada", "p3"),
        posted(6, "ada", "p4"),
    ]
    failing = [unposted(7, "ada", "p3"), posted(7, "ada", "poison")]

    done = own_postgres.awarding().ingest([*earning, *finding, *failing])

    assert (done.awards, done.dead) == (1, 1)
    assert own_postgres.states() == {"ada": "earned"}


def test_an_award_is_asked_for_once_and_then_remembered(postgres: Ground) -> None:
    postgres.apply(week=WEEK)
    awarding = postgres.awarding()
    awarding.ingest([met(1, "ada", "b"), met(2, "ada", "c")])
    awarding.ingest([met(3, "ada", "d")])

    with Statements(postgres.engine) as asked:
        awarding.ingest([met(4, "ada", "e")])

    assert not [each for each in asked.texts if "awards" in each]


def test_a_user_who_went_is_inserted_anew(postgres: Ground) -> None:
    postgres.apply(posts=TWO_POSTS)
    awarding = postgres.awarding()
    awarding.ingest([posted(1, "ada", "p1"), posted(1, "bob", "p")])
    with postgres.engine.begin() as connection:
        for table in ("users", "activities", "counts"):
            connection.execute(text(f"DELETE FROM {table} WHERE user_id = 'ada'"))  # noqa: S608 # our names

    done = awarding.ingest([posted(2, "ada", "p2"), posted(3, "ada", "p3")])

    assert done.awards == 1
    assert postgres.counts() == {("ada", "post"): 2, ("bob", "post"): 1}


def test_rules_are_read_anew_when_the_database_was_away(
    sqlite: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come back as a copy of earlier, and go on from there to other rules by the same number."""

    def away() -> None:
        raise DatabaseUnavailable("away")

    awarding, earlier = sqlite.awarding(), sqlite.apply(posts=TWO_POSTS).version
    awarding.ingest([posted(1, "ada", "p1")])
    with monkeypatch.context() as patched:
        patched.setattr(sqlite.database, "batch", away)
        with pytest.raises(DatabaseUnavailable):
            awarding.ingest([posted(2, "ada", "p2")])
    with sqlite.engine.begin() as connection:
        connection.execute(text("DELETE FROM badges"))
        connection.execute(text("UPDATE rulebook SET version = 0"))

    same = sqlite.apply(two=TWO_POSTS).version == earlier
    awarding.ingest([posted(2, "ada", "p2")])

    assert same
    assert set(sqlite.earned()) == {("ada", "two")}
