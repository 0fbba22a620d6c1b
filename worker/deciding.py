"""Deciding: from candidates, that is pairs of a user and a rule that may hold by now, to awards.

Shared by all who decide: batches of events, the sweep, backfills.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from worker.activities import Kind
from worker.awards import NewAward
from worker.ports import Decisions, StoredBadge
from worker.rules.criteria import Reason
from worker.rules.definitions import Badge
from worker.rules.evaluation import Earned, evaluate
from worker.rules.facts import Facts
from worker.rules.rulebook import Rule, Rulebook
from worker.users import User

Candidates = Collection[tuple[str, Rule]]


def make_rulebook(version: int, badges: Iterable[StoredBadge]) -> Rulebook:
    """Return the rulebook of the published badges."""
    return Rulebook(version, (rule for stored in badges if (rule := rule_of(stored)) is not None))


def rule_of(stored: StoredBadge) -> Rule | None:
    """Return the rule of a stored badge, or None if it cannot be earned now."""
    badge = Badge.model_validate(stored.definition)
    if not badge.published:
        return None
    if badge.issue is None:
        return Rule(stored.badge_id, stored.version, badge.criterion)
    issue = badge.issue
    return Rule(stored.badge_id, stored.version, badge.criterion, issue.issuer, issue.needs_names)


def decide(
    store: Decisions,
    candidates: Candidates,
    users: Mapping[str, User],
    clock: datetime,
    *,
    backfilled: bool = False,
) -> int:
    """Evaluate the candidates and insert the awards they earn; return how many were new.

    `users` must be locked by this transaction; `clock` is the instant that account ages are decided against.
    """
    return award(store, _not_awarded(store, candidates), users, clock, backfilled=backfilled)


def award(
    store: Decisions,
    open_ones: Sequence[tuple[str, Rule]],
    users: Mapping[str, User],
    clock: datetime,
    *,
    backfilled: bool = False,
) -> int:
    """Do what `decide` does for candidates that are known not to be awarded."""
    if not open_ones:
        return 0
    facts = facts_of(store, open_ones, users, clock)
    awards = [
        _award(users[user_id], rule, verdict, backfilled=backfilled)
        for user_id, rule in open_ones
        if isinstance(verdict := evaluate(rule.criterion, facts[user_id]), Earned)
    ]
    if not awards:
        return 0
    return store.insert_awards(awards)


def _not_awarded(store: Decisions, candidates: Candidates) -> list[tuple[str, Rule]]:
    if not candidates:
        return []
    awarded = store.awarded({(user_id, rule.badge_id) for user_id, rule in candidates})
    unique = {(user_id, rule.badge_id): rule for user_id, rule in candidates}
    return [(pair[0], rule) for pair, rule in unique.items() if pair not in awarded]


def _wanted(candidates: Candidates) -> tuple[set[tuple[str, Kind]], set[tuple[str, Kind, str]]]:
    """Return which activities the candidates' criteria look at: whole kinds of a user, and single ones."""
    whole: set[tuple[str, Kind]] = set()
    single: set[tuple[str, Kind, str]] = set()
    for user_id, rule in candidates:
        for kind in rule.kinds:
            whole.add((user_id, kind))
        for kind, object_id in rule.objects:
            single.add((user_id, kind, object_id))
    return whole, single


def facts_of(
    store: Decisions, candidates: Candidates, users: Mapping[str, User], clock: datetime
) -> dict[str, Facts]:
    """Return what the candidates' criteria look at, by user; ages are held against `clock`."""
    whole, single = _wanted(candidates)
    found = store.counted(whole, single)
    user_ids = {user_id for user_id, _ in candidates}
    blocks = store.blocks(user_ids)
    facts = {}
    for user_id in user_ids:
        user = users[user_id]
        counted, blocked = found.get(user_id, {}), blocks.get(user_id, ())
        facts[user_id] = Facts(clock, counted, user.registered_at, user.may_earn, blocked)
    return facts


def _award(user: User, rule: Rule, earned: Earned, *, backfilled: bool) -> NewAward:
    waits = rule.issuer is not None and not user.may_receive(with_names=rule.needs_names)
    because = [_because(reason) for reason in earned.because]
    return NewAward(
        user.user_id, rule.badge_id, rule.version, rule.issuer, earned.at, because, backfilled, waits
    )


def _because(reason: Reason) -> dict[str, str]:
    kind, (object_id, _, source, event_id) = reason
    return {"kind": kind, "object": object_id, "source": source, "event": event_id}
