"""Browsing badges: which ones a user sees, in which order, page by page, and how far along the user is.

What decides a page lies in memory (every badge, in every order, read anew when the rules change); of the user
only awards and counts are read. So a page costs a fixed, small number of statements, however many badges.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from worker.activities import Kind
from worker.catalogue import Catalogue, Cut, ListedBadge, Page, Selection, turn_to
from worker.rules.criteria import RegisteredFor, SocialConnection, SocialEngagement
from worker.users import ANONYMOUS

ADMINISTRATOR = "ADMINISTRATOR"  # the scope of a user who may look at others (facts section 3.1)
_NOBODY = "the user context is unknown, or may not read badges"


class WrongArgument(ValueError):
    """An argument cannot be used; the text names it and says what would be right."""


class NotAllowed(ValueError):
    """The user may not look at this."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a user has: when each badge was earned, and how many live activities of each kind.

    `within` has how many connections were established in so many seconds, for the periods that were counted
    along; it need not have any.
    """

    earned_at: Mapping[str, datetime]
    counts: Mapping[str, int]
    within: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user as far as looking at badges is concerned, with all that the user has."""

    user_id: str
    scope: str | None
    registered_at: datetime | None
    deleted: bool
    blocked: bool
    holdings: Holdings

    @property
    def exists(self) -> bool:
        """Return whether it is somebody who can have badges at all."""
        return not self.deleted and self.scope != ANONYMOUS

    @property
    def may_look(self) -> bool:
        """Return whether the user may act as a user context (S0-23)."""
        return self.exists and not self.blocked

    @property
    def may_look_at_others(self) -> bool:
        """Return whether the user may pass another's `userContextId`."""
        return self.scope == ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Found:
    """The users who were found, with the version of the rules in force and the database's clock.

    All of it is read at once: most pages need nothing else.
    """

    version: int
    now: datetime
    users: Sequence[KnownUser]


class BadgePages(Protocol):
    """What browsing reads, on one connection."""

    def by_uuid(self, uuid: str) -> Found:
        """Return who has this uuid."""

    def by_id(self, user_id: str) -> Found:
        """Return who has this id."""

    def catalogue(self, version: int) -> Catalogue:
        """Return every badge as of this version of the rules, or a later one."""

    def connected_within(self, user_id: str, periods: Collection[int], now: datetime) -> dict[int, int]:
        """Count live connections that were established in so many seconds up to `now`, by period."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a user is along, for the badges of one page; all of it live (Q-07, Q-08, Q-11)."""

    user: KnownUser
    now: datetime
    within: Mapping[int, int]

    def present(self, leaf: SocialConnection | SocialEngagement | RegisteredFor) -> int:
        """Return what a user has of what a criterion asks for: objects, or seconds."""
        if isinstance(leaf, SocialConnection):
            if leaf.period is not None:
                return self.within[leaf.period]
            return self.user.holdings.counts.get(Kind.CONNECTED, 0)
        if isinstance(leaf, SocialEngagement):
            return self.user.holdings.counts.get(Kind.POST, 0)
        if self.user.registered_at is None:
            return 0
        return max(int((self.now - self.user.registered_at).total_seconds()), 0)


class Browsing:
    """One request of one user context: looks at that user's badges, or as an administrator at another's."""

    def __init__(self, pages: BadgePages, viewer: KnownUser, found: Found) -> None:
        self._pages = pages
        self._viewer = viewer
        self._now = found.now
        self._catalogue = pages.catalogue(found.version)
        self._users = {viewer.user_id: viewer}

    def whom(self, user_context_id: str | None) -> KnownUser:
        """Return the user who is looked at; raises NotAllowed, or WrongArgument where nobody is known.

        Whoever may not look at others is not told whether the other exists.
        """
        if user_context_id is None or user_context_id == self._viewer.user_id:
            return self._viewer
        if not self._viewer.may_look_at_others:
            raise NotAllowed("another user's context needs the scope ADMINISTRATOR")
        if user_context_id not in self._users:
            found = self._pages.by_id(user_context_id).users if _can_be_kept(user_context_id) else ()
            known = [user for user in found if user.exists]
            if not known:
                raise WrongArgument("userContextId: there is no such user")
            self._users[user_context_id] = known[0]
        return self._users[user_context_id]

    def badge(self, user: KnownUser, badge_id: str) -> tuple[ListedBadge, Progress] | None:
        """Return one badge with the user's progress; None if there is no such badge for this user."""
        found = self._catalogue.visible(badge_id, user.holdings.earned_at)
        return None if found is None else (found, self._progress(user, [found]))

    def page(self, user: KnownUser, selection: Selection, cut: Cut) -> tuple[Page, Progress]:
        """Return one page of badges with the user's progress."""
        row = self._catalogue.row(user.holdings.earned_at, selection.status, selection.key)
        page = turn_to(row, cut, reverse=selection.reverse)
        return page, self._progress(user, page.badges)

    def _progress(self, user: KnownUser, badges: Iterable[ListedBadge]) -> Progress:
        periods = {period for badge in badges for period in badge.windows}
        within = user.holdings.within
        if missing := periods - within.keys():
            counted = self._pages.connected_within(user.user_id, missing, self._now)
            within = {**within, **counted}
        return Progress(user, self._now, within)


def browse_as(pages: BadgePages, uuid: str) -> Browsing:
    """Begin a request of the user context with this uuid; raises NotAllowed unless it is one live user's.

    Somebody who came back under a new id counts; where two live users share a uuid, nobody knows who asks.
    """
    if not _can_be_kept(uuid):
        raise NotAllowed(_NOBODY)
    found = pages.by_uuid(uuid)
    existing = [user for user in found.users if user.exists]
    if len(existing) != 1 or not existing[0].may_look:
        raise NotAllowed(_NOBODY)
    return Browsing(pages, existing[0], found)


def _can_be_kept(text: str) -> bool:
    """Return whether a database could hold this text: what cannot is nobody's."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
