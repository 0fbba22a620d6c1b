"""Issued badges: issue, revoke, list (facts/seeds-and-apis.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.adapters.badgr.errors import went_well
from worker.adapters.credly.errors import said_in
from worker.adapters.credly.filters import filter_query, fits, sort_query
from worker.adapters.credly.models import Badge, Page, Single
from worker.adapters.credly.reading import every, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.adapters.credly.connection import Connection
    from worker.awards import Grant

_NOT_FOUND, _UNPROCESSABLE = 404, 422
_SORT_KEYS = ("issued_at", "created_at", "updated_at", "state_updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeFilter:
    """Which badges: everything given must hold. `state` are pending, accepted, rejected, revoked."""

    query: str | None = None
    state: Sequence[str] = ()
    template: str | None = None
    recipient: str | None = None
    earner: str | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """Return key and value of what is asked for."""
        named = (
            ("query", self.query),
            ("state", ",".join(self.state)),
            ("badge_template_id", self.template),
            ("recipient_email", self.recipient),
            ("issuer_earner_id", self.earner),
        )
        # An address may hold a |, which no filter can: then the list is longer, and `matches` finds it there.
        sayable = {"recipient_email", "issuer_earner_id"}
        return [(key, value) for key, value in named if value and (fits(value) or key not in sayable)]

    def matches(self, badge: Badge) -> bool:
        """Say whether a badge is what was asked for: a service may not know every filter."""
        return (
            self.template in (None, badge.badge_template.id)
            and self.recipient in (None, badge.recipient_email.strip().lower())
            and self.earner in (None, badge.issuer_earner_id)
            and (not self.state or badge.state in self.state)
        )


class Badges:
    """The badges that one organization issued."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def issue(self, template_id: str, grant: Grant, before_send: Callable[[], None]) -> Badge | str:
        """Issue one badge: there is no call for several. Return it, or what the 422 says of its fields."""
        body = issue_body(template_id, grant)
        answer = self._connection.call(
            "POST",
            ["badges"],
            f"template {template_id}",
            json=body,
            but={_UNPROCESSABLE},
            before_send=before_send,
        )
        return read(Single[Badge], answer, "the new badge").data if went_well(answer) else said_in(answer)

    def revoke(
        self,
        badge_id: str,
        reason: str,
        *,
        notify: bool = False,
        before_send: Callable[[], None] | None = None,
    ) -> Badge | str:
        """Revoke a badge for good (X-44). Return it, or why not: it is not there, or was replaced.

        `notify` lets Credly mail its earner.
        """
        body = {"reason": reason, "suppress_revoke_notification_email": not notify}
        answer = self._connection.call(
            "PUT",
            ["badges", badge_id, "revoke"],
            f"badge {badge_id}",
            json=body,
            but={_NOT_FOUND, _UNPROCESSABLE},
            before_send=before_send,
        )
        return read(Single[Badge], answer, "the badge").data if went_well(answer) else said_in(answer)

    def get(self, badge_id: str) -> Badge | None:
        """Return one badge, or None if it is not there or not ours to see."""
        about = f"badge {badge_id}"
        answer = self._connection.call("GET", ["badges", badge_id], about, but={_NOT_FOUND})
        return read(Single[Badge], answer, "a badge").data if went_well(answer) else None

    def page(self, wanted: BadgeFilter, sort: Sequence[str] = (), number: int = 1) -> Page[Badge]:
        """Return one page of the list, as the service answers it."""
        query = [*filter_query(wanted.pairs()), *sort_query(sort, _SORT_KEYS), ("page", str(number))]
        about = f"organization {self._connection.organization}"
        return read(
            Page[Badge], self._connection.call("GET", ["badges"], about, query=query), "a list of badges"
        )

    def all(self, wanted: BadgeFilter, sort: Sequence[str] = ()) -> Iterator[Badge]:
        """Yield every badge that is wanted, page by page."""
        return (
            badge for badge in every(lambda number: self.page(wanted, sort, number)) if wanted.matches(badge)
        )


def issue_body(template_id: str, grant: Grant) -> dict[str, Any]:
    """Return what is sent for one badge: the five required fields, and what there is of the others.

    Without `expires_at` the template's default holds. Evidence without a URL has no field here.
    """
    body: dict[str, Any] = {
        "recipient_email": grant.recipient.strip().lower(),
        "issued_to_first_name": grant.first_name,
        "issued_to_last_name": grant.last_name,
        "badge_template_id": template_id,
        "issued_at": _moment(grant.issued_on),
        "suppress_badge_notification_email": not grant.notify,
    }
    if grant.user_id is not None:
        body["issuer_earner_id"] = grant.user_id
    if grant.expires is not None:
        body["expires_at"] = _moment(grant.expires)
    if grant.narrative:
        body["notification_message"] = grant.narrative
    if evidence := [_evidence(each) for each in grant.evidence if each.get("url")]:
        body["evidence"] = evidence
    return body


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} +0000"


def _evidence(each: dict[str, str]) -> dict[str, str]:
    named = {"type": "UrlEvidence", "value": each["url"], "name": each["url"]}
    return named | ({"description": each["narrative"]} if each.get("narrative") else {})
