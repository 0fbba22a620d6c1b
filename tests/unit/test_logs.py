"""Log lines: JSON for machines, text on a terminal, and no traceback that shows what a variable held."""

from __future__ import annotations

import io
import json
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import structlog

from worker import logs
from worker.logs import LogFormat, configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "ada.marked@example.org"


class Stderr(io.StringIO):
    """Where log lines go; `terminal` says what it claims to be."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stderr]:
    """Put logging back as it was, afterwards."""
    there, root = Stderr(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "alembic")}
    # Not sys itself, whose stderr is pytest's own while a test runs.
    monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=there))
    yield there
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize(
    ("wanted", "terminal", "is_json"),
    [
        pytest.param(None, False, True, id="for-a-machine"),
        pytest.param(None, True, False, id="on-a-terminal"),
        pytest.param("json", True, True, id="json-is-wanted"),
        pytest.param("console", False, False, id="text-is-wanted"),
    ],
)
def test_a_line_is_json_unless_it_is_for_a_terminal(
    stderr: Stderr, wanted: LogFormat | None, terminal: bool, is_json: bool
) -> None:
    stderr.terminal = terminal
    configure_logging(wanted)

    structlog.get_logger("worker.test").info("badge.issued", badge="first-steps")
    logging.getLogger("celery").warning("from a library")

    ours, other = stderr.getvalue().splitlines()
    assert ("badge.issued" in ours, "from a library" in other) == (True, True)
    assert [line.startswith("{") for line in (ours, other)] == [is_json, is_json]
    if is_json:
        assert (
            json.loads(ours).items()
            >= {"event": "badge.issued", "badge": "first-steps", "level": "info"}.items()
        )


def fail(address: str) -> None:
    raise RuntimeError(len(address))


@pytest.mark.parametrize("shape", ["console", "json"])
def test_a_traceback_shows_code_and_no_values(stderr: Stderr, shape: LogFormat) -> None:
    configure_logging(shape)

    try:
        fail(MARK.upper())
    except RuntimeError:
        structlog.get_logger("worker.test").exception("request.failed")

    assert "RuntimeError" in stderr.getvalue()
    assert MARK not in stderr.getvalue().lower()


def test_clients_of_http_are_silenced_for_they_log_urls(stderr: Stderr) -> None:
    configure_logging("json", "debug")

    logging.getLogger("httpx").info("GET https://provider.example.org/?recipient=%s", MARK)

    assert stderr.getvalue() == ""
