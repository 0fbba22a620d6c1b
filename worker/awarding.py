"""Awarding: a batch of messages becomes activities, counts and awards, in one transaction (design.md 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import structlog

from worker.activities import Activity, Key, Kind
from worker.deciding import decide, make_rulebook
from worker.errors import InvalidEvent, Unstorable
from worker.events import Event, LearningPathCompleted, UnknownEvent, parse_event
from worker.news import ActivityNews, News, news_of
from worker.ports import Batch, BatchStore, Clock, RulesState
from worker.rules.rulebook import Rule, Rulebook
from worker.users import User, UserNews

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Ingested:
    """What became of a batch: events by type, dead letters, unknown types, new awards."""

    events: int = 0
    awards: int = 0
    dead: int = 0
    unknown: dict[str, int] = field(default_factory=dict)

    def __iadd__(self, other: Ingested) -> Self:
        """Add another batch's."""
        self.events += other.events
        self.awards += other.awards
        self.dead += other.dead
        for name, times in other.unknown.items():
            self.unknown[name] = self.unknown.get(name, 0) + times
        return self


@dataclass(slots=True)
class _Read:
    """A batch as it was read at the door."""

    events: list[tuple[bytes, Event]] = field(default_factory=list)
    broken: list[tuple[bytes, str]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)


class Awarding:
    """Takes batches of event bodies into the store and decides who earned what. One a process."""

    def __init__(self, store: BatchStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rulebook: Rulebook | None = None

    def ingest(self, bodies: Sequence[bytes]) -> Ingested:
        """Take a batch in, in one transaction; when this returns, it is committed.

        Raises DatabaseUnavailable: then nothing of it happened. A body that the database cannot hold is set
        aside alone, found by bisection.
        """
        read = self._read(bodies)
        try:
            done = self._commit(read)
        except Unstorable as error:
            if len(read.events) > 1:
                return self._halves(bodies)
            read.broken += [(body, f"body: cannot be kept ({error})") for body, _ in read.events]
            read.events.clear()
            done = self._commit(read)
        return done

    def _halves(self, bodies: Sequence[bytes]) -> Ingested:
        middle = len(bodies) // 2
        done = self.ingest(bodies[:middle])
        done += self.ingest(bodies[middle:])
        return done

    def _read(self, bodies: Sequence[bytes]) -> _Read:
        read, now = _Read(), self._clock()
        for body in bodies:
            try:
                event = parse_event(body, now)
            except InvalidEvent as error:
                read.broken.append((body, str(error)))
                log.warning("event.refused", reason=str(error))
                continue
            if isinstance(event, UnknownEvent):
                read.unknown[event.type] = read.unknown.get(event.type, 0) + 1
            else:
                _warn_of_disagreement(event)
                read.events.append((body, event))
        return read

    def _commit(self, read: _Read) -> Ingested:
        news = [each for _, event in read.events for each in news_of(event)]
        done = Ingested(len(read.events), 0, len(read.broken), read.unknown)
        if news or read.broken:
            with self._store.batch() as batch:
                if news:
                    done.awards = self._take_in(batch, news)
                if read.broken:
                    batch.bury(read.broken)
        return done

    def _take_in(self, batch: Batch, news: Sequence[News]) -> int:
        user_ids = sorted({each.user_id for each in news})
        state = batch.begin(user_ids)
        users = batch.lock_users(user_ids)
        rulebook = self._rules(batch, state)
        return sum(_Part(batch, users, rulebook, state).take_in(part) for part in cut(news))

    def _rules(self, batch: Batch, state: RulesState) -> Rulebook:
        if self._rulebook is None or self._rulebook.version != state.version:
            self._rulebook = make_rulebook(state.version, batch.badges())
            log.info("rulebook.loaded", version=state.version, badges=len(self._rulebook.rules))
        return self._rulebook


def cut(news: Iterable[News]) -> Iterator[list[News]]:
    """Cut a batch before whatever takes something away from a user who already has news in it.

    Where batches end must not decide who earns (design.md section 1, step 4).
    """
    part: list[News] = []
    seen: set[str] = set()
    for each in news:
        if each.takes_away and each.user_id in seen:
            yield part
            part, seen = [], set()
        part.append(each)
        seen.add(each.user_id)
    if part:
        yield part


class _Part:
    """One part of a batch: merged, then evaluated, in the batch's transaction."""

    def __init__(self, batch: Batch, users: dict[str, User], rulebook: Rulebook, state: RulesState) -> None:
        self._batch = batch
        self._users = users
        self._rulebook = rulebook
        self._state = state
        self._candidates: set[tuple[str, Rule]] = set()

    def take_in(self, news: Sequence[News]) -> int:
        self._take_users([each for each in news if isinstance(each, UserNews)])
        self._take_activities([each for each in news if isinstance(each, ActivityNews)])
        return decide(self._batch, self._candidates, self._users, self._state.swept_to)

    def _take_users(self, news: Sequence[UserNews]) -> None:
        if not news:
            return
        before = {each.user_id: self._users[each.user_id] for each in news}
        for each in news:
            self._users[each.user_id] = self._users[each.user_id].merged(each)
        changed = [self._users[user_id] for user_id, user in before.items() if self._users[user_id] != user]
        if changed:
            self._batch.save_users(sorted(changed, key=lambda user: user.user_id))
        if blocks := [each for each in news if each.blocked is not None]:
            self._batch.add_blocks(blocks)
        self._find_user_candidates(news, before)
        if came := [user.user_id for user in changed if _news_for_awards(before[user.user_id], user)]:
            self._batch.addresses_came(came)

    def _find_user_candidates(self, news: Sequence[UserNews], before: Mapping[str, User]) -> None:
        free_again = {each.user_id for each in news if each.blocked is False}
        for user_id, user in before.items():
            now = self._users[user_id]
            if user_id in free_again or (now.may_earn and not user.may_earn):
                self._add(user_id, self._rulebook.rules.values())
            elif now.registered_at is not None and now.registered_at != user.registered_at:
                age = (self._state.swept_to - now.registered_at).total_seconds()
                self._add(user_id, self._rulebook.ages(age))

    def _take_activities(self, news: Sequence[ActivityNews]) -> None:
        if not news:
            return
        old = self._batch.activities(sorted({each.key for each in news}, key=_in_order))
        new: dict[Key, Activity] = {}
        for each in news:
            known = new.get(each.key) or old.get(each.key)
            new[each.key] = known.merged(each.activity) if known else each.activity
        changes = [(key, activity) for key, activity in new.items() if activity != old.get(key)]
        if changes:
            self._merge(changes, old)

    def _merge(self, changes: Sequence[tuple[Key, Activity]], old: Mapping[Key, Activity]) -> None:
        deltas: dict[tuple[str, Kind], int] = {}
        moved: list[Key] = []
        for key, activity in changes:
            before = old[key].counted_at(key.kind) if key in old else None
            now = activity.counted_at(key.kind)
            if before != now:
                moved.append(key)
                slot = (key.user_id, key.kind)
                deltas[slot] = deltas.get(slot, 0) + (now is not None) - (before is not None)
        values = self._batch.merge(changes, {slot: delta for slot, delta in deltas.items() if delta})
        self._find_activity_candidates(moved, deltas, values)

    def _find_activity_candidates(
        self,
        moved: Sequence[Key],
        deltas: Mapping[tuple[str, Kind], int],
        values: Mapping[tuple[str, Kind], int],
    ) -> None:
        """Find what a change of liveness or of `counted_at` may have made true.

        A late removal too can make a window hold, so nothing is skipped because a count fell.
        """
        for key in moved:
            self._add(key.user_id, self._rulebook.about(key.kind, key.object_id))
        for (user_id, kind), delta in deltas.items():
            value = values.get((user_id, kind))
            if value is not None:
                self._add(user_id, self._rulebook.crossed(kind, value - delta, value))
            # An unmoved count is not read; more than enough rules are then asked, seldom.
            self._add(user_id, self._rulebook.windowed(kind, _MANY if value is None else value))

    def _add(self, user_id: str, rules: Iterable[Rule]) -> None:
        if self._users[user_id].may_earn:
            self._candidates.update((user_id, rule) for rule in rules)


_MANY = 2**31


def _news_for_awards(before: User, now: User) -> bool:
    """Say whether what awards wait for came: an address, or the names beside it."""
    return any(
        now.may_receive(with_names=with_names) and not before.may_receive(with_names=with_names)
        for with_names in (False, True)
    )


def _in_order(key: Key) -> tuple[str, str, str]:
    return key.user_id, key.kind, key.object_id


def _warn_of_disagreement(event: Event) -> None:
    """Say so when flag and scores of a completion disagree: the flag decides (Q-19)."""
    if isinstance(event, LearningPathCompleted):
        said = event.data.scores_say
        if event.data.passed is not None and said is not None and said != event.data.passed:
            log.warning("completion.flag_and_scores_disagree", event_id=event.id, passed=event.data.passed)
