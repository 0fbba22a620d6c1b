"""Revoking: awards come back from the provider (design.md section 3).

What was never sent is revoked at once, what is being sent after it is settled, the rest by calls
of its own.
Repeating a revocation is harmless, since one that was revoked before counts as done: an uncertain end is
tried again, and nothing need be looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from worker.awards import OPERATOR, Asked, AwardState, Ending, LeasedRevocation, Refusal, Which
from worker.calling import LONGEST_PAUSE, Fence, Patience, Told, backoff, told
from worker.errors import (
    BadgeWorkerError,
    ConfigurationError,
    LeaseLost,
    LimiterUnavailable,
    NoAnswer,
    NoPermit,
    Refused,
    SignInRefused,
    Throttled,
    TransientError,
    UncertainError,
)
from worker.ports import Permits, Provider, Revocations

log = structlog.get_logger(__name__)

CHUNK = 500  # awards that one transaction asks for
LONGEST_REASON = 255  # characters that the open server keeps; a longer one may be a 500 for good
HOPELESS = 15  # attempts that the provider answered with a 500, the last ones alone in their calls
_BROKEN = 500
_BLAMES_NOBODY = frozenset({400, 413, 422})  # refusals that may be about one of many, without saying which

Endings = dict[str, Ending]
_REVOKING = AwardState.REVOKING


def ask(
    outbox: Revocations, which: Which, reason: str, chunk: int = CHUNK, actor: str = OPERATOR
) -> Iterator[Asked]:
    """Let `actor` ask for awards to be revoked; yield each with what follows, once that is durably so.

    Asking again for the same ones does no harm: so whoever was interrupted does just that.
    """
    if not reason.strip():
        raise ConfigurationError("revoking needs a reason: whoever looks the badge up is shown it")
    if len(reason) > LONGEST_REASON:
        raise ConfigurationError(f"the reason has {len(reason)} characters; providers keep {LONGEST_REASON}")
    after = None
    while found := outbox.ask(which, reason, after, chunk, actor):
        yield from found
        after = (found[-1].user_id, found[-1].badge_id)


class Revoking:
    """Makes one call: revokes the assertions of one lease."""

    def __init__(
        self, outbox: Revocations, permits: Permits, issuer_id: str, provider: Provider, timeout: float
    ) -> None:
        self._outbox = outbox
        self._provider = provider
        self._timeout = timeout
        self._patience = Patience(issuer_id, permits)
        self._log = log.bind(issuer=issuer_id)

    def revoke(self, lease_id: str) -> Told:
        """Revoke the assertions of a lease, if it is still ours; record how each ended and tell how many."""
        awards = self._outbox.prepare_revocations(lease_id)
        if not awards:
            return {}
        fence = Fence(self._outbox, lease_id, len(awards), self._timeout)
        endings = self._endings(fence, awards)
        if endings is None:
            return {"put off": len(awards)}
        self._outbox.end_revocations(lease_id, endings)
        self._report(awards, endings)
        return told(endings.values())

    def _endings(self, fence: Fence, awards: Sequence[LeasedRevocation]) -> Endings | None:
        """Make the call and return how it ended; None if nothing is left to record."""
        try:
            refusals = self._provider.revoke(
                [(each.assertion_id, each.reason) for each in awards], fence.mark
            )
            pairs = list(zip(awards, refusals, strict=True))
        except LeaseLost as error:
            self._log.warning("lease.lost", reason=str(error))
            return None
        except (NoPermit, LimiterUnavailable) as error:
            self._log.info("call.put_off", reason=str(error))
            if fence.sent_at is None:
                self._outbox.hand_back(fence.lease_id)
                return None
            return _all(awards, Ending(_REVOKING, "not sent"))
        except BadgeWorkerError as error:
            return self._after(error, awards)
        except Exception as error:  # noqa: BLE001 # the lease must end, whatever nobody expected
            return self._after(self._unexpected(error, fence), awards)
        self._patience.note_success()
        return {award.assertion_id: _ending(refusal) for award, refusal in pairs}

    def _unexpected(self, error: Exception, fence: Fence) -> BadgeWorkerError:
        """Return what an error means that nobody expected. Its text is not told: who knows what it quotes."""
        self._log.error("call.broke", error=type(error).__name__)
        words = f"unexpected {type(error).__name__}"
        return NoAnswer(words) if fence.sent_at else TransientError(words)

    def _after(self, error: BadgeWorkerError, awards: Sequence[LeasedRevocation]) -> Endings:
        """Return how the awards of a failed call end: the error's class decides."""
        words = str(error)
        match error:
            case Throttled():
                self._patience.pause(error.wait)
                return _all(awards, Ending(_REVOKING, "throttled", words))
            case SignInRefused() | ConfigurationError():
                self._patience.pause(LONGEST_PAUSE / 5)
                return _all(awards, Ending(_REVOKING, "not signed in", words))
            case TransientError() | UncertainError():
                self._patience.count_failure()
                what = "not sent" if isinstance(error, TransientError) else "uncertain"
                return {each.assertion_id: _later(each, what, words, error) for each in awards}
            case Refused(status=status) if len(awards) > 1 and status in _BLAMES_NOBODY:
                together = "refused together"
                return {each.assertion_id: _later(each, together, words, error) for each in awards}
            case _:
                return _all(awards, _refused(words))

    def _report(self, awards: Sequence[LeasedRevocation], endings: Endings) -> None:
        for award in awards:
            ending = endings[award.assertion_id]
            say = self._log.info if ending.state is AwardState.REVOKED else self._log.warning
            facts = {"badge": award.badge_id, "user": award.user_id}
            say(f"award.{ending.state.value}", what=ending.what, words=ending.words, **facts)


def _all(awards: Sequence[LeasedRevocation], ending: Ending) -> Endings:
    return {each.assertion_id: ending for each in awards}


def _later(award: LeasedRevocation, what: str, words: str, error: BadgeWorkerError) -> Ending:
    """Return the end of one that is tried again: not for ever, where the provider itself is broken by it."""
    broken = isinstance(error, NoAnswer) and error.status == _BROKEN
    if broken and award.attempts >= HOPELESS:
        words = f"tried {award.attempts} times in vain; the last time: {words}"
        return Ending(AwardState.FAILED, "given up", words, tried=True)
    return Ending(_REVOKING, what, words, wait=backoff(award.attempts), tried=True)


def _ending(refusal: Refusal | None) -> Ending:
    if refusal is None:
        return Ending(AwardState.REVOKED, "revoked", tried=True)
    return _refused(refusal.words)


def _refused(words: str) -> Ending:
    return Ending(AwardState.FAILED, "revocation refused", words, tried=True)
