"""`users forget`: asks, does it, and says what went; consumers need its key from then on."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from sqlalchemy import text

from tests.support import bodies, commands
from tests.support.forgetting import KEY, PROFILE, PSEUDONYM, WHO, places
from tests.support.ground import Ground, badge
from worker.adapters.queues import RedisStreamQueue
from worker.cli import users

VARIABLE = "BADGE_WORKER_SECRET_KEY"
LIFE = [
    bodies.registered(0, WHO, **PROFILE),
    bodies.enrolled(1, WHO),
    bodies.met(2, WHO, "bob"),
    bodies.blocked(3, WHO),
]


@pytest.fixture
def known(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Ground on which there is somebody to forget, whose badge was issued; the commands have the key."""
    monkeypatch.setenv(VARIABLE, KEY)
    ground.apply(one=badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True))
    ground.ingest(*LIFE)
    ground.set_awards(state="issued", assertion_id="A1")
    return ground


def test_it_says_what_went(known: Ground) -> None:
    ended = commands.run("users", "forget", WHO, "--yes", "--json")

    assert ended.code == 0, ended.err
    assert ended.json == {
        "pseudonym": PSEUDONYM,
        "activities": 2,
        "blocks": 1,
        "connections": 1,
        "awards_kept": 1,
        "awards_deleted": 0,
        "revocations": 0,
        "dead_letters": 0,
        "texts": 0,
        "before": False,
    }
    assert places(known) == []


def test_it_says_so_to_people_too(known: Ground) -> None:
    ended = commands.run("users", "forget", WHO, "--yes")
    again = commands.run("users", "forget", WHO, "--yes")

    assert ended.code == 0
    assert PSEUDONYM in ended.out
    assert "activities deleted" in ended.out
    assert WHO not in ended.out
    assert (again.code, again.err) == (
        0,
        "badge-worker: this user was forgotten before; what still named them is gone now\n",
    )
    assert known.states() == {PSEUDONYM: "issued"}


def test_with_revoke_what_was_issued_is_to_be_revoked(known: Ground) -> None:
    ended = commands.run("users", "forget", WHO, "--revoke", "--yes", "--json")

    assert ended.json["revocations"] == 1
    assert known.states() == {PSEUDONYM: "revoking"}


@pytest.mark.parametrize(("answer", "code", "states"), [(b"y\n", 0, {PSEUDONYM}), (b"n\n", 1, {WHO})])
def test_it_asks_first(
    known: Ground, monkeypatch: pytest.MonkeyPatch, answer: bytes, code: int, states: set[str]
) -> None:
    monkeypatch.setattr(users, "sys", Mock(stdin=Mock(isatty=lambda: True)))

    ended = commands.run("users", "forget", WHO, stdin=answer)

    assert ended.code == code
    assert f"Forget user {WHO} for good?" in ended.err
    assert set(known.states()) == states


def test_without_a_terminal_it_wants_yes(known: Ground) -> None:
    ended = commands.run("users", "forget", WHO)

    assert (ended.code, ended.out) == (2, "")
    assert "--yes forgets without asking" in ended.err
    assert set(known.states()) == {WHO}


def test_nobody_is_forgotten_who_is_not_there(known: Ground) -> None:
    ended = commands.run("users", "forget", "nobody", "--yes", "--json")

    assert (ended.code, ended.json) == (1, None)
    assert ended.err == "badge-worker: no user nobody; nothing was changed\n"
    assert set(known.states()) == {WHO}


def test_what_is_being_sent_is_awaited(known: Ground) -> None:
    known.set_awards(state="issuing", assertion_id=None)

    ended = commands.run("users", "forget", WHO, "--yes")

    assert ended.code == 1
    assert "nothing was changed, because the award of one is being sent" in ended.err
    assert known.states() == {WHO: "issuing"}


def test_it_wants_a_key(known: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)

    ended = commands.run("users", "forget", WHO, "--yes")

    assert ended.code == 2
    assert ended.err.startswith(f"badge-worker: {VARIABLE}: missing")
    assert set(known.states()) == {WHO}


@pytest.mark.parametrize("key", [None, f"not {KEY}"])
def test_a_consumer_without_the_key_ends_before_it_takes_anything(
    known: Ground, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    commands.run("users", "forget", WHO, "--yes")
    queue.publish(LIFE)
    monkeypatch.delenv(VARIABLE) if key is None else monkeypatch.setenv(VARIABLE, key)

    ended = commands.run_main("consume", "--until-idle", "0")

    assert ended.code == 2
    assert f"badge-worker: {VARIABLE}: " in ended.err
    assert queue.backlog() == len(LIFE)
    assert places(known) == []


def test_a_consumer_with_the_key_passes_over_what_comes_later(known: Ground, queue: RedisStreamQueue) -> None:
    commands.run("users", "forget", WHO, "--yes")
    queue.publish(LIFE)

    ended = commands.run_main("consume", "--until-idle", "0")

    assert ended.code == 0
    assert queue.backlog() == 0
    assert places(known) == []
    with known.engine.connect() as connection:
        assert list(connection.scalars(text("SELECT user_id FROM users"))) == ["bob"]


@pytest.mark.parametrize("key", [None, f"not {KEY}"])
def test_the_doctor_sees_that_the_key_is_gone(
    known: Ground, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    del known, queue  # what is there to look at
    commands.run("users", "forget", WHO, "--yes")

    well = commands.run("doctor", "--json").json["checks"]
    monkeypatch.delenv(VARIABLE) if key is None else monkeypatch.setenv(VARIABLE, key)
    ill = commands.run("doctor", "--json").json["checks"]

    assert [(each["ok"], each["detail"]) for each in well if each["what"] == "forgotten people"] == [
        (True, "1")
    ]
    (found,) = [each for each in ill if each["what"] == "forgotten people"]
    assert not found["ok"]
    assert found["detail"].startswith(VARIABLE)
