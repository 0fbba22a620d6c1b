"""Issuing: awards go to the provider, each exactly once (design.md section 3).

The dispatcher admits what the rate limit has room for; a task worker makes each call; what ended uncertainly
is looked up before anything is repeated. An error's class decides what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from worker.awards import (
    Assertion,
    AwardState,
    Call,
    Ending,
    Grant,
    LeasedAward,
    NotMade,
    Outcome,
    Refusal,
    RefusalKind,
)
from worker.calling import LONGEST_PAUSE, PATIENCE, Fence, Patience, Told, backoff, told
from worker.errors import (
    BadgeWorkerError,
    ConfigurationError,
    LeaseLost,
    LimiterUnavailable,
    NoAnswer,
    NoPermit,
    QueueUnavailable,
    Refused,
    SignInRefused,
    Throttled,
    TransientError,
    UncertainError,
)
from worker.ports import Admission, Clock, Dispatch, Outbox, Permits, Provider
from worker.rules.definitions import Badge, Issuer

log = structlog.get_logger(__name__)

REACH = 2.0  # seconds ahead that the dispatcher admits for
PERMIT_WAIT = 5.0  # seconds a task waits for a permit before it hands its lease back
SLACK = 10.0  # seconds a message may lie in the broker and its task may take around the call
MOST_IN_FLIGHT = 8  # calls of one issuer at once
HOPELESS = 15  # attempts without an answer, the last ones alone in their calls, until a person must look
_BLAMES_NOBODY = frozenset({400, 413, 422})  # refusals that may be about one of many, without saying which
SAME_INSTANT = timedelta(seconds=1)  # a provider may keep `issuedOn` less exactly than we do


def dispatch(outbox: Outbox, permits: Permits, sender: Dispatch) -> int:
    """Admit what the rate limits have room for and send one task for each call; return how many calls.

    Issuers do not hold each other up: what goes wrong with one is logged and the others go on.
    """
    calls = 0
    for issuer_id, definition in outbox.issuers().items():
        try:
            calls += _dispatch_issuer(outbox, permits, sender, issuer_id, Issuer.model_validate(definition))
        except (LimiterUnavailable, QueueUnavailable) as error:
            log.warning("dispatch.held_up", issuer=issuer_id, reason=str(error))
    return calls


def _dispatch_issuer(
    outbox: Outbox, permits: Permits, sender: Dispatch, issuer_id: str, issuer: Issuer
) -> int:
    if late := outbox.reclaim(issuer_id, issuer.settle_after):
        log.warning("lease.ran_out", issuer=issuer_id, awards=late)
    room = permits.room(issuer_id, REACH)
    lease = issuer.timeout + PERMIT_WAIT + SLACK
    calls = outbox.admit(Admission(issuer_id, room, MOST_IN_FLIGHT, lease, issuer.most_per_call))
    _send(outbox, sender, calls)
    return len(calls)


def _send(outbox: Outbox, sender: Dispatch, calls: Sequence[Call]) -> None:
    """Send each call; what the broker does not take is due again at once, not when its lease has run out."""
    for number, call in enumerate(calls):
        try:
            sender.send(call)
        except QueueUnavailable:
            for unsent in calls[number:]:
                outbox.hand_back(unsent.lease_id)
            raise


@dataclass(frozen=True, slots=True)
class IssuerConnection:
    """An issuer with its provider and the definitions of its badges; `clock` says what has expired there."""

    issuer_id: str
    issuer: Issuer
    provider: Provider
    badge: Callable[[str], Badge]
    clock: Clock


class Issuing:
    """Makes one call: issues or looks up the awards of one lease."""

    def __init__(self, outbox: Outbox, permits: Permits, connection: IssuerConnection) -> None:
        self._outbox = outbox
        self._connection = connection
        self._patience = Patience(connection.issuer_id, permits)
        self._log = log.bind(issuer=connection.issuer_id)

    def issue(self, lease_id: str) -> Told:
        """Issue the awards of a lease, if it is still ours; record how each ended and tell how many did."""
        awards = self._outbox.prepare(lease_id)
        if not awards:
            return {}
        fence = Fence(self._outbox, lease_id, len(awards), self._connection.issuer.timeout)
        badge = self._connection.badge(awards[0].badge_id)
        grants = [_grant(award, badge) for award in awards]
        provider, badgeclass = self._connection.provider, awards[0].badgeclass
        return self._make(
            fence, awards, lambda: _issued(awards, provider.issue(badgeclass, grants, fence.mark))
        )

    def settle(self, lease_id: str) -> Told:
        """Look up the uncertain awards of a lease: adopt what is there, make the rest due again."""
        awards = self._outbox.prepare(lease_id)
        if not awards:
            return {}
        fence = Fence(self._outbox, lease_id, len(awards), self._connection.issuer.timeout, settling=True)
        addresses = [award.recipient for award in awards]
        here, badgeclass = self._connection, awards[0].badgeclass
        return self._make(
            fence, awards, lambda: _settled(awards, here.provider.find(badgeclass, addresses), here.clock())
        )

    def _make(self, fence: Fence, awards: Sequence[LeasedAward], call: Callable[[], Endings]) -> Told:
        """Make the call and record how the awards ended; what the call raises decides that too."""
        try:
            endings = call()
        except LeaseLost as error:
            self._log.warning("lease.lost", reason=str(error))
            return {"left to others": len(awards)}
        except (NoPermit, LimiterUnavailable) as error:
            self._log.info("call.put_off", reason=str(error))
            endings = None
        except BadgeWorkerError as error:
            endings = self._after(error, awards, settling=fence.settling)
        except Exception as error:  # noqa: BLE001 # the lease must end, whatever nobody expected
            endings = self._after(self._unexpected(error, fence), awards, settling=fence.settling)
        else:
            self._patience.note_success()
        if endings is not None:
            self._outbox.end(fence.lease_id, endings)
            self._report(awards[0].badge_id, endings)
            return told(endings.values())
        if fence.sent_at is None:
            self._outbox.hand_back(fence.lease_id)
        else:  # refused with a 401, and no permit for the repeat: nothing happened over there
            self._outbox.end(fence.lease_id, _all(awards, lambda _: Ending(AwardState.PENDING, "not sent")))
        return {"put off": len(awards)}

    def _unexpected(self, error: Exception, fence: Fence) -> BadgeWorkerError:
        """Return what an error means that nobody expected: it says nothing about a call that was sent.

        Its text is not told, since it may hold an address.
        """
        self._log.error("call.broke", error=type(error).__name__)
        words = f"unexpected {type(error).__name__}"
        return NoAnswer(words) if fence.sent_at or fence.settling else TransientError(words)

    def _after(self, error: BadgeWorkerError, awards: Sequence[LeasedAward], *, settling: bool) -> Endings:
        """Return how the awards of a failed call end: the error's class decides.

        A look-up that failed leaves its awards as uncertain as they were.
        """
        words = str(error)
        match error:
            case Throttled():
                self._patience.pause(error.wait)
                return _all(awards, lambda _: Ending(_PENDING, "throttled", words, uncertain=settling))
            case SignInRefused() | ConfigurationError():
                # A person must mend the credentials, which mends every award at once: so none of them fails.
                self._patience.pause(LONGEST_PAUSE / 5)
                return _all(awards, lambda _: Ending(_PENDING, "not signed in", words, uncertain=settling))
            case TransientError():
                self._patience.count_failure()
                return _all(awards, lambda award: _later(award, "not sent", words, uncertain=settling))
            case UncertainError():
                self._patience.count_failure()
                wait = self._connection.issuer.settle_after
                ending = Ending(_PENDING, "uncertain", words, wait=wait, tried=True, uncertain=True)
                return _all(awards, lambda _: ending)
            case Refused(status=status) if len(awards) > 1 and status in _BLAMES_NOBODY:
                return _all(
                    awards, lambda award: _later(award, "refused together", words, uncertain=settling)
                )
            case _:
                ending = Ending(AwardState.FAILED, "refused", words, tried=True, uncertain=settling)
                return _all(awards, lambda _: ending)

    def _report(self, badge_id: str, endings: Endings) -> None:
        for user_id, ending in endings.items():
            say = self._log.info if ending.assertion is not None else self._log.warning
            say(
                f"award.{ending.state.value}",
                badge=badge_id,
                user=user_id,
                what=ending.what,
                words=ending.words,
            )


Endings = dict[str, Ending]
_PENDING = AwardState.PENDING


def _all(awards: Sequence[LeasedAward], ending: Callable[[LeasedAward], Ending]) -> Endings:
    return {award.user_id: ending(award) for award in awards}


def _later(award: LeasedAward, what: str, words: str, *, uncertain: bool = False) -> Ending:
    wait = backoff(award.attempts)
    return Ending(_PENDING, what, words, wait=wait, tried=True, uncertain=uncertain)


def _grant(award: LeasedAward, badge: Badge) -> Grant:
    return Grant(
        recipient=award.recipient,
        issued_on=award.earned_at,
        narrative=badge.narrative,
        evidence=tuple(each.model_dump(exclude_none=True) for each in badge.evidence),
        expires=badge.expires.after(award.earned_at) if badge.expires else None,
        notify=badge.notify,
        user_id=award.user_id,
        first_name=award.first_name,
        last_name=award.last_name,
    )


def _issued(awards: Sequence[LeasedAward], outcomes: Sequence[Outcome]) -> Endings:
    return {award.user_id: _outcome(award, each) for award, each in zip(awards, outcomes, strict=True)}


def _outcome(award: LeasedAward, outcome: Outcome) -> Ending:
    match outcome:
        case Assertion():
            return Ending(AwardState.ISSUED, "issued", assertion=outcome, tried=True)
        case NotMade():
            return Ending(_PENDING, "not made, because of others in the call")
        case Refusal(RefusalKind.DUPLICATE, words, Assertion() as found):
            return Ending(AwardState.ISSUED, "found and adopted", words, assertion=found, tried=True)
        case Refusal(RefusalKind.DUPLICATE, words):
            return Ending(_PENDING, "is there already", words, tried=True, uncertain=True)
        case Refusal(RefusalKind.TOO_EARLY, words):
            return _later(award, "too early", words)
        case Refusal(_, words):
            return Ending(AwardState.FAILED, "refused", words, tried=True)


def _settled(awards: Sequence[LeasedAward], found: Sequence[Assertion], now: datetime) -> Endings:
    return {award.user_id: _found(award, found, now) for award in awards}


def _found(award: LeasedAward, found: Sequence[Assertion], now: datetime) -> Ending:
    """Return the end of an award that was looked up.

    What carries our `issuedOn` is ours, even if it was revoked over there meanwhile. Another one that is
    still good is what the provider refuses a duplicate of: it is adopted too.
    """
    theirs = [each for each in found if each.recipient == award.recipient]
    live = [each for each in theirs if not each.revoked]
    ours = [each for each in live if _same(each, award)] or [each for each in theirs if _same(each, award)]
    adopted = next(iter(ours), None) or next((each for each in live if _is_good(each, now)), None)
    if adopted is None:
        return _not_there(award)
    if adopted.revoked:
        return Ending(AwardState.REVOKED, "revoked over there", adopted.revocation_reason, assertion=adopted)
    return Ending(AwardState.ISSUED, "found and adopted", assertion=adopted)


def _not_there(award: LeasedAward) -> Ending:
    """Return the end of an award that the provider neither answers for nor has afterwards."""
    if award.attempts >= HOPELESS:
        words = f"tried {award.attempts} times; the provider never answered and had nothing afterwards"
        return Ending(AwardState.FAILED, "given up", words)
    return Ending(_PENDING, "not there", wait=backoff(award.attempts) if award.attempts > PATIENCE else 0.0)


def _same(assertion: Assertion, award: LeasedAward) -> bool:
    return assertion.issued_on is not None and abs(assertion.issued_on - award.earned_at) < SAME_INSTANT


def _is_good(assertion: Assertion, now: datetime) -> bool:
    return assertion.expires is None or assertion.expires > now
