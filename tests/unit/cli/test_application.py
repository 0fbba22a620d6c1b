from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from tests.support import commands
from worker import __version__
from worker.cli.application import Commands, app
from worker.errors import (
    BadgeWorkerError,
    ConfigurationError,
    DatabaseUnavailable,
    InvalidDefinition,
    NoAnswer,
    Refused,
)

COMMANDS = [
    "demo",
    "up",
    "consume",
    "sandbox",
    "publish",
    "badges",
    "events",
    "awards",
    "dead-letters",
    "explain",
    "simulate",
    "doctor",
    "db",
]


def _failing(error: Exception) -> typer.Typer:
    failing = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    below = typer.Typer()

    @below.command()
    def fail() -> None:
        raise error

    @below.command()
    def other() -> None:
        pass

    failing.add_typer(below, name="below")
    return failing


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("BADGE_WORKER_EVENTS_URL: missing"), 2),
        (DatabaseUnavailable("connection refused"), 1),
        (Refused(403, "no permission"), 1),
        (NoAnswer("the answer did not come"), 1),
        (BadgeWorkerError("something"), 1),
    ],
)
def test_an_error_is_one_line_and_its_class_is_the_exit_code(error: BadgeWorkerError, code: int) -> None:
    ended = CliRunner().invoke(_failing(error), ["below", "fail"])

    assert ended.exit_code == code
    assert ended.stderr == f"badge-worker: {error}\n"
    assert ended.stdout == ""


def test_every_problem_of_a_definition_has_a_line_of_its_own() -> None:
    problems = ["badges.yaml:3: badges.a.title: missing", "badges.yaml:9: badges.b.picture: missing"]

    ended = CliRunner().invoke(_failing(InvalidDefinition(problems)), ["below", "fail"])

    assert ended.exit_code == 2
    assert ended.stderr.splitlines() == [f"badge-worker: {problem}" for problem in problems]


def test_an_error_without_words_is_named_by_its_class() -> None:
    ended = CliRunner().invoke(_failing(DatabaseUnavailable()), ["below", "fail"])

    assert ended.stderr == "badge-worker: DatabaseUnavailable\n"


def test_an_error_that_nobody_expected_is_not_hidden() -> None:
    ended = CliRunner().invoke(_failing(ZeroDivisionError("by zero")), ["below", "fail"])

    assert isinstance(ended.exception, ZeroDivisionError)


def test_the_version_is_the_packages() -> None:
    ended = commands.run("--version")

    assert (ended.code, ended.out) == (0, f"badge-worker {__version__}\n")


def test_help_names_every_command() -> None:
    ended = commands.run("--help")

    assert ended.code == 0
    assert [name for name in COMMANDS if f" {name} " not in ended.out] == []


@pytest.mark.parametrize("command", [[], ["badges"], ["awards"], ["dead-letters"], ["events"], ["db"]])
def test_without_a_command_the_help_is_shown_and_it_is_wrong_usage(command: list[str]) -> None:
    ended = commands.run(*command)

    assert ended.code == 2
    assert "Usage:" in ended.out + ended.err


def test_every_command_and_option_has_a_help_text() -> None:
    found = typer.main.get_command(app)

    without = [" ".join(path) for path, helped in _helps(found, ()) if not helped]

    assert without == []


def _helps(command: object, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str | None]]:
    """Return the help of each command and option below; arguments may speak for themselves."""
    helps = [(path, getattr(command, "help", None))]
    helps += [
        ((*path, parameter.name), parameter.help)
        for parameter in getattr(command, "params", [])
        if parameter.param_type_name == "option"
    ]
    for name, below in getattr(command, "commands", {}).items():
        helps += _helps(below, (*path, name))
    return helps


@pytest.mark.parametrize("command", ["unknown", "award"])
def test_an_unknown_command_is_wrong_usage(command: str) -> None:
    assert commands.run(command).code == 2


def test_help_does_not_load_what_only_the_commands_need() -> None:
    heavy = (
        "{'sqlalchemy', 'alembic', 'celery', 'kombu', 'httpx', 'pydantic', 'uvicorn', 'starlette', 'redis'}"
    )
    program = f"import sys; import worker.__main__; print(sorted({heavy} & sys.modules.keys()))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"


def test_a_command_loads_no_more_than_it_uses() -> None:
    heavy = "{'celery', 'kombu', 'httpx', 'redis', 'starlette', 'strawberry', 'uvicorn', 'alembic'}"
    program = f"import sys; import worker.bootstrap; print(sorted({heavy} & sys.modules.keys()))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout == "[]\n"
