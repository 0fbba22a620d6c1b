"""What the use cases need from the outside, as small Protocols named by the caller's need.

Each port has a real adapter and an in-memory twin under ``worker/adapters/``; one contract suite in
``tests/contract/`` holds both to the same promises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from worker.activities import Kind
from worker.awards import (
    MOST_PER_CALL,
    OPERATOR,
    Asked,
    Assertion,
    Call,
    Ending,
    Grant,
    LeasedAward,
    LeasedRevocation,
    NewAward,
    Outcome,
    Refusal,
    Which,
)
from worker.comparison import Held, Standing
from worker.news import ActivityNews
from worker.people import Gone, Person, Traces
from worker.rules.facts import Counted
from worker.rules.rulebook import Marks, Rule
from worker.users import Block, User, UserNews


@dataclass(frozen=True, slots=True)
class RulesState:
    """Which rules are in force, and the instant up to which account ages are decided.

    `forgotten` is how many people were forgotten: news of them is not to be kept.
    """

    version: int
    swept_to: datetime
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class StoredBadge:
    """A badge as `badges apply` stored it; `version` is that of the rules at its last change."""

    badge_id: str
    version: int
    definition: dict[str, Any]


class Message(NamedTuple):
    """One message of the event queue: `body` as it came, `handle` for the queue that gave it."""

    body: bytes
    handle: str


class EventQueue(Protocol):
    """The queue that upstream publishes events to; at least once, in any order.

    Every method but `close` raises QueueUnavailable when the queue cannot be reached.
    """

    def read(self, limit: int, wait: float) -> Sequence[Message]:
        """Return up to `limit` messages; empty-handed, wait up to `wait` seconds for the first.

        What was read stays ours until acknowledged; a dead consumer's messages come to the others.
        """

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Say that these are done for good; all of them at once, or none."""

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Put events on the queue and return how many are durably there: all of them."""

    def backlog(self) -> int:
        """Count what is unread or unacknowledged, over all consumers."""

    def close(self) -> None:
        """Leave the queue; what is unacknowledged goes to others. Never raises: they get it in any case."""


class Permit(Protocol):
    """Leave to make one call, taken from the issuer's rate limit."""

    @property
    def call_by(self) -> float:
        """The `time.monotonic()` by which the call must be over: nothing is sent after it."""

    def answered(self) -> None:
        """Say that the answer has arrived: the permit ends one window after now."""

    def unused(self) -> None:
        """Give the permit back: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """How an issuer's rate limit stands: permits to be had now, seconds of pause left, failures in a row."""

    permits: int
    paused: float
    failures: int


class Permits(Protocol):
    """An issuer's rate limit, shared by every process (design.md section 3).

    Every method raises LimiterUnavailable when the shared state cannot be reached: then no call is made.
    """

    def acquire(self, issuer: str, wait: float) -> Permit:
        """Take a permit, waiting up to `wait` seconds for one; raises NoPermit."""

    def room(self, issuer: str, within: float) -> int:
        """Count the permits that can be had within so many seconds; 0 while the issuer is paused."""

    def leeway(self, issuer: str) -> Leeway:
        """Look how the issuer's limit stands, and change nothing by it."""

    def pause(self, issuer: str, seconds: float) -> None:
        """Let nobody call this issuer for so long (``Retry-After``, circuit breaker)."""

    def failed(self, issuer: str) -> int:
        """Note one more call in a row that failed, and return how many it are."""

    def succeeded(self, issuer: str) -> None:
        """Note that a call went well: the row of failures ends."""


class Changes(Protocol):
    """Assertions that changed. Going through them makes the calls."""

    @property
    def timestamp(self) -> datetime | None:
        """Return the `since` of the next time, by the provider's clock, once the first was read."""

    def __iter__(self) -> Iterator[Held]:
        """Yield the changes."""


class Provider(Protocol):
    """One issuer's connection to its provider.

    Methods take their own permits, sign in when they must, and raise the errors of `worker.errors`:
    the class (Permanent, Transient, Uncertain) decides what follows.
    """

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        """Ask for one assertion for each grant, in one call; one outcome for each, in order.

        `before_send` runs between permit and call (again before a repeat after a 401); what it raises
        ends the call unsent and passes through.
        """

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        """List the assertions of these addresses, revoked and expired ones included, in one call."""

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        """Revoke these assertions, each for its reason; for each, in order, why it is not revoked.

        None says that it is, by this call or one before: repeating a revocation is harmless. `before_send`
        runs as with `issue`.
        """

    def changed(self, since: datetime | None) -> Changes:
        """Return what was made, changed or revoked after `since`, or everything; oldest change first.

        Raises Refused with status 404, here or at the first step, where the provider has no such feed.
        """

    def held(self, badgeclass: str) -> Iterable[Held]:
        """Return every assertion of a badge class, revoked and expired ones included."""

    def check(self) -> None:
        """Sign in; raises SignInRefused, TransientError or UncertainError."""

    def badgeclass_exists(self, badgeclass: str) -> bool:
        """Say whether the provider knows the badge class and lets us see it."""


class Dispatch(Protocol):
    """How work is handed to the task workers."""

    def nudge(self) -> None:
        """Ask for a dispatcher run soon. Never raises: beat asks every second anyway."""

    def send(self, call: Call) -> None:
        """Send the task for one call; raises QueueUnavailable. The message expires with the lease."""


class Decisions(Protocol):
    """What every decision reads and writes, in one open transaction."""

    def badges(self) -> Sequence[StoredBadge]:
        """Return every badge as `apply` stored it."""

    def awarded(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which of these (user, badge) have an award already, in whatever state."""

    def counted(
        self, whole: Collection[tuple[str, Kind]], single: Collection[tuple[str, Kind, str]]
    ) -> Mapping[str, Mapping[Kind, Sequence[Counted]]]:
        """Return live activities in the order of `counted_at`: whole kinds of a user, and single ones."""

    def blocks(self, user_ids: Collection[str]) -> Mapping[str, Sequence[Block]]:
        """Return every block and unblock of these users."""

    def insert_awards(self, awards: Sequence[NewAward]) -> int:
        """Insert the awards that are not there yet, and return how many those were."""


class Moved(NamedTuple):
    """How many live activities of a kind a user has after a merge, and had before.

    Those that were added, or count from another time on than before, do so from `since` to `until`.
    """

    user_id: str
    kind: Kind
    old: int
    new: int
    since: datetime | None
    until: datetime | None


Written = Any  # news of activities as a store writes them down: its own business


class Chance(NamedTuple):
    """A badge that a user may have earned now.

    With a `threshold`: only if so many live connections were established from `low` to `high`.
    """

    user_id: str
    badge_id: str
    threshold: int = 0
    low: datetime | None = None
    high: datetime | None = None


class Batch(Decisions, Protocol):
    """The transaction of one batch of events (design.md section 1)."""

    def begin(self, user_ids: Sequence[str]) -> RulesState:
        """Take RULES shared, insert the missing ones of these users and return the state of the rules."""

    def number_forgotten(self) -> int:
        """Return how many people were forgotten, waiting for nobody who is forgetting another one."""

    def forgotten(self, hashes: Sequence[str]) -> set[str]:
        """Return those of these hashes of users that are kept of people who were forgotten."""

    def lock(self, user_ids: Sequence[str]) -> int:
        """Lock these users, sorted, and return how many there are."""

    def lock_users(self, user_ids: Sequence[str], wanted: Collection[str] | None = None) -> dict[str, User]:
        """Lock these users, sorted, and return them, or only the `wanted` ones."""

    def users(self, user_ids: Collection[str]) -> dict[str, User]:
        """Return these users, which are locked already."""

    def merge(self, written: Written, marks: Mapping[Kind, Marks]) -> Sequence[Moved]:
        """Merge news of activities, as `BatchStore.written` returned them, and move the counts.

        Returns the counts that passed a mark and so may decide something; others may be among them.
        """

    def look_at(self, chances: Sequence[Chance]) -> Sequence[tuple[str, str, bool]]:
        """Return (user, badge, whether it was awarded already) for each chance that is worth a look.

        The others were not awarded and lack enough activities in their span.
        """

    def save_users(self, users: Sequence[User]) -> None:
        """Write what is known of these locked users."""

    def add_blocks(self, news: Sequence[UserNews]) -> None:
        """Keep blocks and unblocks; the same one twice is one."""

    def addresses_came(self, user_ids: Collection[str]) -> int:
        """Make awards that wait for nothing any more pending, of these users; return how many."""

    def bury(self, letters: Sequence[tuple[bytes, str]]) -> None:
        """Keep bodies that are not events, each with its reason."""


class BatchStore(Protocol):
    """Where batches are kept."""

    def written(self, news: Sequence[ActivityNews]) -> Written:
        """Write news of activities (each key once, sorted) down as `Batch.merge` takes them.

        It needs no transaction: others need not wait for that.
        """

    def batch(self) -> AbstractContextManager[Batch]:
        """Open one transaction: committed at the end, undone by an exception.

        Raises DatabaseUnavailable for what time mends and Unstorable for data that cannot be kept.
        """


class Sweep(Decisions, Protocol):
    """The transaction that moves the clock of account ages, alone with the rules (design.md section 4)."""

    def begin(self) -> tuple[RulesState, datetime]:
        """Take RULES alone; return the state of the rules and the database's clock."""

    def due(self, ages: Sequence[tuple[int, str]], after: datetime, upto: datetime) -> list[tuple[str, str]]:
        """Return (user, badge) for every (seconds, badge) whose age falls due in (after, upto]."""

    def lock_users(self, user_ids: Sequence[str]) -> dict[str, User]:
        """Lock these users, sorted, and return them."""

    def swept(self, upto: datetime) -> None:
        """Raise `swept_to`."""


class RulesChange(Protocol):
    """The transaction of an `apply`, alone with the rules (design.md section 4)."""

    def begin(self) -> RulesState:
        """Take RULES alone and return their state."""

    def badges(self) -> Sequence[StoredBadge]:
        """Return every badge as it was stored last."""

    def issuers(self) -> dict[str, dict[str, Any]]:
        """Return every issuer's definition as it was stored last."""

    def save_issuers(self, issuers: Mapping[str, dict[str, Any]]) -> None:
        """Store these issuers in place of all others."""

    def hold_issuers(self, issuers: Collection[str]) -> None:
        """Keep the dispatcher from admitting anything for these issuers until this transaction ends."""

    def unsettled(self, issuers: Collection[str]) -> dict[str, int]:
        """Count, by issuer, the awards that these issuers have yet to deal with."""

    def save_badge(self, badge: StoredBadge, status: str, issuer: str | None) -> None:
        """Store a new or changed badge."""

    def reroute(self, badge_id: str, issuer: str | None) -> int:
        """Send unsent awards of a badge to its present issuer, `earned` ones too; return how many moved."""

    def evaluate_later(self, badge_id: str, version: int) -> None:
        """Note durably that everybody is to be evaluated for this version of the badge."""

    def raise_version(self, version: int) -> None:
        """Make `version` the one in force."""


class Reason(StrEnum):
    """Why everybody is evaluated for a badge."""

    RULES = "rules"  # its rules are new
    ASKED = "asked"  # somebody wants it
    NIGHTLY = "nightly"  # to be sure: nothing should be found


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everybody's evaluation for one version of a badge, under way.

    Of `people` users so many were `looked_at`, and `found` are the awards that made.
    """

    badge_id: str
    version: int
    reason: Reason
    people: int
    looked_at: int
    found: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an evaluation: the `people` users after user `after` up to user `upto`."""

    evaluation: Evaluation
    after: str
    upto: str
    people: int


class Backfill(Batch, Protocol):
    """The transaction that awards a few of those whom an evaluation found."""

    def note_found(self, part: Part, worker: int, awards: int) -> None:
        """Note how many awards this made."""


class Close(StrEnum):
    """Whether an evaluation is over, and who ended it."""

    OURS = "ours"
    OTHERS = "others"
    NOT_YET = "not yet"  # others work on its last parts


class RulesStore(Protocol):
    """Where rules are kept and changed, and everybody's evaluations."""

    def sweep(self) -> AbstractContextManager[Sweep]:
        """Open one transaction of the sweep."""

    def change(self) -> AbstractContextManager[RulesChange]:
        """Open the transaction of an `apply`."""

    def backfill(self) -> AbstractContextManager[Backfill]:
        """Open the transaction that awards a few of those whom an evaluation found."""

    def evaluations(self) -> list[Evaluation]:
        """Return the evaluations that are not over."""

    def evaluate_all(
        self, reason: Reason, badge_ids: Collection[str] | None, since: datetime | None
    ) -> list[Evaluation]:
        """Note durably that everybody is to be evaluated for these (or all) published badges; return them.

        What is under way already is joined; what began at `since` or later and is over is left out.
        """

    def now(self) -> datetime:
        """Return the clock that evaluations go by."""

    def at_work(self) -> AbstractContextManager[int]:
        """Give a number of our own; until the block ends others see by it that we are alive."""

    def claim(self, evaluation: Evaluation, worker: int, people: int) -> Part | None:
        """Take a part of up to so many people that nobody alive works on; None if there is none."""

    def part_done(self, part: Part, worker: int) -> Evaluation:
        """Note that a part is done; return how far its evaluation is."""

    def finish(self, evaluation: Evaluation) -> tuple[Close, Evaluation]:
        """End an evaluation of which nothing is left to do; return whether, and how it stands."""

    def drop(self, evaluation: Evaluation) -> None:
        """End an evaluation, whatever is left to do."""

    def people_after(self, after: str, limit: int) -> tuple[int, str]:
        """Return how many the next up to `limit` users after `after` are, and the last of them."""

    def count_people(self) -> int:
        """Count the users."""

    def find_candidates(self, rule: Rule, after: str, upto: str) -> list[str]:
        """Return the users after `after` up to `upto`, sorted, who may earn and lack the badge; no locks."""

    def count_candidates(self, rule: Rule, after: str, upto: str) -> int:
        """Return how many `find_candidates` would return."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What one run of the dispatcher may admit for an issuer.

    `room` are the permits within reach, `in_flight` the most calls at once; `lease` is seconds;
    `most_per_call` awards fit into one call of this provider.
    """

    issuer: str
    room: int
    in_flight: int
    lease: float
    most_per_call: int = MOST_PER_CALL


class Senders(Protocol):
    """Who may send what a lease holds."""

    def mark_sent(self, lease_id: str, awards: int, deadline: float, before: datetime | None) -> datetime:
        """Commit that the call for so many awards of this lease goes out now; return that instant.

        Raises LeaseLost unless the lease is still ours, unsent (or marked at `before`, by ourselves) and
        outlasts `deadline` seconds: then nothing may be sent.
        """

    def hand_back(self, lease_id: str) -> None:
        """Make the unsent awards of a lease due again at once; no attempt is counted."""


class Outbox(Senders, Protocol):
    """Awards on their way to the provider (design.md section 3). Every method is one transaction.

    Times are the database's clock.
    """

    def issuers(self) -> dict[str, dict[str, Any]]:
        """Return every issuer's definition."""

    def reclaim(self, issuer: str, settle_after: float) -> int:
        """Take back leases that ran out: unsent awards are due again, sent ones are uncertain.

        An uncertain one is due `settle_after` seconds after its sending. Returns how many it were.
        """

    def admit(self, admission: Admission) -> list[Call]:
        """Lease due awards for as many calls as the admission has room for, fairly; return the calls."""

    def prepare(self, lease_id: str) -> list[LeasedAward]:
        """Freeze address and badge class of the unsent awards of a lease, and return them.

        One of which something is missing waits again; one whose address another user of the badge has fails.
        """

    def end(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
        """Record how the awards of a lease ended, by user. What the lease lost meanwhile is left alone."""


class Revocations(Senders, Protocol):
    """Awards on their way back from the provider (design.md section 3). Every method is one transaction."""

    def ask(
        self,
        which: Which,
        reason: str,
        after: tuple[str, str] | None,
        limit: int,
        actor: str = OPERATOR,
    ) -> list[Asked]:
        """Ask for up to `limit` of these awards to be revoked, in the order of (user, badge) after `after`.

        `actor` is who asks, for the history.

        What was never sent is revoked at once; what is being sent, after it is settled. Says so of each.
        """

    def prepare_revocations(self, lease_id: str) -> list[LeasedRevocation]:
        """Return the unsent revocations of a lease."""

    def end_revocations(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
        """Record how they ended, by assertion. What the lease lost meanwhile is left alone."""


class Books(Protocol):
    """What our awards say, for comparing them with what a provider holds. Every method is one transaction.

    Those that mend say whether the award was still as it was compared.
    """

    def now(self) -> datetime:
        """Return the database's clock."""

    def badgeclasses(self, issuer: str) -> dict[str, str]:
        """Return the badge of each badge class of this issuer, those included that awards were sent to."""

    def changed_to(self, issuer: str) -> datetime | None:
        """Return up to which change nothing was left to mend, by the provider's clock."""

    def note(self, issuer: str, changed_to: datetime) -> None:
        """Note that nothing is left to mend up to this change."""

    def linked(self, issuer: str, assertion_ids: Sequence[str]) -> dict[str, Standing]:
        """Return the awards that are linked to these assertions."""

    def holders(self, badge_id: str, addresses: Sequence[str]) -> dict[str, Standing]:
        """Return whose these addresses are and where they stand with the badge."""

    def issued(
        self, issuer: str, before: datetime, after: tuple[str, str] | None, limit: int
    ) -> list[Standing]:
        """Return awards that were issued before an instant, in the order of (user, badge) after `after`."""

    def adopt(self, issuer: str, award: Standing, held: Held) -> bool:
        """Link an award to an assertion of this issuer."""

    def lose(self, award: Standing) -> bool:
        """Let an award be issued again whose assertion is lost."""

    def revoked_there(self, award: Standing, reason: str) -> bool:
        """Note that an award was revoked by somebody else."""

    def revoke_again(self, award: Standing) -> bool:
        """Let a revoked award be revoked at the provider."""


class People(Protocol):
    """Where people are forgotten (issued awards stay, under a pseudonym)."""

    def person(self, user_id: str) -> Person | None:
        """Return a user with all by which texts may name them; None if there is no such user."""

    def is_forgotten(self, hash_of_user: str) -> bool:
        """Return whether this hash is kept of somebody."""

    def forget(self, person: Person, hash_of_user: str, fingerprint: str, reason: str | None) -> Gone | None:
        """Let a person's data go, alone with the rules, in one transaction; None if they are gone already.

        With a `reason`, what was issued is to be revoked. Raises Unsettled while an award may be on its way,
        and ConfigurationError if others were forgotten by another key: then nothing is changed.
        """

    def remove_traces(self, traces: Traces) -> tuple[int, int]:
        """Delete dead letters that name a person, and take them out of texts; return how many of both."""


class Clock(Protocol):
    """The one place where time is read."""

    def __call__(self) -> datetime:
        """Return now, in UTC."""
