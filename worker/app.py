"""The Celery application: ``celery -A worker.app worker``, ``… beat``, ``… flower``."""

from __future__ import annotations

import logging
import sys
from typing import Any, NoReturn

import structlog
from celery.signals import celeryd_init, setup_logging, task_postrun, task_prerun, worker_ready

from worker.adapters.celery_app import TICKS, check_broker, make_celery
from worker.adapters.celery_pool import asks_for_prefork
from worker.bootstrap import Services
from worker.errors import ConfigurationError
from worker.logs import configure_logging
from worker.settings import Settings, load_settings


def _settings() -> Settings:
    """Read the settings; a wrong one ends the command with one line."""
    try:
        return load_settings()
    except ConfigurationError as error:
        _end(error)


def _broker_url() -> str:
    try:
        return check_broker(_settings().required("broker_url"))
    except ConfigurationError as error:
        _end(error)


def _end(error: ConfigurationError) -> NoReturn:
    print(f"badge-worker: {error}", file=sys.stderr)  # noqa: T201 # logging is not set up yet
    raise SystemExit(2)


_SOON = 60  # seconds until a new worker is sure to have got to its own message

app = make_celery(_broker_url)
if asks_for_prefork(sys.argv):
    app.add_defaults(lambda: {"worker_pool": "prefork"})
app.set_default()
app.conf.imports = ("worker.tasks.awards", "worker.tasks.rules")

# Lines below warnings that come every second and say nothing, or that a task has said better itself.
_EVERYDAY = (*(str(tick["task"]) for tick in TICKS.values()), "raised expected")


@celeryd_init.connect
def _check_settings(**_: Any) -> None:
    """End a task worker with one line if it could never do its work; nothing connects."""
    try:
        here = Services(_settings())
        here.database.engine.dispose()
        here.permits({})
        here.load_providers()
    except ConfigurationError as error:
        _end(error)
    except ValueError:  # its words may hold parts of a password
        _end(ConfigurationError("BADGE_WORKER_REDIS_URL: not an address of Redis; use redis://host:6379/2"))


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Keep Celery from taking the root logger: its own lines come out like ours."""
    settings = _settings()
    configure_logging(settings.log_format, settings.log_level)
    for name in ("celery.beat", "celery.worker.strategy", "celery.worker.request", "celery.app.trace"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Let through all but everyday lines."""
    return record.levelno >= logging.WARNING or not any(each in record.getMessage() for each in _EVERYDAY)


@worker_ready.connect
def _catch_up(**_: Any) -> None:
    """Dispatch at once: what waits in the queue may have expired while no task worker ran."""
    app.send_task("awards.dispatch", expires=_SOON, retry=False)


@task_prerun.connect
def _bind(task_id: str, task: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect
def _unbind(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id")
