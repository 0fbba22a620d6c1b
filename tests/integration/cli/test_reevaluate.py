"""`reevaluate`: everybody or one person against the rules in force, resumed after any end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.support import bodies, commands
from tests.support.ground import Ground, badge, definitions
from tests.support.waiting import wait_until
from worker import reevaluation
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.redis_connection import connect
from worker.cli.stopping import Stopped
from worker.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.processes import Spawned
    from worker.adapters.queues import RedisStreamQueue

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}
POST = {"social_engagement": {"threshold": 1}}
PEOPLE = ("ada", "bob", "eve")


def fill(ground: Ground) -> None:
    """Let everybody have earned two badges, of which nobody has any: something went wrong."""
    ground.apply(enrolled=badge(ENROLLED), post=badge(POST), gone=badge(POST, status="disabled"))
    ground.ingest(*(bodies.enrolled(1, name) for name in PEOPLE), *(bodies.posted(1, n, n) for n in PEOPLE))
    with ground.engine.begin() as connection:
        connection.execute(text("DELETE FROM awards"))


@pytest.fixture
def lost(ground: Ground) -> Ground:
    fill(ground)
    return ground


def test_everybody_gets_what_they_have_earned(lost: Ground) -> None:
    told = commands.run("reevaluate", "--json")

    assert told.code == 0
    assert told.json == {
        "new_awards": 6,
        "badges": [
            {"badge_id": "enrolled", "version": 1, "people": 3, "new_awards": 3},
            {"badge_id": "post", "version": 1, "people": 3, "new_awards": 3},
        ],
    }
    assert set(lost.earned()) == {(name, each) for name in PEOPLE for each in ("enrolled", "post")}


def test_nobody_gets_anything_twice(lost: Ground) -> None:
    commands.run("reevaluate")
    again = commands.run("reevaluate")

    assert (again.code, again.out.splitlines()[-1]) == (0, "0 new awards")
    assert lost.history("ada", "post") == ["decided"] * 2  # the first one was lost, with its history kept


def test_one_badge_alone(lost: Ground) -> None:
    told = commands.run("reevaluate", "--badge", "post")

    assert told.code == 0
    assert set(lost.earned()) == {(name, "post") for name in PEOPLE}


def test_one_user_alone(lost: Ground) -> None:
    told = commands.run("reevaluate", "--user", "bob", "--json")

    assert (told.code, told.json["new_awards"]) == (0, 2)
    assert set(lost.earned()) == {("bob", "enrolled"), ("bob", "post")}


def test_one_user_for_one_badge(lost: Ground) -> None:
    told = commands.run("reevaluate", "--user", "bob", "--badge", "post")

    assert (told.code, told.out) == (0, "1 new award\n")
    assert set(lost.earned()) == {("bob", "post")}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--badge", "none"], 2, "badge none: not among those applied", id="unknown-badge"),
        pytest.param(["--badge", "gone"], 2, "badge gone: disabled", id="disabled-badge"),
        pytest.param(["--user", "nobody"], 1, "no user nobody", id="unknown-user"),
    ],
)
def test_what_is_not_there_is_said(lost: Ground, words: list[str], code: int, said: str) -> None:
    told = commands.run("reevaluate", *words)

    assert told.code == code
    assert said in told.err
    assert lost.earned() == {}


def test_the_dispatcher_is_nudged(lost: Ground, queue: RedisStreamQueue, redis_url: str) -> None:
    del lost, queue

    commands.run("reevaluate")

    with connect(redis_url) as client:
        assert client.llen("badge-worker:celery:dispatch") == 1


@pytest.mark.parametrize("error", [Stopped(15), DatabaseUnavailable("gone")])
def test_what_was_interrupted_goes_on_where_it_was(
    lost: Ground, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    whole = reevaluation.work_off

    def interrupted(store: Any, noted: Any, _progress: Any) -> Iterator[Any]:
        def stop(_: Any) -> None:
            raise error

        return whole(store, noted, stop)

    with monkeypatch.context() as patched:
        patched.setattr(reevaluation, "PART", 1)
        patched.setattr(reevaluation, "work_off", interrupted)
        first = commands.run_main("reevaluate")
    after_first = set(lost.earned())
    again = commands.run("reevaluate", "--json")

    assert first.code == (143 if isinstance(error, Stopped) else 1)
    assert "`reevaluate` again goes on with it" in first.err
    assert after_first == {("ada", "enrolled")}
    assert again.json["badges"][0] == {"badge_id": "enrolled", "version": 1, "people": 3, "new_awards": 3}
    assert len(lost.earned()) == 6


def test_what_a_killed_one_had_in_hand_is_done_by_the_next(
    bare: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, spawn: Callable[..., Spawned]
) -> None:
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", postgres_url)
    engine = make_engine(postgres_url)
    upgrade(engine)
    ground = Ground(engine)
    fill(ground)

    with engine.connect() as other:
        other.execute(text("SELECT 1 FROM users WHERE user_id = 'bob' FOR UPDATE"))
        killed = spawn([*commands.PROGRAM, "reevaluate"], cwd=bare)
        wait_until(lambda: ground.waiting() == 1, 60, "it waits for bob")
        killed.signal(signal.SIGKILL)
        killed.wait()
        other.rollback()
    before = ground.earned()
    again = commands.run("reevaluate", "--json")
    engine.dispose()

    assert before == {}
    assert again.json["new_awards"] == 6


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(("reevaluate",), b"evaluating everybody", id="reevaluate"),
        pytest.param(("badges", "plan", "more.yaml"), b"evaluating", id="plan"),
    ],
)
def test_a_terminal_shows_how_far_it_is(
    lost: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], shown: bytes
) -> None:
    (tmp_path / "more.yaml").write_text(json.dumps(definitions({"more": badge(POST)})))
    monkeypatch.chdir(tmp_path)
    ours, theirs = pty.openpty()

    ended = subprocess.run(
        [*commands.PROGRAM, *words], stderr=theirs, stdout=subprocess.PIPE, timeout=60, check=False
    )
    os.close(theirs)
    said = os.read(ours, 65536)
    os.close(ours)

    assert ended.returncode == 0
    assert shown in said
    assert b"3/3" in said
    assert lost.database.evaluations() == []
