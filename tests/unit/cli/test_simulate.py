"""`simulate`: files in, a table or one JSON document out; no setting, database or broker is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import bodies, commands
from tests.support.ground import badge, definitions

if TYPE_CHECKING:
    from pathlib import Path

TWO_POSTS = badge({"social_engagement": {"threshold": 2}}, issued=True)
THREE_POSTS = badge({"social_engagement": {"threshold": 3}}, issued=True)
ENROL = badge({"lp_enroll": {"learning_path_id": "40"}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings that no database or broker answers to."""
    nobody = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    commands.settle_in(tmp_path, monkeypatch, DATABASE_URL=nobody, EVENTS_URL="redis://127.0.0.1:1/0")
    return tmp_path


def rules(folder: Path, name: str = "badges.json", **badges: dict[str, Any]) -> Path:
    file = folder / name
    file.write_text(json.dumps(definitions(badges)))
    return file


def events(folder: Path, *lines: bytes) -> Path:
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


POSTS = [bodies.posted(n, user, f"p{n}") for user, number in (("ada", 3), ("bob", 2)) for n in range(number)]


def test_it_says_who_would_earn_what_and_when(folder: Path) -> None:
    files = rules(folder, posts=THREE_POSTS, enrol=ENROL), events(folder, *POSTS)

    said, told = commands.run("simulate", *files), commands.run("simulate", *files, "--json")

    assert (said.code, told.code) == (0, 0)
    assert told.json["badges"] == {"posts": 1, "enrol": 0}
    (award,) = told.json["awards"]
    assert (
        award.items()
        >= {
            "user_id": "ada",
            "badge_id": "posts",
            "earned_at": "2025-01-01T00:00:02Z",
            "state": "waiting",
            "issuer": "academy",
        }.items()
    )
    assert [reason["object"] for reason in award["because"]] == ["p0", "p1", "p2"]
    (line,) = (line for line in said.out.splitlines() if " ada " in line)
    assert "2025-01-01 00:00:02Z" in line
    assert "5 events taken in, 0 refused" in said.err


def test_bad_lines_are_named_and_the_others_count(folder: Path) -> None:
    file = events(folder, b"junk", *POSTS, b'{"specversion": "1.0"}')

    ended = commands.run("simulate", rules(folder, posts=TWO_POSTS), file, "--json")

    assert ended.code == 0
    assert [line.split(": ")[0] for line in ended.err.splitlines()] == [f"{file}:1", f"{file}:7"]
    assert [each["line"] for each in ended.json["refused"]] == [1, 7]
    assert ended.json["badges"] == {"posts": 2}


def test_events_may_come_from_stdin(folder: Path) -> None:
    ended = commands.run("simulate", rules(folder, posts=TWO_POSTS), "-", "--json", stdin=b"\n".join(POSTS))

    assert ended.json["badges"] == {"posts": 2}


def test_it_may_be_as_if_it_were_another_time(folder: Path) -> None:
    old = badge({"registered_for": {"threshold": 3600}})
    files = rules(folder, old=old), events(folder, bodies.registered(0, "ada"))

    numbers = [
        commands.run("simulate", *files, "--json", "--now", now).json["badges"]["old"]
        for now in ("2025-01-01T00:59:59Z", "2025-01-01T02:00:00+01:00")
    ]

    assert numbers == [0, 1]


def test_a_change_of_definitions_shows_what_it_would_have_done(folder: Path) -> None:
    files = (
        rules(folder, "old.json", posts=THREE_POSTS, gone=ENROL),
        rules(folder, "new.json", posts=TWO_POSTS),
        events(folder, *POSTS, bodies.enrolled(9, "eve")),
    )

    said, told = (commands.run("simulate", "--diff", *files, *more) for more in ((), ("--json",)))

    assert (said.code, told.code) == (0, 0)
    assert [(each["user_id"], each["badge_id"]) for each in told.json["gained"]] == [("bob", "posts")]
    assert [(each["user_id"], each["badge_id"]) for each in told.json["lost"]] == [("eve", "gone")]
    assert told.json["moved"] == [
        {
            "user_id": "ada",
            "badge_id": "posts",
            "before": "2025-01-01T00:00:02Z",
            "after": "2025-01-01T00:00:01Z",
        }
    ]
    assert told.json["unchanged"] == 0
    assert {"Gained: 1", "Lost: 1", "At another time: 1"} <= {line.strip() for line in said.out.splitlines()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["badges.json"], "simulate: FILE EVENTS, please; here are 1 file"),
        (["badges.json", "badges.json", "events.jsonl"], "--diff OLD NEW EVENTS"),
        (["--diff", "badges.json", "events.jsonl"], "simulate: OLD NEW EVENTS, please"),
        (["badges.json", "none.jsonl"], "none.jsonl: No such file"),
        (["none.json", "events.jsonl"], "none.json"),
        (["broken.json", "events.jsonl"], "broken.json:1: badges.b.criteria.all_of"),
        (
            ["badges.json", "events.jsonl", "--now", "2026-01-01"],
            "--now 2026-01-01: an instant with its offset",
        ),
        (["badges.json", "events.jsonl", "--now", "soon"], "--now soon: an instant with its offset"),
    ],
)
def test_wrong_usage_is_said_in_a_line(folder: Path, words: list[str], said: str) -> None:
    rules(folder, posts=TWO_POSTS)
    rules(folder, "broken.json", b=badge({"all_of": []}))
    events(folder, *POSTS)

    ended = commands.run("simulate", *words)

    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""
