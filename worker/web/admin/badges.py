"""Badges: what they ask for, who issues them, and how many people earned them when."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from worker.bootstrap import utc_now
from worker.errors import DatabaseUnavailable
from worker.rules.definitions import Badge
from worker.rules.wording import asked
from worker.web.admin.charts import Chart, chart

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.web.admin.desk import Visit

PAGE = 50  # badges on a page


def show_all(visit: Visit) -> Response:
    """Show a page of badges."""
    after = visit.asked("after") or ""
    found = visit.look.badges(after, PAGE + 1)
    shown = [(each, Badge.model_validate(each.definition)) for each in found[:PAGE]]
    rows = [(shelf, badge, asked(badge.criterion)) for shelf, badge in shown]
    last = found[PAGE - 1].badge_id if len(found) > PAGE else None
    return visit.page("badges.html", rows=rows, last=last, first_page=not after)


def show(visit: Visit) -> Response:
    """Show one badge with its earners over time."""
    badge_id = visit.asked("badge") or ""
    shelf = visit.look.badge(badge_id)
    if shelf is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no badge {badge_id}.")
    badge = Badge.model_validate(shelf.definition)
    drawn, too_many = _chart(visit, badge_id, utc_now().date())
    asks = asked(badge.criterion)
    return visit.page(
        "badge.html",
        shelf=shelf,
        badge=badge,
        asks=asks,
        chart=drawn,
        too_many=too_many,
    )


def _chart(visit: Visit, badge_id: str, today: date) -> tuple[Chart | None, bool]:
    """Return the chart, and whether there are too many to be counted in the time that a look may take."""
    try:
        return chart(visit.look.earned_by_day(badge_id), today), False
    except DatabaseUnavailable:
        return None, True
