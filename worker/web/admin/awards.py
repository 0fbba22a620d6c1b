"""Awards: found by state, badge and user; put back and revoked by the use cases of `badge-worker awards`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from starlette.exceptions import HTTPException

from worker import revoking
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.looking import Sought
from worker.awards import AwardState, RevocationAnswer, Which

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.awards import AwardRow
    from worker.web.admin.desk import Visit

log = structlog.get_logger(__name__)

PAGE = 50  # rows on a page
_SAYS = {
    RevocationAnswer.REVOKED: "Revoked: nothing was ever sent.",
    RevocationAnswer.QUEUED: "Queued: the task workers revoke it at the provider, as the rate limit allows.",
    RevocationAnswer.REMEMBERED: "Remembered: it may be on its way, and is revoked once that is settled.",
    RevocationAnswer.REVOKED_ALREADY: "It was revoked before.",
    RevocationAnswer.UNDER_WAY: "It is being revoked already.",
}


def show_all(visit: Visit) -> Response:
    """Show a page of awards."""
    state, badge, user = visit.asked("state"), visit.asked("badge"), visit.asked("user")
    if state is not None and state not in set(AwardState):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "There is no such state of an award.")
    sought = Sought(state, badge, user)
    after = (visit.asked("after_user") or "", visit.asked("after_badge") or "")
    rows = visit.look.awards(sought, after if any(after) else None, PAGE + 1)
    shown, more = rows[:PAGE], len(rows) > PAGE
    return visit.page(
        "awards.html",
        rows=shown,
        last=shown[-1] if more else None,
        first_page=not any(after),
        sought=sought,
        states=[each.value for each in AwardState],
        badges=visit.look.badge_ids(),
        failed=visit.look.count(Sought(AwardState.FAILED.value, badge, user)),
    )


def show(visit: Visit) -> Response:
    """Show one award with its history and its addresses."""
    user, badge = visit.asked("user") or "", visit.asked("badge") or ""
    row = _award(visit, user, badge)
    return visit.page(
        "award.html",
        row=row,
        history=visit.database.history_of(user, badge),
        addresses=visit.look.addresses(user, badge),
        can_retry=row.state == AwardState.FAILED,
        can_revoke=row.state not in {AwardState.REVOKED, AwardState.REVOKING},
        longest=revoking.LONGEST_REASON,
    )


def _award(visit: Visit, user: str, badge: str) -> AwardRow:
    found = visit.database.list_awards(AwardFilter(user_id=user, badge_id=badge))
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"User {user} has no award of badge {badge}.")
    return found[0]


def retry(visit: Visit) -> Response:
    """Put one failed award back."""
    user, badge = visit.sent("user"), visit.sent("badge")
    done = _retry(visit, AwardFilter(user_id=user, badge_id=badge))
    note = "Put back: due at once." if done else "Only a failed award is put back; this one is not."
    return visit.go("award", note, user=user, badge=badge)


def retry_all(visit: Visit) -> Response:
    """Put all failed awards back that the page was showing: of a badge, of a user, of both, or all."""
    user, badge = visit.sent("user") or None, visit.sent("badge") or None
    done = _retry(visit, AwardFilter(user_id=user, badge_id=badge))
    note = f"{done} put back: due at once, issued as the rate limit allows."
    return visit.go("awards", note, user=user, badge=badge)


def _retry(visit: Visit, wanted: AwardFilter) -> int:
    put_back = visit.database.retry(wanted, visit.session.name)
    visit.desk.nudge()
    log.info("admin.put_back", actor=visit.session.name, awards=len(put_back))
    return len(put_back)


def revoke(visit: Visit) -> Response:
    """Revoke one award, for good: only with a reason, and for whoever says that they are sure."""
    user, badge, reason = visit.sent("user"), visit.sent("badge"), visit.sent("reason").strip()
    if visit.sent("sure") != "yes":
        raise HTTPException(HTTPStatus.BAD_REQUEST, "Nothing was revoked: nobody said that it is for good.")
    answers = list(revoking.ask(visit.database, Which(badge, (user,)), reason, actor=visit.session.name))
    visit.desk.nudge()
    if not answers:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"User {user} has no award of badge {badge}.")
    log.info(
        "admin.revoked", actor=visit.session.name, badge=badge, user=user, answer=answers[0].answer.value
    )
    return visit.go("award", _SAYS[answers[0].answer], user=user, badge=badge)
