"""The commands as a test calls them: within this process, or as a process of their own."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import structlog
import typer.testing
from typer.main import get_command
from typer.testing import CliRunner

from worker.__main__ import main
from worker.cli.application import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "BADGE_WORKER_"
PROGRAM = (sys.executable, "-m", "worker")
BUILT = cache(get_command)  # making the ninety commands takes longer than most tests of one


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one JSON document on stdout."""
        return json.loads(self.out)


def run(*words: str | Path, stdin: bytes | None = None) -> Result:
    """Run a command within this process; an error that nobody expected is the test's."""
    with _ended_with_it(), mock.patch.object(typer.testing, "_get_command", BUILT):
        ended = CliRunner().invoke(app, list(map(str, words)), input=stdin, prog_name="badge-worker")
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return Result(ended.exit_code, ended.stdout, ended.stderr)


@contextmanager
def _ended_with_it() -> Iterator[None]:
    """Let what a command sets up for its logs and its process end with it."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    collected, share = gc.get_threshold(), sys.getswitchinterval()
    try:
        yield
    finally:
        gc.set_threshold(*collected)
        gc.unfreeze()
        sys.setswitchinterval(share)
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configuration)


def settle_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Work in `folder` with these settings and no others, here and in processes that are started."""
    for name in [name for name in os.environ if name.startswith(PREFIX) and "_TEST_" not in name]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def spawned(*words: str | Path, stdin: bytes | None = None) -> Result:
    """Run a command as a process of its own, to its end."""
    ended = subprocess.run(
        [*PROGRAM, *map(str, words)], input=stdin or b"", capture_output=True, timeout=60, check=False
    )
    return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def run_main(*words: str | Path) -> Result:
    """Run a command within this process with all that the console script adds: signals end it."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _ended_with_it(),
        mock.patch.object(sys, "argv", ["badge-worker", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert isinstance(ended.value.code, int)
    return Result(ended.value.code, out.getvalue(), err.getvalue())
