"""Tasks about the rules: the clock, and everybody's evaluation for new and changed badges."""

from __future__ import annotations

from celery import shared_task

from worker import reevaluation
from worker.adapters.database.alone import Work
from worker.bootstrap import services
from worker.tasks.base import BadgeTask


@shared_task(base=BadgeTask, name="rules.sweep", send_events=False)
def sweep() -> None:
    """Award whoever's account came of age since the last sweep."""
    here = services()
    with here.database.alone(Work.SWEEP) as mine:
        if mine and reevaluation.sweep(here.database):
            here.dispatch.nudge()


@shared_task(base=BadgeTask, name="rules.backfill")
def backfill() -> None:
    """Work off the evaluations that an `apply` noted."""
    here = services()
    with here.database.alone(Work.BACKFILL) as mine:
        if mine and reevaluation.backfill(here.database):
            here.dispatch.nudge()
