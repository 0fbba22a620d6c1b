"""What people ask the database for, and what they put back."""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from tests.support.bodies import at, enrolled, posted
from tests.support.ground import Ground, badge, now
from tests.support.outbox import award_due, change, enrol_badge, stored
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.schema import awards, dead_letters
from worker.awards import AwardRow


@pytest.fixture
def listed(ground: Ground) -> Ground:
    """Ground with two awards of one badge and one of another."""
    ground.apply(**{"40": enrol_badge("40"), "41": badge({"lp_enroll": {"learning_path_id": "41"}})})
    award_due(ground, "ada")
    ground.ingest(enrolled(3, "bob", "40"))
    ground.ingest(enrolled(4, "ada", "41"))
    return ground


def found(ground: Ground, **wanted: str | int) -> list[tuple[str, str]]:
    return [(row.user_id, row.badge_id) for row in ground.database.list_awards(AwardFilter(**wanted))]  # type: ignore[arg-type]


def test_awards_are_listed_in_the_order_they_were_decided(listed: Ground) -> None:
    assert found(listed) == [("ada", "40"), ("bob", "40"), ("ada", "41")]
    assert found(listed, limit=2) == [("ada", "40"), ("bob", "40")]


def test_awards_are_found_by_state_badge_and_user(listed: Ground) -> None:
    assert found(listed, state="waiting") == [("bob", "40")]
    assert found(listed, badge_id="40") == [("ada", "40"), ("bob", "40")]
    assert found(listed, user_id="ada", state="earned") == [("ada", "41")]
    assert found(listed, user_id="nobody") == []


def test_awards_are_counted_by_state(listed: Ground) -> None:
    assert listed.database.count_awards() == {"pending": 1, "waiting": 1, "earned": 1}


def test_badges_are_listed_with_the_number_of_their_awards(listed: Ground) -> None:
    rows = listed.database.list_badges()

    assert [(row.badge_id, row.criterion, row.issuer, row.awards) for row in rows] == [
        ("40", "lp_enroll", "academy", 2),
        ("41", "lp_enroll", None, 1),
    ]


def test_failed_awards_that_are_put_back_are_due_at_once_with_attempts_forgotten(
    listed: Ground,
) -> None:
    change(listed, state="failed", attempts=7, due_at=now() + timedelta(days=1))

    back = listed.database.retry(AwardFilter(badge_id="40"))

    assert back == [("ada", "40"), ("bob", "40")]
    assert stored(listed, "bob", "state", "attempts") == ("waiting", 0)
    award = listed.award("ada", "40")
    assert award is not None
    assert award.due_at is not None
    assert (award.state, award.attempts, award.due_at <= now()) == ("pending", 0, True)
    assert listed.history("ada", "40") == ["decided", "put back"]
    assert found(listed, state="failed") == [("ada", "41")]


def test_only_failed_awards_are_put_back(listed: Ground) -> None:
    assert listed.database.retry(AwardFilter()) == []
    assert listed.states_of("40") == {"ada": "pending", "bob": "waiting"}


def test_the_history_of_an_award_is_in_the_order_it_happened(listed: Ground) -> None:
    for _ in range(20):
        change(listed, ["bob"], state="failed")
        listed.database.retry(AwardFilter(user_id="bob"))

    rows = listed.database.history_of("bob", "40")
    assert [row.what for row in rows] == ["decided"] + ["put back"] * 20
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert {row.actor for row in rows[1:]} == {"operator"}


def test_dead_letters_are_listed_oldest_first_and_remember_their_replay(ground: Ground) -> None:
    for body in (b"one", b"two", b"three"):
        ground.ingest(body, posted(1, "ada", "p"))
    first = ground.database.list_dead_letters()[0]

    ground.database.note_replayed([first.id])

    letters = ground.database.list_dead_letters()
    assert [letter.body for letter in letters] == [b"one", b"two", b"three"]
    assert [letter.replayed_at is not None for letter in letters] == [True, False, False]
    assert [letter.body for letter in ground.database.list_dead_letters(2)] == [b"one", b"two"]
    assert ground.database.number_of_dead_letters() == 3
    assert ground.database.dead_letter_ids() == [letter.id for letter in letters]
    assert ground.database.dead_letter_ids(letters[2].id[:20]) == [letters[2].id]
    assert ground.database.dead_letter_ids("%") == []


def test_dead_letters_are_discarded_once_and_the_others_stay(ground: Ground) -> None:
    ground.ingest(b"one", b"two", b"three")
    first, second, third = ground.database.dead_letter_ids()

    gone = ground.database.discard_dead_letters([third, "unknown", first])
    again = ground.database.discard_dead_letters([first])

    assert (gone, again) == ([third, first], [])
    assert [letter.id for letter in ground.database.dead_letters_of([first, second])] == [second]


# However many there are


def many(ground: Ground, number: int) -> None:
    """Let there be so many awards and dead letters, with a long text in each."""
    wide = {"error": "x" * 1000, "body": b"x" * 1000}
    with ground.engine.begin() as connection:
        for start in range(0, number, 500):
            names = [f"user-{index:06}" for index in range(start, min(start + 500, number))]
            at = {"at": now()}
            connection.execute(insert(awards), [_award(name, wide["error"], **at) for name in names])
            connection.execute(insert(dead_letters), [_letter(name, wide["body"], **at) for name in names])


def _award(name: str, error: object, at: datetime) -> dict[str, Any]:
    fixed = {"badge_id": "40", "state": "failed", "definition_version": 1, "because": []}
    times = {"earned_at": at, "decided_at": at, "due_at": at}
    return {"user_id": name, "last_error": error, **fixed, **times}


def _letter(name: str, body: object, at: datetime) -> dict[str, Any]:
    return {"id": name, "body": body, "reason": "no event", "received_at": at, "last_at": at, "times": 1}


def test_awards_and_letters_come_one_by_one_as_they_come_at_once(ground: Ground) -> None:
    many(ground, 1200)

    wanted = AwardFilter(badge_id="40", limit=1100)

    assert list(ground.database.each_award(wanted)) == ground.database.list_awards(wanted)
    assert ground.database.number_of_awards(wanted) == 1200
    assert list(ground.database.each_dead_letter()) == ground.database.list_dead_letters()
    assert len(list(ground.database.each_dead_letter(7))) == 7


def test_a_list_without_end_is_not_held_in_memory(sqlite: Ground) -> None:
    many(sqlite, 5000)

    tracemalloc.start()
    try:
        read = [sum(1 for _ in rows) for rows in (_awards(sqlite), sqlite.database.each_dead_letter())]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert read == [5000, 5000]
    assert peak < 4_000_000  # a fifth of either list


def test_postgresql_keeps_a_long_list_for_us(postgres: Ground) -> None:
    many(postgres, 1200)
    rows = _awards(postgres)
    next(rows)

    with postgres.engine.connect() as connection:
        statement = text("SELECT query FROM pg_stat_activity WHERE state = 'idle in transaction'")
        (asked,) = connection.scalars(statement).all()
    rows.close()

    assert asked.startswith("FETCH")


def _awards(ground: Ground) -> Generator[AwardRow, None, None]:
    rows = ground.database.each_award(AwardFilter())
    assert isinstance(rows, Generator)
    return rows


def test_a_decision_is_told_with_its_instant_written_alike_everywhere(ground: Ground) -> None:
    ground.apply(first=badge({"social_engagement": {"threshold": 1}}))

    ground.ingest(posted(1.5, "ada", "p"))

    (row,) = ground.database.history_of("ada", "first")
    assert (row.what, row.actor) == ("decided", "worker")
    assert row.detail == {"earned_at": at(1.5).isoformat(timespec="microseconds"), "version": 1}
