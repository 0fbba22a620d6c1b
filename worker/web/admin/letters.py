"""Dead letters: what was refused and why; replayed and discarded as `badge-worker dead-letters` does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from starlette.exceptions import HTTPException

from worker import replaying
from worker.errors import QueueUnavailable

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.intake import Intake
    from worker.web.admin.desk import Visit

log = structlog.get_logger(__name__)

PAGE = 50  # letters on a page
_LONGEST_WAIT = 30.0  # seconds for the broker to confirm


def show_all(visit: Visit) -> Response:
    """Show a page of dead letters, newest first."""
    before = _place(visit.asked("before_at"), visit.asked("before"))
    found = visit.look.letters(before, PAGE + 1)
    shown, more = found[:PAGE], len(found) > PAGE
    return visit.page(
        "letters.html", letters=shown, last=shown[-1] if more else None, first_page=before is None
    )


def _place(at: str | None, letter_id: str | None) -> tuple[datetime, str] | None:
    if at is None or letter_id is None:
        return None
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "That is no place in the list of dead letters.")
    return found, letter_id


def show(visit: Visit) -> Response:
    """Show one dead letter with its whole body."""
    found = visit.database.dead_letters_of([visit.asked("id") or ""])
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such dead letter (any more).")
    return visit.page("letter.html", letter=found[0])


def replay(visit: Visit) -> Response:
    """Put dead letters back on the event queue."""
    ids = _chosen(visit)
    done = replaying.replay(visit.database, _ByIntake(visit.desk.services.intake), ids) if ids else []
    log.info("admin.replayed", actor=visit.session.name, letters=len(done))
    words = "put back on the event queue; what is refused again is a dead letter again."
    return visit.go("letters", f"{_letters(done)} {words}")


def discard(visit: Visit) -> Response:
    """Forget dead letters for good, once somebody says that they are sure."""
    ids = _chosen(visit)
    if ids and "sure" not in visit.form:
        return visit.page("discard.html", letters=visit.database.dead_letters_of(ids))
    done = visit.database.discard_dead_letters(ids) if ids else []
    log.info("admin.discarded", actor=visit.session.name, letters=len(done))
    return visit.go("letters", f"{_letters(done)} discarded.")


def _chosen(visit: Visit) -> list[str]:
    return list(dict.fromkeys(visit.form.get("id", [])))


def _letters(ids: Sequence[str]) -> str:
    return f"{len(ids)} dead letter{'' if len(ids) == 1 else 's'}"


class _ByIntake:
    """Puts bodies on the queue over the connection that events come in by, which many threads share."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Return how many are durably on the queue: all of them. Raises QueueUnavailable."""
        try:
            self._intake.put(bodies).result(_LONGEST_WAIT)
        except TimeoutError:
            raise QueueUnavailable("the broker has not confirmed them in time; replay them again") from None
        return len(bodies)
