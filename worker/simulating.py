"""Simulating: who would earn what from these events, by the very code that takes events in and decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Protocol

from worker.awarding import Awarding
from worker.awards import AwardState, NewAward
from worker.ports import BatchStore, StoredBadge
from worker.rules.definitions import Definitions
from worker.users import User

BATCH = 500  # lines at once, as consumers take them in; where batches end does not decide who earns


class DryStore(BatchStore, Protocol):
    """A store of one dry run, and what came to lie in it."""

    @property
    def people(self) -> Mapping[str, User]:
        """Return everybody, by id."""

    @property
    def made(self) -> Mapping[tuple[str, str], NewAward]:
        """Return the awards, by user and badge."""

    @property
    def letters(self) -> Sequence[tuple[bytes, str]]:
        """Return the bodies that are no events, each with the reason, in the order in which they came."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that is no event, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class WouldEarn:
    """An award that would be made.

    `state` is where it would stand in the end: pending, waiting (something is not known), earned (no issuer).
    """

    user_id: str
    badge_id: str
    earned_at: datetime
    state: AwardState
    issuer: str | None
    because: Sequence[Mapping[str, str]]


@dataclass(slots=True)
class Simulated:
    """What became of a file of events. `unknown` counts events of types that are passed over."""

    lines: int = 0
    events: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    refused: list[RefusedLine] = field(default_factory=list)
    awards: list[WouldEarn] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Moved:
    """An award that would be earned at another instant."""

    user_id: str
    badge_id: str
    before: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change of definitions would have done to the same events."""

    gained: list[WouldEarn]
    lost: list[WouldEarn]
    moved: list[Moved]
    unchanged: int


def stored_badges(definitions: Definitions) -> list[StoredBadge]:
    """Return badges as `apply` would store them."""
    return [
        StoredBadge(badge_id, 1, badge.model_dump(mode="json"))
        for badge_id, badge in definitions.badges.items()
    ]


def simulate(store: DryStore, definitions: Definitions, lines: Iterable[bytes], now: datetime) -> Simulated:
    """Take the lines in, in their order, as one consumer would at the instant `now`.

    Account ages are decided against `now`, and an event that lies more than five minutes after it is refused.
    Empty lines are passed over.
    """
    found = Simulated()
    awarding = Awarding(store, lambda: now)
    for batch in _batches(lines, found):
        told = len(store.letters)
        done = awarding.ingest([body for _, body in batch])
        found.events += done.events
        found.unknown.update(done.unknown)
        found.refused += _refused(batch, store.letters[told:])
    needs_names = {
        badge_id: bool(badge.issue and badge.issue.needs_names)
        for badge_id, badge in definitions.badges.items()
    }
    found.awards = [
        _would_earn(award, store.people[award.user_id], with_names=needs_names[award.badge_id])
        for award in sorted(store.made.values(), key=_in_order)
    ]
    return found


def difference(before: Simulated, after: Simulated) -> Difference:
    """Return what the second run awarded otherwise than the first."""
    old, new = ({(award.user_id, award.badge_id): award for award in each.awards} for each in (before, after))
    both = [(old[pair], new[pair]) for pair in old if pair in new]
    moved = [
        Moved(one.user_id, one.badge_id, one.earned_at, other.earned_at)
        for one, other in both
        if one.earned_at != other.earned_at
    ]
    return Difference(
        gained=[award for pair, award in new.items() if pair not in old],
        lost=[award for pair, award in old.items() if pair not in new],
        moved=moved,
        unchanged=len(both) - len(moved),
    )


def _batches(lines: Iterable[bytes], found: Simulated) -> Iterator[list[tuple[int, bytes]]]:
    """Yield so many events at a time, each with the number of its line."""
    numbered = enumerate(lines, 1)
    while some := list(islice(numbered, BATCH)):
        found.lines = some[-1][0]
        yield [(number, body) for number, line in some if (body := line.strip(b"\r\n")).strip()]


def _refused(
    batch: Sequence[tuple[int, bytes]], letters: Sequence[tuple[bytes, str]]
) -> Iterator[RefusedLine]:
    """Yield the lines that these letters were; both are in the order of the batch."""
    lines = iter(batch)
    for body, reason in letters:
        number = next(number for number, line in lines if line == body)
        yield RefusedLine(number, reason)


def _would_earn(award: NewAward, user: User, *, with_names: bool) -> WouldEarn:
    state = AwardState.EARNED
    if award.issuer is not None:
        reachable = user.may_receive(with_names=with_names)
        state = AwardState.PENDING if reachable else AwardState.WAITING
    return WouldEarn(award.user_id, award.badge_id, award.earned_at, state, award.issuer, award.because)


def _in_order(award: NewAward) -> tuple[datetime, str, str]:
    return award.earned_at, award.user_id, award.badge_id
