"""A provider inside the process: the twin of the real ones, which also fails when it is told to."""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING

from worker.awards import Assertion, NotMade, Refusal, RefusalKind
from worker.comparison import Held
from worker.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from worker.awards import Grant, Outcome
    from worker.errors import BadgeWorkerError


@dataclass(frozen=True, slots=True)
class _Failure:
    error: BadgeWorkerError
    saving: int


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryChanges:
    """A feed of changed assertions that is read when it is gone through."""

    def __init__(self, read: Callable[[], list[Held]], now: datetime) -> None:
        self._read = read
        self._now = now
        self.timestamp: datetime | None = None

    def __iter__(self) -> Iterator[Held]:
        """Yield the changes."""
        found = self._read()
        self.timestamp = self._now
        yield from found


class MemoryProvider:
    """Holds assertions by the rules of the Badgr API (facts/badgr-api.md sections 5 and 6).

    `badgeclasses` are those that it knows, None for any. `calls` lists what was asked of it that got as
    far as being sent, as ``(method, badge class, how many)``.
    """

    def __init__(
        self, badgeclasses: Collection[str] | None = None, *, clock: Callable[[], datetime] = _now
    ) -> None:
        self.calls: list[tuple[str, str, int]] = []
        self._badgeclasses = badgeclasses
        self._clock = clock
        self._guard = threading.Lock()
        self._changes: dict[tuple[str, str], datetime] = {}
        self._held: dict[str, list[Assertion]] = defaultdict(list)
        self._failures: dict[str, deque[_Failure]] = defaultdict(deque)

    def fail_next(self, method: str, error: BadgeWorkerError, *, saving: int = 0) -> None:
        """Let the next call of `method` end with `error`, after the first `saving` grants were saved."""
        self._failures[method].append(_Failure(error, saving))

    def assertions(self, badgeclass: str) -> Sequence[Assertion]:
        """Return everything held for a badge class, oldest first."""
        with self._guard:
            return tuple(self._held[badgeclass])

    def revoke_there(self, assertion_id: str, reason: str) -> None:
        """Revoke an assertion, as somebody over there would."""
        with self._guard:
            self._revoke(assertion_id, reason)

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        """Make one assertion for each grant, or none if any is refused."""
        before_send()
        with self._guard:
            failure = self._sent("issue", badgeclass, len(grants))
            outcomes = self._outcomes(badgeclass, grants)
            made = [each for each in outcomes if isinstance(each, Assertion)]
            self._keep(badgeclass, made[: failure.saving] if failure else made)
        if failure:
            raise failure.error
        return outcomes

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        """List the assertions of these addresses, revoked and expired ones included."""
        with self._guard:
            failure = self._sent("find", badgeclass, len(recipients))
            wanted = {each.lower() for each in recipients}
            found = [each for each in self._held[badgeclass] if each.recipient in wanted]
        if failure:
            raise failure.error
        return found

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        """Revoke these assertions; a call that is told to fail saves the first `saving` of them."""
        before_send()
        with self._guard:
            self.calls.append(("revoke", "", len(revocations)))
            failure = self._failure("revoke")
            saved = revocations[: failure.saving] if failure else revocations
            refusals = [self._revoke(*each) for each in saved]
        if failure:
            raise failure.error
        return refusals

    def _revoke(self, assertion_id: str, reason: str) -> Refusal | None:
        for badgeclass, held in self._held.items():
            for place, each in enumerate(held):
                if each.assertion_id == assertion_id:
                    if not each.revoked:
                        held[place] = replace(each, revoked=True, revocation_reason=reason)
                        self._changes[badgeclass, assertion_id] = self._clock()
                    return None
        return Refusal(RefusalKind.PERMANENT, "permission denied or object not found")

    def changed(self, since: datetime | None) -> MemoryChanges:
        """Return what was made or revoked after `since`, or everything, oldest change first."""
        return MemoryChanges(lambda: self._changed(since), self._clock())

    def _changed(self, since: datetime | None) -> list[Held]:
        with self._guard:
            failure = self._failure("changed")
            found = [(at, badgeclass, name) for (badgeclass, name), at in self._changes.items()]
            now = {each.assertion_id: each for held in self._held.values() for each in held}
        if failure:
            raise failure.error
        later = sorted((each for each in found if since is None or each[0] > since), key=itemgetter(0))
        return [Held(badgeclass, now[name]) for _, badgeclass, name in later if name in now]

    def held(self, badgeclass: str) -> Iterator[Held]:
        """Yield every assertion of a badge class, oldest first."""
        with self._guard:
            failure = self._sent("held", badgeclass, 0)
            found = [Held(badgeclass, each) for each in self._held[badgeclass]]
        if failure:
            raise failure.error
        return iter(found)

    def lose(self, assertion_id: str) -> None:
        """Forget an assertion, as a provider should not."""
        with self._guard:
            for held in self._held.values():
                held[:] = [each for each in held if each.assertion_id != assertion_id]

    def hold(self, badgeclass: str, assertion: Assertion) -> None:
        """Hold an assertion that somebody over there made."""
        with self._guard:
            self._keep(badgeclass, [assertion])

    def _keep(self, badgeclass: str, made: Sequence[Assertion]) -> None:
        self._held[badgeclass] += made
        self._changes |= {(badgeclass, each.assertion_id): self._clock() for each in made}

    def check(self) -> None:
        """Sign in, unless told to fail."""
        if failure := self._failure("check"):
            raise failure.error

    def badgeclass_exists(self, badgeclass: str) -> bool:
        """Say whether the badge class is one of those known."""
        if failure := self._failure("badgeclass_exists"):
            raise failure.error
        return self._knows(badgeclass)

    def _sent(self, method: str, badgeclass: str, grants: int) -> _Failure | None:
        self.calls.append((method, badgeclass, grants))
        failure = self._failure(method)
        if failure is None and not self._knows(badgeclass):
            raise Refused(404, f"badge class {badgeclass} is unknown to the provider")
        return failure

    def _failure(self, method: str) -> _Failure | None:
        waiting = self._failures[method]
        return waiting.popleft() if waiting else None

    def _knows(self, badgeclass: str) -> bool:
        return self._badgeclasses is None or badgeclass in self._badgeclasses

    def _outcomes(self, badgeclass: str, grants: Sequence[Grant]) -> Sequence[Outcome]:
        refusals = [next(self._refusals(badgeclass, grant), None) for grant in grants]
        if any(refusals):
            return [refusal or NotMade() for refusal in refusals]
        seen: set[str] = set()
        return [self._outcome(grant, seen) for grant in grants]

    def _refusals(self, badgeclass: str, grant: Grant) -> Iterator[Refusal]:
        now = self._clock()
        if "@" not in grant.recipient:
            yield Refusal(RefusalKind.PERMANENT, "recipient: Enter a valid email address.")
        if grant.issued_on > now:
            yield Refusal(RefusalKind.TOO_EARLY, "issuedOn: Only issuedOn dates in the past are acceptable.")
        for each in self._held[badgeclass]:
            gone = each.revoked or (each.expires is not None and each.expires <= now)
            if each.recipient == grant.recipient.lower() and not gone:
                words = "A previous award of this badge already exists for this recipient."
                yield Refusal(RefusalKind.DUPLICATE, words)

    def _outcome(self, grant: Grant, seen: set[str]) -> Outcome:
        """Make one assertion; an address that comes twice in a call gets one."""
        recipient = grant.recipient.lower()
        if recipient in seen:
            return NotMade()
        seen.add(recipient)
        name = uuid.uuid4().hex
        return Assertion(name, f"memory:{name}", recipient, grant.issued_on, grant.expires)
