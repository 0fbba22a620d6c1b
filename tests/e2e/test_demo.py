"""`badge-worker demo`: it proves the main job, says so honestly, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.embedded import PATIENCE, PROGRAM, ROOT, has, no_settings, part_in
from tests.support.bodies import enrolled, registered
from tests.support.processes import no_process_left
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import Spawn
    from tests.support.processes import Spawned

Moment = Callable[[Path, "Spawned"], object]


def demo(spawn: Spawn, folder: Path, checkout: Path = ROOT) -> Spawned:
    return spawn([*PROGRAM, "demo"], no_settings(folder) | {"PYTHONPATH": str(checkout)}, folder)


def has_file(name: str) -> Moment:
    return lambda folder, _: list(folder.glob(f"badge-worker-demo-*/{name}"))


def has_row(statement: str) -> Moment:
    def found(folder: Path, _: Spawned) -> bool:
        return any(has(file, statement) for file in folder.glob("badge-worker-demo-*/badge-worker.db"))

    return found


def has_said(text: str) -> Moment:
    return lambda _, process: text in process.output()


MOMENTS = {
    "valkey starts": has_file("valkey/valkey.log"),
    "the sandbox starts": has_file("sandbox.log"),
    "beat starts": has_file("beat.log"),
    "an award is made": has_row("SELECT 1 FROM awards"),
    "an award is issued": has_row("SELECT 1 FROM awards WHERE state = 'issued'"),
    "it tells the result": has_said("Badges earned"),
}


def reach(moment: str, folder: Path, process: Spawned) -> None:
    wait_until(lambda: MOMENTS[moment](folder, process), PATIENCE, moment)


def test_the_demo_issues_exactly_what_was_earned(spawn: Spawn, tmp_path: Path) -> None:
    with no_process_left():
        process = demo(spawn, tmp_path)
        code = process.wait(PATIENCE * 2)

    printed = process.output()
    assert code == 0
    assert all(
        title in printed for title in ("Badges earned: 170", "Dead letters: ", "Calls to the provider: ")
    )
    assert "Exactly the 170 expected assertions are at the provider." in printed
    assert list(tmp_path.glob("badge-worker-demo-*")) == []
    assert [words(program, tmp_path) for program in told_next(printed)] == [
        ["up", "--badges", str(ROOT / "config" / "badges.yaml")],
        ["publish", "--raw", str(ROOT / "examples" / "events.jsonl")],
    ]


def told_next(printed: str) -> list[str]:
    """Return the commands that it ends with."""
    _, _, after = printed.partition("None of it is kept.")
    return [line for line in after.splitlines() if line.startswith("  ")]


def words(line: str, folder: Path) -> list[str]:
    """Return what follows the program of a line, once that has told of itself that it is ours."""
    program, *rest = line.split()
    said = subprocess.run([program, "--version"], cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("badge-worker ")
    return rest


@pytest.mark.parametrize("moment", [moment for moment in MOMENTS if moment != "an award is made"])
def test_killed_it_leaves_no_process(spawn: Spawn, tmp_path: Path, moment: str) -> None:
    sample = checkout_with(tmp_path / "checkout", datetime(2025, 3, 1, tzinfo=UTC), ada="first-steps")
    with no_process_left():
        process = demo(spawn, tmp_path, sample if moment == "it tells the result" else ROOT)
        reach(moment, tmp_path, process)

        process.signal(signal.SIGKILL)

        process.wait()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_time_it_leaves_no_process(spawn: Spawn, tmp_path: Path, seed: int) -> None:
    with no_process_left():
        process = demo(spawn, tmp_path)
        time.sleep(random.Random(seed).uniform(0.1, 6))  # noqa: S311 # repeatable, not secret

        process.signal(signal.SIGKILL)

        process.wait()


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGINT, "valkey starts", id="Ctrl-C at the start"),
        pytest.param(signal.SIGINT, "an award is made", id="Ctrl-C in the middle"),
        pytest.param(signal.SIGTERM, "beat starts", id="SIGTERM"),
    ],
)
def test_a_signal_ends_it_with_its_own_code_and_nothing_stays(
    spawn: Spawn, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    with no_process_left():
        process = demo(spawn, tmp_path)
        reach(moment, tmp_path, process)

        process.signal(number)

        assert process.wait(PATIENCE) == 128 + number
    assert list(tmp_path.glob("badge-worker-demo-*")) == []
    assert "Traceback" not in process.output()


def test_impatience_leaves_no_process_either(spawn: Spawn, tmp_path: Path) -> None:
    with no_process_left():
        process = demo(spawn, tmp_path)
        reach("beat starts", tmp_path, process)

        while process.process.poll() is None:
            process.signal(signal.SIGINT)

    assert process.wait() == 128 + signal.SIGINT
    assert "Traceback" not in process.output()


def test_without_its_broker_it_fails_and_says_so(spawn: Spawn, tmp_path: Path) -> None:
    with no_process_left():
        process = demo(spawn, tmp_path)
        reach("beat starts", tmp_path, process)
        (folder,) = tmp_path.glob("badge-worker-demo-*")

        os.kill(part_in(folder, "valkey"), signal.SIGKILL)

        assert process.wait(PATIENCE) == 1
    assert "badge-worker: Valkey has ended" in process.output()
    assert "Traceback" not in process.output()


def test_an_expectation_that_is_not_met_is_named_and_fails_the_demo(spawn: Spawn, tmp_path: Path) -> None:
    at = datetime(2025, 3, 1, tzinfo=UTC)
    checkout = checkout_with(tmp_path / "checkout", at, ada="first-steps", bob="finisher")

    with no_process_left():
        process = spawn([*PROGRAM, "demo"], no_settings(tmp_path) | {"PYTHONPATH": str(checkout)}, checkout)
        code = process.wait(PATIENCE)

    assert code == 1
    assert f"missing: finisher for bob@example.org, earned {at.isoformat()}" in process.output()
    assert f"not expected: first-steps for bob@example.org, earned {at.isoformat()}" in process.output()
    assert "ada@example.org, earned" not in process.output()


def checkout_with(folder: Path, at: datetime, **expected: str) -> Path:
    """Make a checkout with a sample of its own: these people enrol, and are expected to earn these badges."""
    (folder / "examples").mkdir(parents=True)
    (folder / "worker").symlink_to(ROOT / "worker")
    (folder / "config").symlink_to(ROOT / "config")
    events = [
        body
        for name in expected
        for body in (registered(at, name, email=f"{name}@example.org"), enrolled(at, name))
    ]
    issued = [
        {"badge": badge, "recipient": f"{name}@example.org", "earned_at": at.isoformat()}
        for name, badge in expected.items()
    ]
    (folder / "examples" / "events.jsonl").write_bytes(b"\n".join(events))
    (folder / "examples" / "expected.json").write_text(json.dumps({"issued": issued}))
    return folder
