"""The first page: what needs somebody, and how the issuers are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.database.looking import Sought
from worker.awards import AwardState
from worker.web.admin import issuers

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.web.admin.desk import Visit

# States that pass, or that somebody must see to; `issued` and `earned` are where most awards end.
_WATCHED = {
    AwardState.FAILED: "need somebody to mend something, then a retry",
    AwardState.WAITING: "wait for an address (or a name) of their user",
    AwardState.PENDING: "are due, or will be tried again",
    AwardState.ISSUING: "are on their way to the provider",
    AwardState.REVOKING: "are being revoked",
}


def show(visit: Visit) -> Response:
    """Show how things stand."""
    look = visit.look
    tiles = [(state.value, look.count(Sought(state=state.value)), says) for state, says in _WATCHED.items()]
    return visit.page(
        "overview.html", tiles=tiles, letters=look.count_letters(), issuers=issuers.standings(visit)
    )
