"""Reevaluation: what becomes true without an event, by the clock or by new rules (design.md section 4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from worker.deciding import decide, make_rulebook
from worker.ports import Backfill, Close, Evaluation, Part, Reason, RulesState, RulesStore, Sweep
from worker.rules.rulebook import Rule, Rulebook

log = structlog.get_logger(__name__)

# How far one transaction of the sweep moves the clock at most: it shuts consumers out while it runs.
LONGEST_STEP = timedelta(hours=1)
MOST_DUE = 2000  # awards in one step, but for those that fall due together
SHORTEST_STEP = timedelta(seconds=1)
PART = 10_000  # users whom one worker looks at, without locks, before it takes the next ones
CHUNK = 500  # users locked in one transaction
PAUSE = 0.1  # seconds between two looks whether others are done with their last parts
NIGHT = 2  # o'clock, UTC: when a night's evaluation begins

Progress = Callable[[Evaluation], None]


def sweep(store: RulesStore) -> int:
    """Award whoever's account came of age since the last sweep; return how many awards that made.

    It costs what became due, not what exists. After a long pause, or when many fall due, it goes in steps:
    consumers come to their turn between two of them.
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
    while len(due) > MOST_DUE and upto - state.swept_to > SHORTEST_STEP:
        upto = state.swept_to + (upto - state.swept_to) / 2
        due = step.due(ages, state.swept_to, upto)
    users = step.lock_users(sorted({user_id for user_id, _ in due}))
    candidates = [(user_id, rulebook.rules[badge_id]) for user_id, badge_id in due]
    awards = decide(step, candidates, users, upto)
    step.swept(upto)
    if awards:
        log.info("sweep.awarded", awards=awards, upto=upto.isoformat())
    return awards, upto == now


def backfill(store: RulesStore, progress: Progress = lambda _: None) -> int:
    """Work off every evaluation that is noted, to its end; return how many awards that made here.

    Any number of workers may do so at once, in any processes: they share the work, and what one that dies
    has in hand is taken over. Once-only is the awards' key.
    """
    return sum(each.awards for each in work_off(store, store.evaluations(), progress))


def work_off(
    store: RulesStore, evaluations: Iterable[Evaluation], progress: Progress = lambda _: None
) -> Iterator[Worked]:
    """Work these off, each to its end; yield what came of each."""
    with store.at_work() as number:
        worker = Evaluator(store, number, progress)
        for each in evaluations:
            yield worker.work_off(each)


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of work on an evaluation: the awards that were made here, and how far it is."""

    awards: int
    standing: Evaluation


class Evaluator:
    """Works off everybody's evaluations, part by part, next to others who do the same."""

    def __init__(self, store: RulesStore, number: int, progress: Progress = lambda _: None) -> None:
        self._store = store
        self._number = number
        self._progress = progress
        self._rulebook: Rulebook | None = None

    def work_off(self, evaluation: Evaluation) -> Worked:
        """Evaluate everybody who is left; wait for those who work on the last parts, or for their death."""
        awards = 0
        while True:
            while (worked := self.one_part(evaluation)) is not None:
                awards += worked.awards
            close, standing = self._finish(evaluation)
            if close is not Close.NOT_YET:
                return Worked(awards, standing)
            time.sleep(PAUSE)

    def work_for(self, seconds: float, badge_id: str, version: int) -> Worked | None:
        """Work on one evaluation for so long and wait for nobody; None if there was nothing to do."""
        until = time.monotonic() + seconds
        for evaluation in self._store.evaluations():
            if (evaluation.badge_id, evaluation.version) == (badge_id, version):
                return self._work_until(until, evaluation)
        return None

    def _work_until(self, until: float, evaluation: Evaluation) -> Worked | None:
        total: Worked | None = None
        while time.monotonic() < until:
            worked = self.one_part(evaluation)
            if worked is None:
                self._finish(evaluation)
                break
            total = Worked(worked.awards + (total.awards if total else 0), worked.standing)
        return total

    def one_part(self, evaluation: Evaluation) -> Worked | None:
        """Evaluate a part; None if no part is left to take."""
        part = self._store.claim(evaluation, self._number, PART)
        if part is None:
            return None
        rule = self._rule(evaluation.badge_id)
        if rule is None:  # disabled since
            self._store.drop(evaluation)
            return None
        found = self._store.find_candidates(rule, part.after, part.upto)
        awards = sum(self._award(part, found[start : start + CHUNK]) for start in range(0, len(found), CHUNK))
        worked = Worked(awards, self._store.part_done(part, self._number))
        self._progress(worked.standing)
        return worked

    def _finish(self, evaluation: Evaluation) -> tuple[Close, Evaluation]:
        """End the evaluation if nothing is left of it."""
        close, standing = self._store.finish(evaluation)
        if close is Close.OURS:
            _report(standing)
        return close, standing

    def _award(self, part: Part, user_ids: list[str]) -> int:
        """Check those who were found again under their locks: things may have changed since."""
        with self._store.backfill() as chunk:
            state = chunk.begin([])
            rule = self._rules(chunk, state).rules.get(part.evaluation.badge_id)
            users = chunk.lock_users(user_ids)
            if rule is None:
                return 0
            candidates = [(user_id, rule) for user_id in users]
            made = decide(chunk, candidates, users, state.swept_to, backfilled=True)
            if made:
                chunk.note_found(part, self._number, made)
            return made

    def _rule(self, badge_id: str) -> Rule | None:
        """Return the rule in force now, or None if the badge was disabled since.

        It may be younger than the evaluation: a new criterion begins another one, a new title does not.
        """
        with self._store.backfill() as chunk:
            return self._rules(chunk, chunk.begin([])).rules.get(badge_id)

    def _rules(self, chunk: Backfill, state: RulesState) -> Rulebook:
        if self._rulebook is None or self._rulebook.version != state.version:
            self._rulebook = make_rulebook(state.version, chunk.badges())
        return self._rulebook


def _report(ended: Evaluation) -> None:
    facts = {"badge": ended.badge_id, "reason": ended.reason.value, "people": ended.looked_at}
    if ended.reason is Reason.NIGHTLY and ended.found:
        # Whoever took in the events should have seen it: somebody must find out why not.
        log.warning("nightly.found_missing", awards=ended.found, **facts)
    else:
        log.info("evaluation.finished", awards=ended.found, **facts)


def begin_night(store: RulesStore) -> list[Evaluation]:
    """Note that everybody is to be evaluated for every badge, once a night; return what is to be done.

    It is a safety net, and normally finds nothing: so it trusts no note of who was touched, by the same code
    whose mistakes it is there to find. Asked twice in a night it notes nothing new; a night that was missed
    is made up for. What began since the last night's hour is as good.
    """
    now = store.now()
    night = now.replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    return store.evaluate_all(Reason.NIGHTLY, None, night if night <= now else night - timedelta(days=1))


def reevaluate_user(store: RulesStore, user_id: str, badge_ids: Collection[str] | None = None) -> int:
    """Evaluate one user for these (or all) badges now; return how many awards that made.

    Raises LookupError if there is no such user.
    """
    with store.backfill() as chunk:
        state = chunk.begin([])
        users = chunk.lock_users([user_id])
        if user_id not in users:
            raise LookupError(user_id)
        rules = make_rulebook(state.version, chunk.badges()).rules
        candidates = [(user_id, rules[each]) for each in sorted(badge_ids or rules)]
        return decide(chunk, candidates, users, state.swept_to, backfilled=True)
