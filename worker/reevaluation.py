"""Reevaluation: what becomes true without an event, by the clock or by new rules (design.md section 4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from worker.deciding import decide, make_rulebook
from worker.ports import Backfill, Evaluation, RulesStore, Sweep
from worker.rules.rulebook import Rule

log = structlog.get_logger(__name__)

# How far one transaction of the sweep moves the clock at most: it shuts consumers out while it runs.
LONGEST_STEP = timedelta(hours=1)
CHUNK = 500  # users in one transaction of a backfill


def sweep(store: RulesStore) -> int:
    """Award whoever's account came of age since the last sweep; return how many awards that made.

    It costs what became due, not what exists. After a long pause it goes in steps of an hour at most.
    """
    awards = 0
    while True:
        with store.sweep() as step:
            made, done = _step(step)
        awards += made
        if done:
            return awards


def _step(step: Sweep) -> tuple[int, bool]:
    state, now = step.begin()
    upto = min(now, state.swept_to + LONGEST_STEP)
    if upto <= state.swept_to:
        return 0, True
    rulebook = make_rulebook(state.version, step.badges())
    ages = [(threshold, rule.badge_id) for threshold, rule in rulebook.all_ages()]
    due = step.due(ages, state.swept_to, upto)
    users = step.lock_users(sorted({user_id for user_id, _ in due}))
    candidates = [(user_id, rulebook.rules[badge_id]) for user_id, badge_id in due]
    awards = decide(step, candidates, users, upto)
    step.swept(upto)
    if awards:
        log.info("sweep.awarded", awards=awards, upto=upto.isoformat())
    return awards, upto == now


def backfill(store: RulesStore, progress: Callable[[Evaluation], None] = lambda _: None) -> int:
    """Work off every backfill that is noted; return how many awards that made.

    Resumable: each chunk commits how far it came. Twice at once is harmless: once-only is the awards' key.
    """
    return sum(_backfill(store, evaluation, progress) for evaluation in store.evaluations())


def _backfill(store: RulesStore, evaluation: Evaluation, progress: Callable[[Evaluation], None]) -> int:
    awards = 0
    while True:
        with store.backfill() as chunk:
            rule = _rule(chunk, evaluation)
        found = store.find_candidates(rule, evaluation.position, CHUNK) if rule else []
        if rule is None or not found:
            store.finish(evaluation)
            log.info("backfill.finished", badge=evaluation.badge_id, awards=awards)
            return awards
        with store.backfill() as chunk:
            made = _chunk(chunk, evaluation, found)
        awards += made
        evaluation = Evaluation(evaluation.badge_id, evaluation.version, found[-1], evaluation.found + made)
        progress(evaluation)


def _chunk(chunk: Backfill, evaluation: Evaluation, found: list[str]) -> int:
    """Check the candidates again under their locks: what was found without locks may have changed."""
    state = chunk.begin([])
    rule = _rule(chunk, evaluation)
    users = chunk.lock_users(found)
    made = 0
    if rule is not None:
        candidates = [(user_id, rule) for user_id in users]
        made = decide(chunk, candidates, users, state.swept_to, backfilled=True)
    chunk.advance(evaluation, found[-1], made)
    return made


def _rule(chunk: Backfill, evaluation: Evaluation) -> Rule | None:
    """Return the rule in force now, or None if the badge was disabled since.

    It may be younger than the backfill: a new title alone begins no other one, and a new criterion does.
    """
    return make_rulebook(0, chunk.badges()).rules.get(evaluation.badge_id)
