"""`publish`: lines to the event queue, good ones and bad ones."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import bodies, commands
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from worker.adapters.queues import RedisStreamQueue, open_queue
from worker.cli import publishing
from worker.errors import QueueUnavailable
from worker.events import LARGEST_EVENT

GOOD = [bodies.enrolled(n, f"user-{n}") for n in range(3)]
UNKNOWN = bodies.event("post.liked", 0, user_id="ada")
# What others measure of a process begins with the memory of the one that started it.
TELLS_ITS_MOST_MEMORY = """
import atexit, pathlib
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text()))
from worker.__main__ import main
main()
"""


@pytest.fixture
def file(bare: Path) -> Path:
    return bare / "events.jsonl"


def _held(queue: RedisStreamQueue) -> list[bytes]:
    return [message.body for message in queue.read(10_000, 0)]


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what will be the sizes of the chunks that are sent."""
    sizes: list[int] = []
    whole = RedisStreamQueue.publish

    def counting(self: RedisStreamQueue, chunk: list[bytes]) -> int:
        sizes.append(len(chunk))
        return whole(self, chunk)

    monkeypatch.setattr(RedisStreamQueue, "publish", counting)
    return sizes


def test_events_are_on_the_queue_in_the_order_of_the_file(file: Path, queue: RedisStreamQueue) -> None:
    file.write_bytes(b"\n".join(GOOD) + b"\n")

    ended = commands.run("publish", file)

    assert (ended.code, ended.out, ended.err) == (0, "3 events accepted, 0 refused\n", "")
    assert _held(queue) == GOOD


def test_stdin_is_read_too(queue: RedisStreamQueue) -> None:
    ended = commands.run("publish", "-", stdin=b"\n".join(GOOD))

    assert (ended.code, ended.out) == (0, "3 events accepted, 0 refused\n")
    assert _held(queue) == GOOD


def test_bad_lines_are_named_and_the_good_ones_published(file: Path, queue: RedisStreamQueue) -> None:
    file.write_bytes(b"\n".join([GOOD[0], b"no event", b"", GOOD[1], b'{"type": 3}']))

    ended = commands.run("publish", file)

    assert (ended.code, ended.out) == (1, "2 events accepted, 2 refused\n")
    assert [line.split(": ")[0] for line in ended.err.splitlines()] == [f"{file}:2", f"{file}:5"]
    assert "not JSON" in ended.err.splitlines()[0]
    assert _held(queue) == GOOD[:2]


def test_raw_lines_are_sent_whatever_they_are(file: Path, queue: RedisStreamQueue) -> None:
    lines = [b" no event\t", b"\xff\xfe", GOOD[0]]
    file.write_bytes(b"\r\n".join([*lines, b"  ", b""]))

    ended = commands.run("publish", "--raw", file)

    assert (ended.code, ended.out) == (0, "3 events accepted, 0 refused\n")
    assert _held(queue) == lines


def test_events_of_other_types_are_accepted_with_a_note(file: Path, queue: RedisStreamQueue) -> None:
    file.write_bytes(b"\n".join([GOOD[0], UNKNOWN, UNKNOWN]))

    ended = commands.run("publish", file)

    assert (ended.code, ended.out) == (0, "3 events accepted, 0 refused\n")
    assert "2 of them are of types that the worker passes over: post.liked.v1 (2)" in ended.err
    assert len(_held(queue)) == 3


def test_the_report_is_one_document(file: Path, queue: RedisStreamQueue) -> None:
    file.write_bytes(b"\n".join([GOOD[0], b"no event", UNKNOWN]))

    ended = commands.run("publish", file, "--json")

    assert ended.code == 1
    assert ended.json == {
        "file": str(file),
        "lines": 3,
        "accepted": 2,
        "refused": [{"line": 2, "reason": "body: not JSON (expected ident at line 1 column 2)"}],
        "refused_total": 1,
        "unknown": {"post.liked.v1": 1},
        "error": None,
    }
    assert queue.backlog() == 2


def test_an_event_of_exactly_the_most_bytes_is_accepted_and_no_bigger_one(
    file: Path, queue: RedisStreamQueue
) -> None:
    largest = GOOD[0][:-1] + b', "pad": "' + b"x" * (LARGEST_EVENT - len(GOOD[0]) - 11) + b'"}'
    largest += b" " * (LARGEST_EVENT - len(largest))
    file.write_bytes(largest + b"\n" + largest + b" \n" + b"y" * 5_000_000 + b"\n" + GOOD[1])

    ended = commands.run("publish", file, "--json")

    assert [each["line"] for each in ended.json["refused"]] == [2, 3]
    assert all("65536" in each["reason"] for each in ended.json["refused"])
    assert _held(queue) == [largest, GOOD[1]]


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_lines_are_whole_however_the_file_is_cut_into_blocks(
    file: Path, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(publishing, "_BLOCK", size)
    file.write_bytes(b"\n".join([GOOD[0], b"no event", b"", GOOD[1], GOOD[2]]))

    ended = commands.run("publish", file, "--json")

    assert (ended.json["lines"], [each["line"] for each in ended.json["refused"]]) == (5, [2])
    assert _held(queue) == GOOD


def test_many_lines_go_in_few_round_trips(
    file: Path, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = _watched(monkeypatch)
    lines = [bodies.enrolled(n, "ada", str(n)) for n in range(8000)]
    file.write_bytes(b"\n".join(lines))

    ended = commands.run("publish", file)

    assert ended.out == "8000 events accepted, 0 refused\n"
    assert sum(sizes) == queue.backlog() == 8000
    assert len(sizes) == 3  # two blocks, and a last line without its break


@pytest.mark.parametrize("flags", [(), ("--raw",)], ids=["checked", "raw"])
def test_of_a_line_without_end_no_more_is_kept_than_a_line_may_have(
    file: Path, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    monkeypatch.setattr(publishing, "_BLOCK", 1000)
    monkeypatch.setattr(publishing, "_LONGEST_LINE", 5000)
    file.write_bytes(GOOD[0] + b"\n" + b"y" * 5001 + b"\n" + GOOD[1] + b"\n" + b"y" * 50_000)

    ended = commands.run("publish", file, "--json", *flags)

    assert (ended.code, ended.json["lines"]) == (1, 4)
    assert [each["line"] for each in ended.json["refused"]] == [2, 4]
    assert _held(queue) == GOOD[:2]


@pytest.mark.parametrize("every", [65536, 1 << 40], ids=["lines", "one-line"])
def test_a_file_is_never_in_memory_as_a_whole(file: Path, queue: RedisStreamQueue, every: int) -> None:
    size = 256 * 1024 * 1024
    with file.open("wb") as sparse:
        sparse.truncate(size)
        for place in range(every, size, every):
            sparse.seek(place)
            sparse.write(b"\n")

    command = [sys.executable, "-c", TELLS_ITS_MOST_MEMORY, "publish", str(file)]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False
    )

    most = int(ended.stdout.split(b"VmHWM:")[1].split()[0])
    assert ended.returncode == 1
    assert most < 200 * 1024  # KiB
    assert queue.backlog() == 0


def test_refusals_are_kept_only_for_the_document_that_lists_them(
    file: Path, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "RefusedLine", None)  # there is none to be made
    file.write_bytes(b"no event\n" * 3)

    ended = commands.run("publish", file)

    assert (ended.code, ended.out) == (1, "0 events accepted, 3 refused\n")
    assert queue.backlog() == 0


def test_what_comes_through_a_pipe_is_published_at_once(queue: RedisStreamQueue) -> None:
    with subprocess.Popen(
        [*commands.PROGRAM, "publish", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as publisher:
        assert publisher.stdin
        assert publisher.stdout
        publisher.stdin.write(b"\n".join([*GOOD[:2], GOOD[2][:30]]))
        publisher.stdin.flush()
        wait_until(lambda: queue.backlog() == 2)
        publisher.send_signal(signal.SIGTERM)

        assert publisher.wait(timeout=60) == 143
        assert publisher.stdout.read() == b"2 events accepted, 0 refused\n"


def test_a_queue_that_goes_away_leaves_word_of_how_far_it_came(
    file: Path, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RedisStreamQueue.publish

    def once(self: RedisStreamQueue, chunk: list[bytes]) -> int:
        if self.backlog():
            raise QueueUnavailable("connection refused")
        return whole(self, chunk)

    monkeypatch.setattr(RedisStreamQueue, "publish", once)
    monkeypatch.setattr(publishing, "_BLOCK", len(GOOD[0]) * 2 + 2)  # two lines
    file.write_bytes(b"\n".join([*GOOD, UNKNOWN]))

    said, told = commands.run("publish", file), commands.run("publish", file, "--json")

    assert (said.code, told.code) == (1, 1)
    assert said.out == "2 events accepted, 0 refused\n"
    assert "cannot be reached: connection refused; accepted so far: 2, of 3 lines read" in said.err
    assert (told.json["accepted"], told.json["error"]) == (
        0,
        "the event queue cannot be reached: connection refused",
    )
    assert queue.backlog() == 2


def test_a_queue_that_is_not_there_is_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGE_WORKER_EVENTS_URL", f"redis://:hidden@127.0.0.1:{free_port()}")
    file.write_bytes(GOOD[0])

    ended = commands.run("publish", file)

    assert (ended.code, ended.out) == (1, "0 events accepted, 0 refused\n")
    assert ended.err.startswith("badge-worker: the event queue cannot be reached: ")
    assert ended.err.count("\n") == 1
    assert "hidden" not in ended.err


def test_without_a_queue_in_the_settings_the_variable_is_named(file: Path) -> None:
    file.write_bytes(GOOD[0])

    ended = commands.run("publish", file)

    assert ended.code == 2
    assert ended.err.startswith("badge-worker: BADGE_WORKER_EVENTS_URL: missing")


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_a_file_that_cannot_be_read_is_wrong_usage(bare: Path, name: str) -> None:
    ended = commands.run("publish", bare / name)

    assert ended.code == 2


def test_an_empty_file_is_nothing_wrong(file: Path, queue: RedisStreamQueue) -> None:
    file.touch()

    assert (commands.run("publish", file).code, queue.backlog()) == (0, 0)


def test_a_pipe_is_published_by_a_process_of_its_own(queue: RedisStreamQueue) -> None:
    ended = commands.spawned("publish", "-", stdin=b"\n".join([*GOOD, b"no event"]))

    assert (ended.code, ended.out) == (1, "3 events accepted, 1 refused\n")
    assert ended.err.startswith("<stdin>:4: body: not JSON")
    assert _held(queue) == GOOD


def test_a_terminal_shows_a_progress_bar_and_a_file_does_not(file: Path, queue: RedisStreamQueue) -> None:
    file.write_bytes(b"\n".join(GOOD))
    ours, theirs = pty.openpty()

    command = [*commands.PROGRAM, "publish", str(file)]
    on_terminal = subprocess.run(command, stderr=theirs, stdout=subprocess.PIPE, timeout=60, check=False)
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    in_file = commands.spawned("publish", file)

    assert b"publishing" in shown
    assert (on_terminal.returncode, on_terminal.stdout) == (0, b"3 events accepted, 0 refused\n")
    assert (in_file.code, in_file.err) == (0, "")
    assert queue.backlog() == 6


def test_rabbitmq_is_published_to_alike(file: Path, amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGE_WORKER_EVENTS_URL", amqp_url)
    file.write_bytes(b"\n".join([*GOOD, b"no event", *GOOD]))

    ended = commands.run("publish", file)

    assert (ended.code, ended.out) == (1, "6 events accepted, 1 refused\n")
    queue = open_queue(amqp_url)
    assert queue.backlog() == 6
    queue.close()
