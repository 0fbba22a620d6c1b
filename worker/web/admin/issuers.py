"""Issuers: what they are, how many permits are left, and whether they are being left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.adapters.database.looking import Traffic
from worker.calling import PATIENCE
from worker.errors import ConfigurationError, LimiterUnavailable
from worker.ports import Leeway
from worker.rules.definitions import Issuer

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.ports import Permits
    from worker.web.admin.desk import Visit


@dataclass(frozen=True, slots=True)
class Standing:
    """An issuer in force, and how it is in `words`; `leeway` is None where that cannot be known."""

    issuer_id: str
    issuer: Issuer
    leeway: Leeway | None
    kind: str
    words: str


def show(visit: Visit) -> Response:
    """Show every issuer in force with what is on its way."""
    found = standings(visit)
    traffic: dict[str, Traffic] = {each.issuer_id: visit.look.traffic(each.issuer_id) for each in found}
    return visit.page("issuers.html", issuers=found, traffic=traffic)


def standings(visit: Visit) -> list[Standing]:
    """Return how each issuer in force stands."""
    services = visit.desk.services
    issuers = services.issuers()
    try:
        permits = services.permits(issuers)
    except ConfigurationError as error:  # no REDIS_URL
        return [Standing(name, issuer, None, "unknown", str(error)) for name, issuer in issuers.items()]
    return [_standing(name, issuer, permits) for name, issuer in issuers.items()]


def _standing(issuer_id: str, issuer: Issuer, permits: Permits) -> Standing:
    try:
        leeway = permits.leeway(issuer_id)
    except LimiterUnavailable:
        words = "The shared rate limit cannot be reached, so no calls are made."
        return Standing(issuer_id, issuer, None, "unknown", words)
    return Standing(issuer_id, issuer, leeway, *_say(leeway))


def _say(leeway: Leeway) -> tuple[str, str]:
    """Return how an issuer is, for the eye and in words."""
    row = f"{leeway.failures} calls in a row failed" if leeway.failures else ""
    if leeway.paused > 0:
        because = f": {row}" if row else ", as the provider asked"
        return "paused", f"Left alone for another {leeway.paused:.0f} s{because}."
    if leeway.failures >= PATIENCE:
        return "failing", f"{row.capitalize()}; the next one is a trial."
    if leeway.permits == 0:
        return "busy", "The rate limit is used up; calls go on as permits come back."
    return "open", f"Calls go out{f', though {row}' if row else ''}."
