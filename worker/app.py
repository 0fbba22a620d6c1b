"""The Celery application: ``celery -A worker.app worker``, ``… beat``, ``… flower``."""

from __future__ import annotations

import logging
import sys
from typing import Any, NoReturn

import structlog
from celery.signals import setup_logging, task_postrun, task_prerun

from worker.adapters.celery_app import make_celery
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
        return _settings().required("broker_url")
    except ConfigurationError as error:
        _end(error)


def _end(error: ConfigurationError) -> NoReturn:
    print(f"badge-worker: {error}", file=sys.stderr)  # noqa: T201 # logging is not set up yet
    raise SystemExit(2)


app = make_celery(_broker_url)
app.set_default()
app.conf.imports = ("worker.tasks.awards", "worker.tasks.rules")

# Messages of a tick expire before the next one: a stopped worker leaves no pile behind.
_SCHEDULE: dict[str, dict[str, Any]] = {
    "dispatch": {"task": "awards.dispatch", "schedule": 1.0, "options": {"expires": 1}},
    "sweep": {"task": "rules.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "backfill": {"task": "rules.backfill", "schedule": 5.0, "options": {"expires": 5}},
}
app.conf.beat_schedule = _SCHEDULE
_TICKS = tuple(str(entry["task"]) for entry in _SCHEDULE.values())


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Keep Celery from taking the root logger: its own lines come out like ours."""
    settings = _settings()
    configure_logging(settings.log_format, settings.log_level)
    for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(_no_tick)


def _no_tick(record: logging.LogRecord) -> bool:
    """Let through all but the everyday lines about ticks: they come every second and say nothing."""
    return record.levelno >= logging.WARNING or not any(tick in record.getMessage() for tick in _TICKS)


@task_prerun.connect
def _bind(task_id: str, task: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)


@task_postrun.connect
def _unbind(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id")
