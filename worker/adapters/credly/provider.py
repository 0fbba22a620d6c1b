"""Credly as the use cases need it: the port `Provider` for one organization."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.adapters.badgr.calls import Calls
from worker.adapters.credly.badges import BadgeFilter, Badges
from worker.adapters.credly.connection import Connection
from worker.adapters.credly.http import BasicHttp
from worker.adapters.credly.templates import KnownTemplates, Templates
from worker.awards import Assertion, NotMade, Refusal, RefusalKind
from worker.comparison import Held
from worker.errors import ConfigurationError, NoAnswer, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.adapters.credly.models import Badge, Template
    from worker.awards import Grant, Outcome
    from worker.ports import Changes, Permits

_NOT_FOUND = 404


class CredlyProvider:
    """One organization's connection to Credly at `base_url`, which ends in ``/v1``.

    `deadline` is the total time of one call in seconds, counted from its permit on and before `before_send`:
    what a lease must outlast. `known` may be shared by all providers of a process. Nothing connects before
    the first call.
    """

    def __init__(
        self,
        issuer_id: str,
        base_url: str,
        organization: str,
        token: str,
        permits: Permits,
        deadline: float,
        known: KnownTemplates | None = None,
    ) -> None:
        connection = Connection(Calls(issuer_id, BasicHttp(base_url), permits, deadline), organization, token)
        self.issuer_id = issuer_id
        self.templates = Templates(connection)
        self.badges = Badges(connection)
        self._known = known or KnownTemplates()

    def __repr__(self) -> str:
        return f"CredlyProvider({self.issuer_id!r})"

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        """Issue the first grant: one call takes one. The others are not made.

        `badgeclass` is the template's id. Only active templates are issued (S2-34).
        """
        first, *others = grants
        return [self._issue(badgeclass, first, before_send), *(NotMade() for _ in others)]

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        """List the badges of these addresses, revoked and expired ones too: one call for each address."""
        wanted = dict.fromkeys(recipient.strip().lower() for recipient in recipients)
        self._template(badgeclass)
        return [
            _assertion(badge)
            for recipient in wanted
            for badge in self.badges.all(BadgeFilter(template=badgeclass, recipient=recipient))
        ]

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        """Revoke these badges, one call for each; for each, in order, why it is not revoked."""
        return [self._revoke(badge_id, reason, before_send) for badge_id, reason in revocations]

    def changed(self, since: datetime | None) -> Changes:
        """Refuse: Credly has no feed of changes."""
        del since
        raise Refused(_NOT_FOUND, "Credly has no feed of changes")

    def held(self, badgeclass: str) -> Iterator[Held]:
        """Yield every badge of a template, revoked and expired ones too; a call for each page."""
        self._template(badgeclass)
        found = self.badges.all(BadgeFilter(template=badgeclass))
        return (Held(badgeclass, _assertion(badge)) for badge in found)

    def check(self) -> None:
        """See that the token is accepted for the organization."""
        self.templates.page()

    def badgeclass_exists(self, badgeclass: str) -> bool:
        """Say whether the organization has this template; raises ConfigurationError if it is not active."""
        template = self.templates.get(badgeclass)
        if template is not None and not template.is_active:
            raise ConfigurationError(f"{_inactive(template)}; activate it at Credly, or disable the badge")
        return template is not None

    def _issue(self, template_id: str, grant: Grant, before_send: Callable[[], None]) -> Outcome:
        template = self._template(template_id)
        if not template.is_active:
            return Refusal(RefusalKind.PERMANENT, _inactive(template))
        if not (grant.first_name and grant.last_name):
            return Refusal(RefusalKind.PERMANENT, "Credly wants a first and a last name")
        if template.allow_duplicate_badges and (standing := self._standing(template_id, grant)):
            return _duplicate("this template allows duplicates, so we looked first", standing)
        made = self.badges.issue(template_id, grant, before_send)
        if isinstance(made, str):
            return self._refusal(template_id, grant, made)
        if not BadgeFilter(template=template_id, recipient=grant.recipient.strip().lower()).matches(made):
            raise NoAnswer("Credly confirms another badge than was asked for")
        return _assertion(made)

    def _revoke(self, badge_id: str, reason: str, before_send: Callable[[], None]) -> Refusal | None:
        """Revoke one; what Credly refuses because it is revoked already, is revoked."""
        answer = self.badges.revoke(badge_id, reason, before_send=before_send)
        if not isinstance(answer, str):
            return None
        badge = self.badges.get(badge_id)
        return None if badge is not None and badge.is_revoked else Refusal(RefusalKind.PERMANENT, answer)

    def _refusal(self, template_id: str, grant: Grant, words: str) -> Refusal:
        """Tell a duplicate from what a person must mend: Credly's words alone do not."""
        if standing := self._standing(template_id, grant):
            return _duplicate(words, standing)
        template = self._read(template_id)
        return Refusal(RefusalKind.PERMANENT, words if template.is_active else _inactive(template))

    def _standing(self, template_id: str, grant: Grant) -> Badge | None:
        """Return the badge that ours would be a duplicate of: of the same user of ours, or address."""
        recipient = grant.recipient.strip().lower()
        searches = [BadgeFilter(template=template_id, recipient=recipient)]
        if grant.user_id is not None:
            searches.insert(0, BadgeFilter(template=template_id, earner=grant.user_id))
        found = (badge for wanted in searches for badge in self.badges.all(wanted) if _is_live(badge))
        return next(found, None)

    def _template(self, template_id: str) -> Template:
        return self._known.get(self.issuer_id, template_id) or self._read(template_id)

    def _read(self, template_id: str) -> Template:
        """Read a template; raises Refused if it is not there."""
        template = self.templates.get(template_id)
        if template is None:
            words = f"template {template_id} is unknown to Credly, or this token may not use it"
            raise Refused(_NOT_FOUND, words)
        self._known.put(self.issuer_id, template)
        return template


def _inactive(template: Template) -> str:
    return f"template {template.id} is {template.state or 'in no state'}: only active ones can be issued"


def _duplicate(words: str, standing: Badge) -> Refusal:
    return Refusal(RefusalKind.DUPLICATE, words, _assertion(standing))


def _is_live(badge: Badge) -> bool:
    return not badge.is_revoked and (badge.expires_at is None or badge.expires_at > datetime.now(UTC))


def _assertion(badge: Badge) -> Assertion:
    """Return a badge in the worker's words. Until it is accepted, only its earner can see it."""
    return Assertion(
        assertion_id=badge.id,
        url=badge.badge_url or badge.accept_badge_url or f"https://www.credly.com/badges/{badge.id}",
        recipient=badge.recipient_email.strip().lower(),
        issued_on=badge.issued_at,
        expires=badge.expires_at,
        revoked=badge.is_revoked,
        revocation_reason=badge.revocation_reason,
    )
