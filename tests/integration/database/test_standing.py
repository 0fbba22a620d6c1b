"""How things stand, in numbers, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from tests.support.bodies import enrolled, posted, registered
from tests.support.ground import Ground, badge, now
from worker.adapters.database.engine import make_engine
from worker.adapters.database.standing import Standing

ENROL = badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True)
POST = badge({"social_engagement": {"threshold": 1}})


@pytest.fixture
def standing(ground: Ground) -> Standing:
    ground.apply(enrol=ENROL, post=POST)
    return Standing(ground.engine)


def test_awards_are_counted_by_state_and_no_state_is_left_out(standing: Standing, ground: Ground) -> None:
    ground.ingest(registered(now(), "ada", email="ada@example.org"), enrolled(now(), "ada"))
    ground.ingest(enrolled(now(), "bob"), posted(now(), "bob", "1"))

    assert standing.awards_by_state() == {
        "waiting": 1,
        "pending": 1,
        "issuing": 0,
        "issued": 0,
        "failed": 0,
        "earned": 1,
        "revoking": 0,
        "revoked": 0,
    }


def test_nobody_waits_to_be_issued_where_there_is_nothing_to_issue(
    standing: Standing, ground: Ground
) -> None:
    ground.ingest(enrolled(now(), "bob"), posted(now(), "bob", "1"))

    assert standing.oldest_pending() == 0


@pytest.mark.parametrize("state", ["pending", "issuing"])
def test_the_oldest_award_on_its_way_waits_since_it_was_decided(
    standing: Standing, ground: Ground, state: str
) -> None:
    for name in ("ada", "bob"):
        ground.ingest(registered(now(), name, email=f"{name}@example.org"), enrolled(now(), name))
    tomorrow = now() + timedelta(days=1)
    ground.set_awards(state=state, decided_at=now() - timedelta(hours=2), due_at=tomorrow)
    ground.ingest(registered(now(), "eve", email="eve@example.org"), enrolled(now(), "eve"))

    assert 7200 <= standing.oldest_pending() < 7260


def test_dead_letters_count_until_they_are_put_back(standing: Standing, ground: Ground) -> None:
    ground.ingest(b"no event", b"none either")
    ground.database.note_replayed([ground.database.list_dead_letters()[0].id])

    assert standing.dead_letters() == 1


def test_a_badge_was_earned_last_when_that_was_decided_not_when_it_happened(
    standing: Standing, ground: Ground
) -> None:
    before = now() - timedelta(seconds=60)
    ground.ingest(enrolled(now() - timedelta(days=400), "ada"))

    enrol, post = standing.badges()

    assert enrol.badge_id == "enrol"
    assert enrol.earned_at is not None
    assert enrol.earned_at > before
    assert enrol.created_at > before
    assert (post.badge_id, post.earned_at) == ("post", None)


def test_a_disabled_badge_need_not_be_earned(standing: Standing, ground: Ground) -> None:
    ground.apply(enrol=ENROL)

    assert [each.badge_id for each in standing.badges()] == ["enrol"]


def test_the_rules_stand_where_they_were_applied_last(standing: Standing, ground: Ground) -> None:
    instant = now().replace(microsecond=0)
    ground.swept_to(instant)
    before = standing.rules().version
    ground.apply(enrol=ENROL)

    assert standing.rules().version == before + 1
    assert standing.rules().swept_to == instant


MANY = """
    INSERT INTO awards
        (user_id, badge_id, state, definition_version, earned_at, decided_at, because, due_at)
    SELECT 'user-' || n, 'badge', CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'earned' END,
        1, now(), now(), '[]', now()
    FROM generate_series(1, 5000) n
"""


def reads(engine: Engine) -> tuple[int, int]:
    """Return how often the table of awards was read whole, and how often one of its indexes was.

    Of what the engine's only connection did, nothing is left out.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with engine.begin() as connection:
        found = connection.execute(
            text("SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'awards'")
        )
        whole, by_index = found.one()
        return whole, by_index


def test_monitoring_never_reads_the_whole_table_of_awards(postgres: Ground) -> None:
    postgres.apply(enrol=ENROL)
    with postgres.engine.begin() as connection:
        connection.execute(text(MANY))
        connection.execute(text("ANALYZE awards"))  # PostgreSQL would read so few of them whole
    engine = make_engine(postgres.engine.url.render_as_string(hide_password=False), pool_size=1)
    standing = Standing(engine)
    whole, by_index = reads(engine)

    found = standing.awards_by_state(), standing.oldest_pending(), standing.badges()

    after = reads(engine)
    engine.dispose()
    assert found[0]["pending"] == 50
    assert after[0] == whole
    assert after[1] > by_index
