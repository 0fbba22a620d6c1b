"""`dead-letters list`, `show`, `replay` and `discard`."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.support import commands
from tests.support.ground import Ground
from tests.support.ports import free_port
from worker import replaying
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.queues import RedisStreamQueue
from worker.cli import dead_letters

BROKEN = [b"no event", b"\xff\xfe bytes", b'{"type": 3}']


def _id(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def letters(ground: Ground) -> Ground:
    """Three dead letters; the first came twice."""
    ground.ingest(*BROKEN)
    ground.ingest(BROKEN[0])
    return ground


def _list(*words: str) -> list[dict[str, Any]]:
    ended = commands.run("dead-letters", "list", "--json", *words)
    assert ended.code == 0
    listed: list[dict[str, Any]] = ended.json
    return listed


def _bodies(queue: RedisStreamQueue) -> list[bytes]:
    return sorted(message.body for message in queue.read(100, 0))


# list


def test_every_dead_letter_is_listed_whole(letters: Ground) -> None:
    del letters

    found = {each["id"]: each for each in _list()}

    assert found.keys() == {_id(body) for body in BROKEN}
    first, second = found[_id(BROKEN[0])], found[_id(BROKEN[1])]
    assert set(first) == {"id", "received_at", "reason", "body", "times", "replayed_at"}
    assert (first["body"], first["times"], first["replayed_at"]) == ("no event", 2, None)
    assert first["reason"].startswith("body: not JSON")
    assert second["body"] == {"base64": base64.b64encode(BROKEN[1]).decode()}


def test_a_limit_gives_the_oldest(letters: Ground) -> None:
    letters.ingest(b"a younger one")

    assert _list("--limit", "3") == _list()[:3]
    assert "a younger one" not in [each["body"] for each in _list("--limit", "3")]


def test_people_get_a_table_with_a_preview(letters: Ground) -> None:
    letters.ingest(b"\x1b[2Jlong " + b"x" * 1000)

    ended = commands.run("dead-letters", "list")

    assert ended.code == 0
    assert "Dead letters: 4" in ended.out
    assert "\x1b" not in ended.out
    assert "x" * 100 not in ended.out.replace("\n", "")
    assert _id(BROKEN[0])[:12] in ended.out


def test_a_table_shows_the_first_hundred_and_says_so(ground: Ground) -> None:
    ground.ingest(*(f"letter {number}".encode() for number in range(101)))

    short, long = commands.run("dead-letters", "list"), commands.run("dead-letters", "list", "--limit", "101")

    assert "Dead letters: 100 of 101" in short.out
    assert short.err == "badge-worker: these are the first 100 of 101; --limit N shows N, --json all\n"
    assert ("Dead letters: 101" in long.out, long.err) == (True, "")
    assert len(_list()) == 101


# show


def test_the_beginning_of_an_id_is_enough(letters: Ground) -> None:
    del letters
    whole = _id(BROKEN[2])

    ended = commands.run("dead-letters", "show", whole[:8].upper(), "--json")

    assert ended.code == 0
    assert (ended.json["id"], ended.json["body"]) == (whole, BROKEN[2].decode())


def test_people_see_the_whole_body(letters: Ground) -> None:
    body = b"x" * 5000
    letters.ingest(body)

    ended = commands.run("dead-letters", "show", _id(body))

    assert ended.out.count("x") >= 5000


@pytest.mark.parametrize("start", ["zz", "%", ""])
def test_an_id_that_no_letter_has_is_a_no(letters: Ground, start: str) -> None:
    del letters

    said = commands.run("dead-letters", "show", start)
    told = commands.run("dead-letters", "show", start, "--json")

    assert (said.code, said.out) == (1, "")
    assert (told.code, told.json) == (1, None)


def test_an_id_that_several_letters_have_is_wrong_usage(ground: Ground) -> None:
    ground.ingest(*(f"letter {n}".encode() for n in range(17)))  # more than there are hexadecimal digits

    starts = [start for start in "0123456789abcdef" if commands.run("dead-letters", "show", start).code == 2]

    assert starts != []


# replay


def test_replayed_letters_are_on_the_queue_and_noted(letters: Ground, queue: RedisStreamQueue) -> None:
    del letters

    ended = commands.run("dead-letters", "replay", _id(BROKEN[0])[:10], _id(BROKEN[1]), "--json")

    assert ended.code == 0
    assert {each["id"] for each in ended.json} == {_id(BROKEN[0]), _id(BROKEN[1])}
    assert _bodies(queue) == sorted(BROKEN[:2])
    noted = {each["id"] for each in _list() if each["replayed_at"] is not None}
    assert noted == {_id(BROKEN[0]), _id(BROKEN[1])}


def test_all_of_them_can_be_replayed(letters: Ground, queue: RedisStreamQueue) -> None:
    del letters

    ended = commands.run("dead-letters", "replay", "--all")

    assert (ended.code, ended.out) == (0, "put back on the event queue: 3 dead letters\n")
    assert _bodies(queue) == sorted(BROKEN)


def test_a_letter_that_is_named_twice_is_replayed_once(letters: Ground, queue: RedisStreamQueue) -> None:
    del letters

    commands.run("dead-letters", "replay", _id(BROKEN[0]), _id(BROKEN[0])[:9])

    assert _bodies(queue) == [BROKEN[0]]


def test_more_letters_are_replayed_than_go_at_once(
    ground: Ground, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "CHUNK", 2)
    ground.ingest(*(f"letter {number}".encode() for number in range(5)))

    ended = commands.run("dead-letters", "replay", "--all", "--json")

    assert [each["id"] for each in ended.json] == [each["id"] for each in _list()]
    assert len(_bodies(queue)) == 5


def test_nothing_is_replayed_if_an_id_is_unknown(letters: Ground, queue: RedisStreamQueue) -> None:
    del letters

    ended = commands.run("dead-letters", "replay", _id(BROKEN[0]), "zz")

    assert ended.code == 1
    assert "no dead letter zz" in ended.err
    assert queue.backlog() == 0
    assert {each["replayed_at"] for each in _list()} == {None}


def test_a_letter_is_not_noted_while_the_queue_cannot_be_reached(
    letters: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    del letters
    monkeypatch.setenv("BADGE_WORKER_EVENTS_URL", f"redis://127.0.0.1:{free_port()}")

    ended = commands.run("dead-letters", "replay", "--all")

    assert ended.code == 1
    assert ended.err.startswith("badge-worker: ")
    assert {each["replayed_at"] for each in _list()} == {None}


@pytest.mark.parametrize("words", [[], ["aa", "--all"]], ids=["nothing", "both"])
def test_what_to_replay_must_be_plain(letters: Ground, words: list[str]) -> None:
    del letters

    assert commands.run("dead-letters", "replay", *words).code == 2


def test_a_letter_that_is_refused_again_goes_up_in_its_count(
    letters: Ground, queue: RedisStreamQueue
) -> None:
    commands.run("dead-letters", "replay", _id(BROKEN[0]))

    letters.ingest(*(message.body for message in queue.read(10, 0)))

    (letter,) = (each for each in _list() if each["id"] == _id(BROKEN[0]))
    assert letter["times"] == 3


# discard


def test_discarded_letters_are_gone_and_told(letters: Ground) -> None:
    del letters

    told = commands.run(
        "dead-letters", "discard", _id(BROKEN[0])[:10].upper(), _id(BROKEN[1]), "--yes", "--json"
    )
    said = commands.run("dead-letters", "discard", _id(BROKEN[2]), "--yes")

    assert told.code == 0
    assert [each["id"] for each in told.json] == [_id(BROKEN[0]), _id(BROKEN[1])]
    assert (said.code, said.out, said.err) == (0, "discarded: 1 dead letter\n", "")
    assert _list() == []


def test_all_of_them_can_be_discarded(letters: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    del letters
    monkeypatch.setattr(replaying, "CHUNK", 2)
    before = [{"id": each["id"]} for each in _list()]

    ended = commands.run("dead-letters", "discard", "--all", "--yes", "--json")

    assert (ended.code, ended.json) == (0, before)
    assert _list() == []


def test_a_letter_that_is_named_twice_is_discarded_once(letters: Ground) -> None:
    del letters

    ended = commands.run("dead-letters", "discard", _id(BROKEN[0]), _id(BROKEN[0])[:9], "--yes")

    assert ended.out == "discarded: 1 dead letter\n"


def test_nothing_to_discard_is_no_failure_and_asks_nobody(ground: Ground) -> None:
    del ground

    ended = commands.run("dead-letters", "discard", "--all", "--json")

    assert (ended.code, ended.json) == (0, [])


def test_nothing_is_discarded_if_an_id_is_unknown(letters: Ground) -> None:
    del letters

    ended = commands.run("dead-letters", "discard", _id(BROKEN[0]), "zz", "--yes")

    assert (ended.code, ended.err) == (1, "badge-worker: no dead letter zz; nothing was done\n")
    assert len(_list()) == 3


def test_nothing_is_discarded_where_nobody_can_be_asked(letters: Ground) -> None:
    del letters

    ended = commands.run("dead-letters", "discard", _id(BROKEN[0]))

    assert ended.code == 2
    assert ended.err == (
        "badge-worker: dead-letters discard: nobody is here to ask about 1 dead letter; "
        "--yes discards without asking\n"
    )
    assert len(_list()) == 3


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, 0), (b"n\n", 1, 3), (b"\n", 1, 3)])
def test_who_is_asked_decides_what_is_discarded(
    letters: Ground, monkeypatch: pytest.MonkeyPatch, answer: bytes, code: int, left: int
) -> None:
    del letters
    monkeypatch.setattr(dead_letters, "sys", Mock(stdin=Mock(isatty=lambda: True)))

    ended = commands.run("dead-letters", "discard", "--all", stdin=answer)

    assert (ended.code, len(_list())) == (code, left)
    assert "Discard 3 dead letters for good?" in ended.err
    assert ("nothing was discarded" in ended.err) == bool(left)


@pytest.mark.parametrize("words", [[], ["aa", "--all"]], ids=["nothing", "both"])
def test_what_to_discard_must_be_plain(letters: Ground, words: list[str]) -> None:
    del letters

    assert commands.run("dead-letters", "discard", *words, "--yes").code == 2
    assert len(_list()) == 3


def test_what_was_discarded_and_comes_again_is_a_new_letter(letters: Ground) -> None:
    commands.run("dead-letters", "discard", "--all", "--yes")

    letters.ingest(BROKEN[0])

    (letter,) = _list()
    assert (letter["id"], letter["times"]) == (_id(BROKEN[0]), 1)


def test_letters_are_listed_and_discarded_on_postgresql(
    bare: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bare
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", postgres_url)
    engine = make_engine(postgres_url)
    upgrade(engine)
    Ground(engine).ingest(*BROKEN)
    engine.dispose()

    listed = {each["id"] for each in _list()}
    one = commands.run("dead-letters", "discard", _id(BROKEN[1])[:8], "--yes", "--json")
    rest = commands.run("dead-letters", "discard", "--all", "--yes", "--json")

    assert listed == {_id(body) for body in BROKEN}
    assert one.json == [{"id": _id(BROKEN[1])}]
    assert {each["id"] for each in rest.json} == listed - {_id(BROKEN[1])}
    assert _list() == []
