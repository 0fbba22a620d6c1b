"""Twins of what issuing stands on: they do as they are told and remember what was asked of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.unit.rules.written import BADGE
from worker.awards import Assertion, Call, Ending, Grant, LeasedAward, Outcome, Refusal
from worker.errors import BadgeWorkerError, LeaseLost, QueueUnavailable
from worker.issuing import IssuerConnection, Issuing
from worker.rules.definitions import Badge, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from worker.comparison import Held
    from worker.ports import Admission, Changes, Leeway, Permit

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)
ISSUER = {"provider": "badgr", "url": "https://api.badgr.io", "settle_after": "90s", "timeout": "20s"}


def leased(user_id: str = "ada", *, attempts: int = 0, earned_at: datetime = NOON) -> LeasedAward:
    return LeasedAward(user_id, "first-steps", earned_at, f"{user_id}@example.org", "c1", attempts)


def assertion(user_id: str = "ada", **facts: Any) -> Assertion:
    whole: dict[str, Any] = {
        "assertion_id": f"assertion-of-{user_id}",
        "url": f"https://badgr.io/{user_id}",
        "recipient": f"{user_id}@example.org",
        "issued_on": NOON,
    }
    return Assertion(**whole | facts)


@dataclass
class Leases:
    """An outbox in memory: the awards of one lease, and how they ended. A `lost` one is somebody else's."""

    awards: Sequence[LeasedAward] = ()
    lost: bool = False
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    late: int = 0
    admitted: dict[str, list[Call]] = field(default_factory=dict)
    sent: list[tuple[int, float, datetime | None]] = field(default_factory=list)
    endings: dict[str, Ending] | None = None
    handed_back: list[str] = field(default_factory=list)
    reclaimed: list[tuple[str, float]] = field(default_factory=list)
    admissions: list[Admission] = field(default_factory=list)

    def issuers(self) -> dict[str, dict[str, Any]]:
        return self.stored

    def reclaim(self, issuer: str, settle_after: float) -> int:
        self.reclaimed.append((issuer, settle_after))
        return self.late

    def admit(self, admission: Admission) -> list[Call]:
        self.admissions.append(admission)
        return self.admitted.get(admission.issuer, [])

    def prepare(self, lease_id: str) -> list[LeasedAward]:
        assert lease_id == "lease"
        return list(self.awards)

    def mark_sent(self, lease_id: str, awards: int, deadline: float, before: datetime | None) -> datetime:
        assert lease_id == "lease"
        if self.lost:
            raise LeaseLost("somebody else's")
        self.sent.append((awards, deadline, before))
        return NOON + timedelta(seconds=len(self.sent))

    def end(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
        assert (lease_id, self.endings) == ("lease", None)
        self.endings = dict(endings)

    def hand_back(self, lease_id: str) -> None:
        self.handed_back.append(lease_id)


@dataclass
class Limits:
    """Permits in memory: counts failures in a row, and keeps every pause."""

    free: dict[str, int] = field(default_factory=dict)
    row: int = 0
    pauses: list[float] = field(default_factory=list)
    gone: BadgeWorkerError | None = None
    asked: set[str] = field(default_factory=set)
    reach: list[float] = field(default_factory=list)

    def acquire(self, issuer: str, wait: float) -> Permit:
        raise NotImplementedError("providers take their own permits")

    def room(self, issuer: str, within: float) -> int:
        self._ask(issuer)
        self.reach.append(within)
        return self.free.get(issuer, 0)

    def leeway(self, issuer: str) -> Leeway:
        raise NotImplementedError("only people look")

    def pause(self, issuer: str, seconds: float) -> None:
        self._ask(issuer)
        self.pauses.append(seconds)

    def failed(self, issuer: str) -> int:
        self._ask(issuer)
        self.row += 1
        return self.row

    def succeeded(self, issuer: str) -> None:
        self._ask(issuer)
        self.row = 0

    def _ask(self, issuer: str) -> None:
        self.asked.add(issuer)
        if self.gone is not None:
            raise self.gone


@dataclass
class Academy:
    """A provider that answers what it is told to. `marks` is how often a call gets as far as being sent."""

    outcomes: Sequence[Outcome] = ()
    found: Sequence[Assertion] = ()
    refusals: Sequence[Refusal | None] = ()
    error: BadgeWorkerError | None = None
    marks: int = 1
    asked: list[tuple[str, str, Sequence[Any]]] = field(default_factory=list)

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        for _ in range(self.marks):
            before_send()
        self.asked.append(("issue", badgeclass, grants))
        if self.error is not None:
            raise self.error
        return self.outcomes

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        self.asked.append(("find", badgeclass, recipients))
        if self.error is not None:
            raise self.error
        return self.found

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        for _ in range(self.marks):
            before_send()
        self.asked.append(("revoke", "", revocations))
        if self.error is not None:
            raise self.error
        return self.refusals

    def changed(self, since: datetime | None) -> Changes:
        raise NotImplementedError

    def held(self, badgeclass: str) -> Iterable[Held]:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def badgeclass_exists(self, badgeclass: str) -> bool:
        raise NotImplementedError


@dataclass
class Broker:
    """Task messages in memory; `refuses` names a call that it does not take."""

    sent: list[str] = field(default_factory=list)
    refuses: str | None = None

    def nudge(self) -> None:
        raise NotImplementedError("the dispatcher is not to nudge itself")

    def send(self, call: Call) -> None:
        if call.lease_id == self.refuses:
            raise QueueUnavailable("broker gone")
        self.sent.append(call.lease_id)


def issuing(outbox: Leases, limits: Limits, academy: Academy, **badge: Any) -> Issuing:
    """Return what makes the calls of the issuer `academy`."""
    definition = Badge.model_validate(BADGE | badge)
    issuer = Issuer.model_validate(ISSUER)
    connection = IssuerConnection("academy", issuer, academy, lambda _: definition, lambda: NOW)
    return Issuing(outbox, limits, connection)
