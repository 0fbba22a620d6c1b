"""`badges check`, `apply` and `list`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import bodies, commands
from tests.support.ground import Ground, Statements, badge, definitions
from tests.support.ports import free_port
from worker import reevaluation
from worker.adapters.badges_file import load_definitions
from worker.adapters.database.engine import make_engine
from worker.adapters.queues import RedisStreamQueue
from worker.adapters.redis_connection import connect
from worker.cli.badge_changes import changes_to
from worker.cli.stopping import Stopped
from worker.errors import DatabaseUnavailable
from worker.planning import would_gain

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}
POSTS = {"social_engagement": {"threshold": 2}}


def _file(folder: Path, **badges: dict[str, Any]) -> Path:
    file = folder / "badges.json"
    file.write_text(json.dumps(definitions(badges)))
    return file


# check


def test_a_right_file_is_said_to_be_right(bare: Path) -> None:
    file = _file(bare, one=badge(ENROLLED, issued=True), two=badge(POSTS))

    said, told = commands.run("badges", "check", file), commands.run("badges", "check", file, "--json")

    assert (said.code, said.out) == (0, f"{file}: 2 badges, 1 issuer, nothing wrong\n")
    assert (told.code, told.json) == (0, {"file": str(file), "ok": True, "problems": []})


def test_every_problem_of_a_file_is_named_with_its_line_and_field(bare: Path) -> None:
    file = bare / "badges.yaml"
    file.write_text(
        "badges:\n"
        "  one:\n"
        "    title: One\n"
        "    picture: https://example.org/one.png\n"
        "    criteria: {social_engagement: {threshold: 0}}\n"
        "  two:\n"
        "    title: Two\n"
        "    criteria: {lp_enroll: {learning_path_id: '40'}}\n"
    )

    said, told = commands.run("badges", "check", file), commands.run("badges", "check", file, "--json")

    assert (said.code, told.code) == (1, 1)
    assert told.json["ok"] is False
    assert said.out.splitlines() == told.json["problems"]
    assert [line.rsplit(": ", 1)[0] for line in said.out.splitlines()] == [
        f"{file}:5: badges.one.criteria.social_engagement.threshold",
        f"{file}:6: badges.two.picture",
    ]


def test_check_reads_the_file_of_the_settings(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGE_WORKER_BADGES_FILE", str(_file(bare, one=badge(POSTS))))

    assert commands.run("badges", "check").code == 0


def test_a_file_that_is_not_there_is_wrong_usage(bare: Path) -> None:
    ended = commands.run("badges", "check", bare / "none.yaml")

    assert ended.code == 2
    assert "none.yaml" in ended.err


# plan


def test_plan_says_what_would_change_and_who_would_gain_it(ground: Ground, bare: Path) -> None:
    ground.ingest(*(bodies.posted(n, user, f"post-{n}") for n in range(2) for user in "12"))
    ground.ingest(bodies.posted(0, "3", "post-0"))
    ground.apply(
        kept=badge(ENROLLED), easier=badge({"social_engagement": {"threshold": 9}}), gone=badge(POSTS)
    )
    file = _file(bare, kept=badge(ENROLLED), easier=badge(POSTS), fresh=badge(POSTS, status="disabled"))

    said, told = commands.run("badges", "plan", file), commands.run("badges", "plan", file, "--json")

    assert (said.code, told.code) == (0, 0)
    assert told.json == {
        "issuers": {},
        "changes": [
            {"badge_id": "easier", "change": "changed", "backfill": True, "would_gain": 2},
            {"badge_id": "fresh", "change": "added", "backfill": False, "would_gain": 0},
            {"badge_id": "gone", "change": "disabled", "backfill": False, "would_gain": 0},
        ],
    }
    rows = [line.split() for line in said.out.splitlines() if "badge " in line]
    assert [(row[1], row[4], row[-2]) for row in rows] == [
        ("changed", "easier", "2"),
        ("added", "fresh", "0"),
        ("disabled", "gone", "0"),
    ]


def test_plan_leaves_no_trace_and_apply_does_what_it_said(ground: Ground, bare: Path) -> None:
    ground.ingest(*(bodies.posted(n, user, f"post-{n}") for n in range(2) for user in "123"))
    ground.apply(other=badge(ENROLLED))
    file = _file(bare, other=badge(ENROLLED), two=badge(POSTS))

    planned = commands.run("badges", "plan", file, "--json").json
    between = ground.earned(), ground.database.history_of("1", "two"), ground.database.evaluations()
    applied = commands.run("badges", "apply", file, "--yes", "--json").json

    assert between == ({}, [], [])
    assert planned["changes"][0]["would_gain"] == applied["new_awards"] == 3


def test_a_plan_leaves_no_trace_in_postgresql_either(
    bare: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", postgres_url)
    commands.run("db", "upgrade")
    engine = make_engine(postgres_url)
    ground = Ground(engine)
    ground.ingest(*(bodies.posted(n, user, f"post-{n}") for n in range(2) for user in "123"))

    planned = commands.run("badges", "plan", _file(bare, two=badge(POSTS)), "--json").json

    assert planned["changes"][0]["would_gain"] == 3
    assert (ground.earned(), ground.database.list_badges()) == ({}, [])
    engine.dispose()


def test_people_who_have_the_badge_do_not_gain_it_again(ground: Ground, bare: Path) -> None:
    ground.apply(one=badge(ENROLLED))
    ground.ingest(bodies.enrolled(0, "1"), bodies.completed(0, "1"), bodies.completed(0, "2"))
    file = _file(bare, one=badge({"lp_complete": {"learning_path_id": "40"}}))

    planned = commands.run("badges", "plan", file, "--json").json

    assert planned["changes"][0]["would_gain"] == 1


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--detailed-exitcode"], 3)])
def test_the_exit_code_says_whether_anything_would_change_where_that_is_asked(
    ground: Ground, bare: Path, options: list[str], code: int
) -> None:
    ground.apply(one=badge(POSTS))

    same = commands.run("badges", "plan", _file(bare, one=badge(POSTS)), *options)
    other = commands.run("badges", "plan", _file(bare, one=badge(ENROLLED)), *options)

    assert (same.code, same.out) == (0, "nothing would change\n")
    assert other.code == code


def test_a_new_issuer_is_a_change(ground: Ground, bare: Path) -> None:
    del ground

    ended = commands.run("badges", "plan", _file(bare, one=badge(POSTS)), "--json")

    assert ended.json["issuers"] == {"academy": "added"}


def test_plan_counts_in_the_database_for_groups_too_and_locks_nobody(ground: Ground, bare: Path) -> None:
    ground.ingest(*(bodies.posted(n, user, f"post-{n}") for n in range(2) for user in "123"))
    ground.ingest(bodies.enrolled(1, "1"), bodies.enrolled(1, "4"), bodies.blocked(2, "4"))
    file = _file(
        bare,
        both=badge({"all_of": [ENROLLED, POSTS]}),
        either=badge({"any_of": [ENROLLED, POSTS]}),
    )
    changes = changes_to(ground.database, load_definitions(file))

    planned = commands.run("badges", "plan", file, "--json").json
    with Statements(ground.engine) as asked:
        would_gain(ground.database, changes.badges)
    applied = commands.run("badges", "apply", file, "--yes", "--json").json

    assert {each["badge_id"]: each["would_gain"] for each in planned["changes"]} == {"both": 1, "either": 3}
    assert applied["new_awards"] == 4
    assert asked.without("SELECT") == ["BEGIN"] * len(asked.without("SELECT"))  # never one that writes


# apply


def test_apply_makes_the_file_the_rules_in_force(ground: Ground, bare: Path) -> None:
    file = _file(bare, one=badge(ENROLLED, issued=True), two=badge(POSTS, status="disabled"))

    ended = commands.run("badges", "apply", file, "--yes")

    assert ended.code == 0
    assert "version 1 of the rules is in force: 2 added; 0 new awards\n" in ended.out
    assert [(row.badge_id, row.status) for row in ground.database.list_badges()] == [
        ("one", "published"),
        ("two", "disabled"),
    ]
    assert list(ground.database.issuers()) == ["academy"]


def test_apply_shows_each_change_before_it_makes_it(ground: Ground, bare: Path) -> None:
    ground.apply(kept=badge(POSTS), changed=badge(POSTS), gone=badge(POSTS))
    file = _file(bare, kept=badge(POSTS), changed=badge(ENROLLED), fresh=badge(POSTS))

    ended = commands.run("badges", "apply", file, "--yes")

    rows = [line.split() for line in ended.out.splitlines() if "badge " in line]
    assert [(row[1], row[4]) for row in rows] == [
        ("changed", "changed"),
        ("added", "fresh"),
        ("disabled", "gone"),
    ]


def test_apply_awards_who_meets_a_new_criterion_already(ground: Ground, bare: Path) -> None:
    ground.ingest(*(bodies.posted(n, user, f"post-{n}") for n in range(2) for user in ("1", "2")))

    ended = commands.run("badges", "apply", _file(bare, two=badge(POSTS)), "--yes", "--json")

    assert ended.json == {
        "version": 1,
        "changes": [{"badge_id": "two", "change": "added", "backfill": True}],
        "new_awards": 2,
    }
    assert ground.states() == {"1": "earned", "2": "earned"}


def test_what_changes_is_shown_on_stderr_where_stdout_is_json(ground: Ground, bare: Path) -> None:
    del ground

    ended = commands.run("badges", "apply", _file(bare, one=badge(POSTS)), "--yes", "--json")

    assert ended.json["version"] == 1
    assert "badge one" in ended.err


def test_applying_the_same_file_again_changes_nothing_and_asks_nobody(ground: Ground, bare: Path) -> None:
    file = _file(bare, one=badge(POSTS))
    commands.run("badges", "apply", file, "--yes")

    ended = commands.run("badges", "apply", file)

    assert ended.code == 0
    assert ended.out == "version 1 of the rules is in force: no badge changed; 0 new awards\n"
    assert len(ground.database.list_badges()) == 1


def test_nothing_is_applied_where_nobody_can_be_asked(ground: Ground, bare: Path) -> None:
    ended = commands.run("badges", "apply", _file(bare, one=badge(POSTS)))

    assert ended.code == 2
    assert "--yes" in ended.err
    assert ground.database.list_badges() == []


@pytest.mark.parametrize(("answer", "code", "applied"), [("y", 0, ["one"]), ("", 1, [])])
def test_apply_asks_on_a_terminal(
    ground: Ground, bare: Path, answer: str, code: int, applied: list[str]
) -> None:
    file = _file(bare, one=badge(POSTS))
    ours, theirs = pty.openpty()

    os.write(ours, f"{answer}\n".encode())
    ended = subprocess.run(
        [*commands.PROGRAM, "badges", "apply", file],
        stdin=theirs,
        capture_output=True,
        timeout=60,
        check=False,
    )
    os.close(ours)
    os.close(theirs)

    assert ended.returncode == code
    assert b"Make it so? [y/N]" in ended.stderr
    assert [row.badge_id for row in ground.database.list_badges()] == applied


def test_a_wrong_file_is_not_applied(ground: Ground, bare: Path) -> None:
    file = bare / "badges.json"
    file.write_text('{"badges": {"one": {}}}')

    ended = commands.run("badges", "apply", file, "--yes")

    assert ended.code == 2
    assert all(line.startswith(f"badge-worker: {file}:1: badges.one") for line in ended.err.splitlines())
    assert ground.database.list_badges() == []


@pytest.mark.parametrize("error", [Stopped(15), DatabaseUnavailable("gone")])
def test_an_evaluation_that_was_interrupted_is_finished_by_the_next_apply(
    ground: Ground, bare: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    ground.ingest(*(bodies.posted(n, user, f"post-{n}") for n in range(2) for user in "123"))
    whole = reevaluation.backfill

    def interrupted(store: Any, _progress: Any) -> int:
        def stop(_: Any) -> None:
            raise error

        return whole(store, stop)

    with monkeypatch.context() as patched:
        patched.setattr(reevaluation, "PART", 1)
        patched.setattr(reevaluation, "backfill", interrupted)
        first = commands.run_main("badges", "apply", _file(bare, two=badge(POSTS)), "--yes")
    after_first = sorted(ground.states())
    again = commands.run("badges", "apply", bare / "badges.json", "--json")

    assert first.code == (143 if isinstance(error, Stopped) else 1)
    assert "the rules are in force; beat goes on with evaluating everybody" in first.err
    assert after_first == ["1"]
    assert (again.code, again.json["new_awards"]) == (0, 2)
    assert sorted(ground.states()) == ["1", "2", "3"]


def test_apply_nudges_the_dispatcher(
    ground: Ground, queue: RedisStreamQueue, bare: Path, redis_url: str
) -> None:
    del ground, queue

    commands.run("badges", "apply", _file(bare, one=badge(POSTS)), "--yes")

    with connect(redis_url) as client:
        assert client.llen("badge-worker:celery:dispatch") == 1


def test_apply_does_not_need_a_broker(ground: Ground, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGE_WORKER_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")

    ended = commands.run("badges", "apply", _file(bare, one=badge(POSTS)), "--yes")

    assert ended.code == 0
    assert len(ground.database.list_badges()) == 1


# list


def test_badges_are_listed_with_their_awards(ground: Ground) -> None:
    ground.apply(one=badge(ENROLLED, issued=True, title="One"), two=badge(POSTS, status="disabled"))
    ground.ingest(bodies.enrolled(0, "1"), bodies.enrolled(0, "2"))

    said, told = commands.run("badges", "list"), commands.run("badges", "list", "--json")

    assert (said.code, told.code) == (0, 0)
    assert told.json == [
        {
            "badge_id": "one",
            "title": "One",
            "status": "published",
            "criterion": "lp_enroll",
            "issuer": "academy",
            "version": 1,
            "awards": 2,
        },
        {
            "badge_id": "two",
            "title": "A badge",
            "status": "disabled",
            "criterion": "social_engagement",
            "issuer": None,
            "version": 1,
            "awards": 0,
        },
    ]
    assert "Badges: 2" in said.out
    assert "lp_enroll" in said.out
