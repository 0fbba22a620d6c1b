"""Tasks about awards: hand out work, make one call. Names and arguments are on the wire and in Flower.

A call that was in vain makes its task fail, so that Flower shows it; the task for the next try is a new one.
"""

from __future__ import annotations

from celery import shared_task

from worker import issuing
from worker.bootstrap import services
from worker.calling import in_words
from worker.tasks.base import BadgeTask


@shared_task(base=BadgeTask, name="awards.dispatch", send_events=False)
def dispatch() -> None:
    """Admit what the rate limits have room for, and send a task for each call."""
    here = services()
    permits = here.permits(here.issuers())
    issuing.dispatch(here.database, permits, here.dispatch)


@shared_task(base=BadgeTask, name="awards.issue")
def issue(issuer: str, badge: str, awards: int, lease: str) -> str:  # noqa: ARG001 # Flower shows them
    """Issue the awards of one lease in one call."""
    here = services()
    what = here.issuing(issuer).issue(lease)
    here.dispatch.nudge()
    return in_words(what)


@shared_task(base=BadgeTask, name="awards.look_up")
def look_up(issuer: str, badge: str, awards: int, lease: str) -> str:  # noqa: ARG001 # Flower shows them
    """Look up the uncertain awards of one lease in one call."""
    here = services()
    what = here.issuing(issuer).settle(lease)
    here.dispatch.nudge()
    return in_words(what)


@shared_task(base=BadgeTask, name="awards.revoke")
def revoke(issuer: str, awards: int, lease: str) -> str:  # noqa: ARG001 # Flower shows them
    """Revoke the assertions of one lease in one call."""
    here = services()
    what = here.revoking(issuer).revoke(lease)
    here.dispatch.nudge()
    return in_words(what)
