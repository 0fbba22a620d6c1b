"""Planning: what an `apply` of definitions would do, without doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from worker.applying import BadgeChange
from worker.deciding import decide, rule_of
from worker.ports import RulesStore, StoredBadge
from worker.rules.rulebook import Rule

CHUNK = 500  # users in one transaction that is undone


class _Undone(Exception):
    """Ends a transaction without a trace."""


def would_gain(
    store: RulesStore, changes: Iterable[BadgeChange], progress: Callable[[str, int], None] = lambda *_: None
) -> dict[str, int]:
    """Return how many people would gain each badge that these changes evaluate everybody for.

    It makes the very awards and undoes them, chunk by chunk, so that it cannot differ from what `apply` does.
    `progress` is told the badge and how many were found so far.
    """
    gains = {}
    for change in changes:
        rule = rule_of(StoredBadge(change.badge_id, 0, change.badge.model_dump(mode="json")))
        if change.backfill and rule is not None:
            gains[change.badge_id] = _count(store, rule, progress)
    return gains


def _count(store: RulesStore, rule: Rule, progress: Callable[[str, int], None]) -> int:
    total, position = 0, ""
    while found := store.find_candidates(rule, position, CHUNK):
        total, position = total + _try(store, rule, found), found[-1]
        progress(rule.badge_id, total)
    return total


def _try(store: RulesStore, rule: Rule, user_ids: list[str]) -> int:
    made = 0
    with suppress(_Undone), store.backfill() as chunk:
        state = chunk.begin([])
        users = chunk.lock_users(user_ids)
        candidates = [(user_id, rule) for user_id in users]
        made = decide(chunk, candidates, users, state.swept_to, backfilled=True)
        raise _Undone
    return made
