"""Every badge in every order, and pages of them: in memory, whatever the user.

A page is cut at places, not at badges: badges that come, go or are renamed meanwhile move no place.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from worker.rules.criteria import Criterion, SocialConnection, leaves

MOST = 100  # badges of one page
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class BadgeStatus(Enum):
    """How a user stands with a badge: earned is what has an award in any state but revoked."""

    EARNED = "EARNED"
    NOT_EARNED = "NOT_EARNED"


class BadgeSortKey(Enum):
    """What badges are sorted by; ties are settled by id."""

    CREATED = "CREATED"  # when the badge was first applied
    TITLE = "TITLE"


class Place(NamedTuple):
    """Where a badge stands in an order. Badges that come and go, or change, move no place."""

    value: int | str
    badge_id: str


@dataclass(frozen=True, slots=True)
class ListedBadge:
    """A badge as it is shown, with its place in each order, and the periods that its criteria ask for."""

    badge_id: str
    title: str
    picture: str
    criterion: Criterion
    published: bool
    places: Mapping[BadgeSortKey, Place]
    windows: tuple[int, ...]


def listed(
    badge_id: str, title: str, picture: str, criterion: Criterion, created_at: datetime, *, published: bool
) -> ListedBadge:
    """Return a badge with what is worked out once for all who look at it."""
    places = {
        BadgeSortKey.CREATED: Place((created_at - _EPOCH) // _MICROSECOND, badge_id),
        BadgeSortKey.TITLE: Place(title.casefold(), badge_id),
    }
    windows = {
        leaf.period
        for leaf in leaves(criterion)
        if isinstance(leaf, SocialConnection) and leaf.period is not None
    }
    return ListedBadge(badge_id, title, picture, criterion, published, places, tuple(sorted(windows)))


class Row(Sequence[ListedBadge]):
    """Badges in one order, with their places apart: those are what a cursor is looked up in."""

    def __init__(self, badges: Iterable[ListedBadge], key: BadgeSortKey) -> None:
        self.badges = sorted(badges, key=lambda badge: badge.places[key])
        self.places = [badge.places[key] for badge in self.badges]

    def __len__(self) -> int:
        return len(self.badges)

    def __getitem__(self, index: Any) -> Any:
        return self.badges[index]


class Catalogue:
    """Every badge, as of one version of the rules."""

    def __init__(self, version: int, badges: Iterable[ListedBadge]) -> None:
        self.version = version
        self.by_id = {badge.badge_id: badge for badge in badges}
        published = [badge for badge in self.by_id.values() if badge.published]
        self._published = {key: Row(published, key) for key in BadgeSortKey}
        self.windows = tuple(sorted({period for badge in published for period in badge.windows}))

    def visible(self, badge_id: str, held: Collection[str]) -> ListedBadge | None:
        """Return a badge; a disabled one only to who holds it."""
        badge = self.by_id.get(badge_id)
        return badge if badge is not None and (badge.published or badge_id in held) else None

    def row(self, held: Collection[str], status: BadgeStatus | None, key: BadgeSortKey) -> Row:
        """Return what a user sees, in this order: disabled badges only where they are held."""
        published = self._published[key]
        mine = [self.by_id[badge_id] for badge_id in held if badge_id in self.by_id]
        if status is BadgeStatus.EARNED:
            return Row(mine, key)
        if status is BadgeStatus.NOT_EARNED:
            return Row((badge for badge in published if badge.badge_id not in held), key)
        disabled = [badge for badge in mine if not badge.published]
        return Row([*published, *disabled], key) if disabled else published


@dataclass(frozen=True, slots=True)
class Selection:
    """Which badges, in which order."""

    status: BadgeStatus | None = None
    key: BadgeSortKey = BadgeSortKey.CREATED
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of them: `count` from the front (after a place), or from the back (before a place)."""

    count: int
    from_back: bool = False
    beyond: Place | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of badges, and what lies around it."""

    badges: Sequence[ListedBadge]
    has_next: bool
    has_previous: bool
    total: int


def turn_to(row: Row, cut: Cut, *, reverse: bool) -> Page:
    """Return one page of a row (facts section 3.2).

    A place is compared with, not looked for: it holds for badges that are gone or were renamed since.
    """
    low, high = 0, len(row)
    if cut.beyond is not None:
        if cut.from_back == reverse:  # what comes later in the row's own order
            low = bisect_right(row.places, cut.beyond)
        else:
            high = bisect_left(row.places, cut.beyond)
    more = high - low > cut.count
    if more and cut.from_back == reverse:
        high = low + cut.count
    elif more:
        low = high - cut.count
    badges = row.badges[low:high]
    if not badges:
        return Page((), has_next=False, has_previous=False, total=len(row))
    if reverse:
        badges = badges[::-1]
    given = cut.beyond is not None
    return Page(
        badges,
        has_next=given if cut.from_back else more,
        has_previous=more if cut.from_back else given,
        total=len(row),
    )
