"""Tasks about the rules: the clock, and everybody's evaluation. Names and arguments are in Flower."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from celery import shared_task
from kombu.exceptions import OperationalError

from worker import reevaluation
from worker.adapters.database.alone import Work
from worker.adapters.database.store import Database
from worker.bootstrap import services
from worker.ports import Evaluation
from worker.tasks.base import BadgeTask

SLOTS = (Work.FIRST_EVALUATION, Work.SECOND_EVALUATION)
LONGEST = 30  # seconds of one task: far below the time after which a broker delivers it again


@shared_task(base=BadgeTask, name="rules.sweep", send_events=False)
def sweep() -> None:
    """Award whoever's account came of age since the last sweep."""
    here = services()
    with here.database.alone(Work.SWEEP) as mine:
        if mine and reevaluation.sweep(here.database):
            here.dispatch.nudge()


@shared_task(base=BadgeTask, name="rules.nightly", send_events=False)
def nightly() -> None:
    """Note once a night that everybody is to be evaluated for every badge: a safety net."""
    reevaluation.begin_night(services().database)


@shared_task(base=BadgeTask, name="rules.backfill", send_events=False)
def backfill() -> None:
    """Put a task to work on the evaluations that wait, if there is a slot for it."""
    here = services()
    waiting = here.database.evaluations()
    if waiting and any(_is_free(here.database, slot) for slot in SLOTS):
        here.dispatch.evaluate(waiting[0])


@shared_task(base=BadgeTask, name="rules.evaluate", bind=True)
def evaluate(self: BadgeTask, badge: str, version: int, reason: str) -> str:  # noqa: ARG001 # Flower shows it
    """Evaluate everybody for one badge, for half a minute at most; then the next task goes on."""
    here = services()
    with _slot(here.database) as mine, here.database.at_work() as number:
        if not mine:
            return "others are at it"
        worker = reevaluation.Evaluator(here.database, number, Shown(self))
        worked = worker.work_for(LONGEST, badge, version)
    if worked is None:
        return "nothing is left to do"
    if worked.awards:
        here.dispatch.nudge()
    if waiting := here.database.evaluations():
        here.dispatch.evaluate(waiting[0])
    return said(worked.standing)


@contextmanager
def _slot(database: Database) -> Iterator[bool]:
    with ExitStack() as stack:
        yield any(stack.enter_context(database.alone(slot)) for slot in SLOTS)


def _is_free(database: Database, slot: Work) -> bool:
    with database.alone(slot) as free:
        return free


class Shown:
    """Shows how far an evaluation is in Flower, while its task still runs.

    Without a result backend there is no other way: an event of our own, whose fields Flower takes over.
    """

    def __init__(self, task: BadgeTask) -> None:
        self._task = task
        self._next = 0.0

    def __call__(self, standing: Evaluation) -> None:
        """Show it, once a second. What cannot be shown holds nothing up."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1
            with suppress(OperationalError):
                self._task.send_event("task-progress", retry=False, result=said(standing))


def said(standing: Evaluation) -> str:
    """Return how far an evaluation is, in words."""
    share = 100 * standing.looked_at // max(standing.people, 1)
    people = f"{standing.looked_at:,} of {standing.people:,} people"
    return f"{min(share, 100)} %: {people} looked at, {standing.found:,} new awards"
