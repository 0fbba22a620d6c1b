# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""From the environment to services that a command can use."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from worker.cli.output import say
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.adapters.database.store import Database
    from worker.adapters.metrics import State
    from worker.bootstrap import Services
    from worker.settings import Settings

_opened: ContextVar[ExitStack] = ContextVar("opened")


@contextmanager
def closing_services() -> Iterator[None]:
    """Close in the end what is opened meanwhile."""
    with ExitStack() as opened:
        before = _opened.set(opened)
        try:
            yield
        finally:
            _opened.reset(before)


def open_settings(*, quiet: bool = True) -> Settings:
    """Read the settings and set up logging by them; raises ConfigurationError.

    `quiet` leaves out what long-running processes log, unless the operator has set a level.
    """
    from worker.logs import configure_logging
    from worker.settings import load_settings

    settings = load_settings()
    level = "warning" if quiet and "log_level" not in settings.model_fields_set else settings.log_level
    configure_logging(settings.log_format, level)
    return settings


def open_services(*, quiet: bool = True) -> Services:
    """Return services that connect when first used, and end with the command; raises ConfigurationError."""
    from worker.bootstrap import Services

    here = Services(open_settings(quiet=quiet))
    if opened := _opened.get(None):
        opened.callback(here.close)
    return here


def open_database(here: Services) -> Database:
    """Return the database; raises ConfigurationError if its schema is missing or old."""
    from worker.adapters.database.readiness import schema_problem

    problem = schema_problem(here.database.engine)
    if problem is not None:
        raise ConfigurationError(problem)
    return here.database


def check_broker_url(here: Services) -> None:
    """Raise ConfigurationError where tasks could never be sent; nothing connects."""
    from worker.adapters.celery_app import check_broker

    check_broker(here.settings.required("broker_url"))


def nudge(here: Services) -> None:
    """Let the dispatcher run at once if a task broker is set up. Never fails: beat lets it run anyway."""
    if here.settings.broker_url is None:
        return
    try:
        check_broker_url(here)
    except ConfigurationError as error:
        say(str(error))
    else:
        here.dispatch.nudge()


@contextmanager
def serving_metrics(here: Services, state: State | None = None) -> Iterator[None]:
    """Serve this process's metrics where METRICS_PORT says so, with `state` how things stand as well.

    Raises ConfigurationError if the port cannot be had.
    """
    from worker.adapters.metrics import MetricsServer

    port = here.settings.metrics_port
    server = MetricsServer(port, state) if port is not None else None
    try:
        yield
    finally:
        if server is not None:
            server.close()
