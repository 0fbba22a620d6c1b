"""Explaining: why a user has a badge or has it not, by the very rules that decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from worker.awards import AwardRow
from worker.deciding import facts_of
from worker.ports import Decisions, RulesState, StoredBadge
from worker.rules.criteria import Holds
from worker.rules.definitions import Badge
from worker.rules.evaluation import Bar, Earned, Verdict, evaluate
from worker.rules.findings import Finding, find
from worker.rules.rulebook import Rule
from worker.users import Block, User


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened to an award."""

    at: datetime
    what: str
    actor: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """An award, with the call that it is on: until when it is leased, and when it was sent."""

    row: AwardRow
    lease_until: datetime | None
    sent_at: datetime | None


class Records(Decisions, Protocol):
    """What explaining reads, in one transaction that only reads."""

    def state(self) -> RulesState:
        """Return the state of the rules."""

    def now(self) -> datetime:
        """Return the database's clock."""

    def user(self, user_id: str) -> User | None:
        """Return what is known of a user, if anything is."""

    def awards(self, user_id: str) -> Mapping[str, OnItsWay]:
        """Return a user's awards, by badge."""

    def history(self, user_id: str, badge_id: str) -> Sequence[Happened]:
        """Return what happened to one award, oldest first."""

    def under_evaluation(self) -> Collection[str]:
        """Return the badges for which everybody is still being evaluated."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a user stands with one badge, with all that decides it.

    `finding` is how far the criterion is met `now`, by the database's clock; `verdict` what the rules say at
    `clock`, the instant that account ages are decided against. `award` is None where there is none.
    """

    user: User
    badge_id: str
    badge: Badge
    finding: Finding
    verdict: Verdict
    award: OnItsWay | None
    blocks: Sequence[Block]
    under_evaluation: bool
    clock: datetime
    now: datetime
    history: Sequence[Happened] = ()

    @property
    def bar(self) -> Bar | None:
        """Return what keeps the user from earning anything."""
        return None if isinstance(self.verdict, Earned) else self.verdict.bar

    @property
    def decided_to_hold(self) -> bool:
        """Return whether the criterion holds at the instant that account ages are decided against."""
        return isinstance(self.verdict, Earned) or isinstance(self.verdict.judgement, Holds)

    @property
    def waits_for(self) -> str | None:
        """Return what the issuer needs of the user that is not known, if anything."""
        issue = self.badge.issue
        if issue is None or self.user.may_receive(with_names=issue.needs_names):
            return None
        if not self.user.email:
            return (
                "an address and both names" if issue.needs_names and not self.user.has_names else "an address"
            )
        return "both names"


def explain(records: Records, user_id: str, badge_id: str) -> Explanation:
    """Explain one badge of one user; raises LookupError, saying what is not known."""
    badges = records.badges()
    wanted = [each for each in badges if each.badge_id == badge_id]
    if not wanted:
        known = ", ".join(each.badge_id for each in badges) or "none"
        raise LookupError(f"there is no badge {badge_id}; known: {known}")
    (found,) = _explain(records, user_id, wanted, history=True)
    return found


def explain_all(records: Records, user_id: str) -> list[Explanation]:
    """Explain every published badge, and those that the user has; raises LookupError without such a user."""
    held = records.awards(user_id)
    badges = [
        stored
        for stored in records.badges()
        if stored.badge_id in held or Badge.model_validate(stored.definition).published
    ]
    return _explain(records, user_id, badges)


def _explain(
    records: Records, user_id: str, badges: Sequence[StoredBadge], *, history: bool = False
) -> list[Explanation]:
    user = _known(records, user_id)
    rules = [
        Rule(each.badge_id, each.version, Badge.model_validate(each.definition).criterion) for each in badges
    ]
    clock, now = records.state().swept_to, records.now()
    facts = facts_of(records, [(user_id, rule) for rule in rules], {user_id: user}, clock)[user_id]
    by_now = facts._replace(clock=max(now, clock))
    awards, unfinished = records.awards(user_id), records.under_evaluation()
    return [
        Explanation(
            user=user,
            badge_id=stored.badge_id,
            badge=Badge.model_validate(stored.definition),
            finding=find(rule.criterion, by_now),
            verdict=evaluate(rule.criterion, facts),
            award=awards.get(stored.badge_id),
            blocks=facts.blocks,
            under_evaluation=stored.badge_id in unfinished,
            clock=clock,
            now=now,
            history=records.history(user_id, stored.badge_id) if history else (),
        )
        for stored, rule in zip(badges, rules, strict=True)
    ]


def _known(records: Records, user_id: str) -> User:
    user = records.user(user_id)
    if user is None:
        raise LookupError(f"nothing is known of a user {user_id}: no event about them was taken in")
    return user
