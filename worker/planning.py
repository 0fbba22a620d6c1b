"""Planning: what an `apply` of definitions would do, without doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from worker.applying import BadgeChange
from worker.deciding import rule_of
from worker.ports import RulesStore, StoredBadge
from worker.rules.rulebook import Rule

PART = 20_000  # users who are counted in one query

# Is told the badge, of how many people it is, how many were looked at, and how many of them would gain it.
Progress = Callable[[str, int, int, int], None]


def would_gain(
    store: RulesStore, changes: Iterable[BadgeChange], progress: Progress = lambda *_: None
) -> dict[str, int]:
    """Return how many people would gain each badge that these changes evaluate everybody for.

    The database counts, by the very query that finds whom an `apply` awards; nobody is locked.
    """
    people = store.count_people()
    gains = {}
    for change in changes:
        rule = rule_of(StoredBadge(change.badge_id, 0, change.badge.model_dump(mode="json")))
        if change.backfill and rule is not None:
            gains[change.badge_id] = _count(store, rule, people, progress)
    return gains


def _count(store: RulesStore, rule: Rule, people: int, progress: Progress) -> int:
    gain, looked_at, position = 0, 0, ""
    progress(rule.badge_id, people, 0, 0)
    while True:
        size, upto = store.people_after(position, PART)
        if not size:
            return gain
        gain += store.count_candidates(rule, position, upto)
        looked_at, position = looked_at + size, upto
        progress(rule.badge_id, people, looked_at, gain)
