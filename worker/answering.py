"""Answering: one plain sentence for how a user stands with a badge, and what holds it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from worker.awards import AwardRow, AwardState
from worker.explaining import Explanation
from worker.rules.evaluation import Bar, Earned
from worker.rules.wording import count, instant, lacking
from worker.users import Block


def answer(found: Explanation) -> str:
    """Return the answer to why the user has the badge, or why not."""
    who = f"user {found.user.user_id}"
    if found.award is None:
        return f"{who} does not have badge {found.badge_id}: {_why_not(found)}"
    row = found.award.row
    if row.state == AwardState.REVOKED:
        return f"{who} does not have badge {found.badge_id} any more: {_revoked(row)}"
    return f"{who} has earned badge {found.badge_id}, at {instant(row.earned_at)}: {_standing(found, row)}"


def held_up_by(found: Explanation) -> list[str]:
    """Return what keeps the user from the badge, or the award from being issued, apart from the criterion."""
    if found.award is not None:
        waits = found.award.row.state == AwardState.WAITING and found.waits_for
        return [f"not known of the user: {found.waits_for}"] if waits else []
    held_up = [_barred(found)] if found.bar else []
    if not found.badge.published:
        held_up.append("the badge is disabled, so nobody newly earns it")
    if found.waits_for:
        held_up.append(f"an award would wait; not known of the user: {found.waits_for}")
    return held_up


def _why_not(found: Explanation) -> str:
    reasons = [_barred(found)] if found.bar else []
    if not found.badge.published:
        reasons.append("the badge is disabled, so nobody newly earns it")
    if not found.finding.holds:
        reasons.append(lacking(found.finding))
    elif not found.decided_to_hold:
        reasons.append(_not_swept(found))
    elif not reasons:
        reasons.append(_not_looked_at(found))
    return "; ".join(reasons)


def _barred(found: Explanation) -> str:
    if found.bar is Bar.BLOCKED:
        since = instant(_blocked_since(found.blocks))
        return f"the user is blocked since {since}, and earns nothing until that ends"
    if found.user.deleted_at is not None:
        return f"the account was deleted at {instant(found.user.deleted_at)}"
    return "the account is anonymous"


def _blocked_since(blocks: Sequence[Block]) -> datetime:
    freed = max((block.at for block in blocks if not block.blocked), default=None)
    return min(block.at for block in blocks if block.blocked and (freed is None or block.at >= freed))


def _not_swept(found: Explanation) -> str:
    """Say that the account is old enough by now, but that the sweep has not come that far."""
    upto = instant(found.clock)
    return f"it holds by now, but account ages are decided only up to {upto}; a running beat moves that on"


def _not_looked_at(found: Explanation) -> str:
    if found.under_evaluation:
        return "the criterion holds, and it is not this user's turn yet: everybody is being evaluated for it"
    return (
        f"the criterion holds, and nobody looked: `badge-worker reevaluate --user {found.user.user_id}` does"
    )


def _standing(found: Explanation, row: AwardRow) -> str:
    return _STANDING[AwardState(row.state)](found, row)


def _earned(_found: Explanation, _row: AwardRow) -> str:
    return "the badge has no issuer, so that is all"


def _waiting(found: Explanation, row: AwardRow) -> str:
    return f"issuer {row.issuer} needs {found.waits_for or 'more'} of the user, which is not known yet"


def _issuing(_found: Explanation, row: AwardRow) -> str:
    return f"it is on its way to issuer {row.issuer}{_so_far(row)}"


def _issued(_found: Explanation, row: AwardRow) -> str:
    when = f" at {instant(row.issued_at)}" if row.issued_at else ""
    return f"issuer {row.issuer} issued it{when}{f', {row.assertion_url}' if row.assertion_url else ''}"


def _failed(_found: Explanation, row: AwardRow) -> str:
    what = "to be issued" if row.assertion_id is None else "to be revoked"
    mend = f"mend that, then `badge-worker awards retry {row.user_id} {row.badge_id}`"
    return f"it failed {what} at issuer {row.issuer}{_so_far(row)}; {mend}"


def _revoking(_found: Explanation, row: AwardRow) -> str:
    return f"it is being revoked at issuer {row.issuer}{_reason(row)}{_so_far(row)}"


def _pending(found: Explanation, row: AwardRow) -> str:
    later = row.due_at is not None and row.due_at > found.now
    when = f"at {instant(row.due_at)}" if row.due_at and later else "now, as the rate limit allows"
    if row.uncertain:
        return f"issuer {row.issuer} may have issued it; it is looked up there {when}{_so_far(row)}"
    again = "tried again at" if row.attempts else "sent to"
    return f"it is {again} issuer {row.issuer} {when}{_so_far(row)}"


def _so_far(row: AwardRow) -> str:
    said = [f"tried {count(row.attempts, 'time')}"] if row.attempts else []
    said += [f"the last answer: {row.last_error}"] if row.last_error else []
    return f" ({'; '.join(said)})" if said else ""


def _revoked(row: AwardRow) -> str:
    return f"it was revoked{_reason(row)}, and a revoked badge is not earned again by itself"


def _reason(row: AwardRow) -> str:
    return f" ({row.revoke_reason})" if row.revoke_reason else ""


def progress(found: Explanation) -> str:
    """Return how far the user is, as in `7 of 10`."""
    if isinstance(found.verdict, Earned) or found.finding.holds:
        return f"{found.finding.wanted} of {found.finding.wanted}"
    return f"{found.finding.present} of {found.finding.wanted}"


_STANDING: dict[AwardState, Callable[[Explanation, AwardRow], str]] = {
    AwardState.EARNED: _earned,
    AwardState.WAITING: _waiting,
    AwardState.PENDING: _pending,
    AwardState.ISSUING: _issuing,
    AwardState.ISSUED: _issued,
    AwardState.FAILED: _failed,
    AwardState.REVOKING: _revoking,
}
