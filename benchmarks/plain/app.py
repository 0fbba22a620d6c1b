"""The Celery application of the plain design, tuned as its friends would tune it."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_process_init

from benchmarks.plain.taking import Taking

QUEUE = "plain"
CONFIGURATION = {
    "task_default_queue": QUEUE,
    "task_ignore_result": True,
    # Acknowledged after the commit, so that a killed process loses nothing: what the other side does, too.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 128,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "task_serializer": "json",
    "accept_content": ["json"],
}

app = Celery("plain", broker=os.environ.get("PLAIN_BROKER_URL", "memory://"))
app.conf.update(CONFIGURATION)
_taking: list[Taking] = []


@worker_process_init.connect
def open_connection(**_: object) -> None:
    """One persistent connection a process."""
    _taking[:] = [Taking(os.environ["PLAIN_DATABASE_URL"])]


@app.task(name="plain.take", shared=False)
def take(body: str) -> None:
    """Take one event in."""
    _taking[0].take(body.encode())
