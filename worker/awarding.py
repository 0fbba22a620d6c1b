"""Awarding: a batch of messages becomes activities, counts and awards, in one transaction (design.md 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import structlog

from worker.deciding import award, make_rulebook
from worker.drafting import Draft, Part, drafted
from worker.errors import DatabaseUnavailable, InvalidEvent, TookTooLong, Unstorable
from worker.events import FURTHEST_AHEAD, Event, LearningPathCompleted, UnknownEvent, parse_event
from worker.forgotten import Forgotten, Recognised
from worker.known import Known
from worker.news import News, news_of
from worker.ports import Batch, BatchStore, Chance, Clock, Moved, RulesState
from worker.reading import read_plain
from worker.rules.criteria import SocialConnection
from worker.rules.rulebook import Rule, Rulebook
from worker.users import User, UserNews

log = structlog.get_logger(__name__)

# Unknown types that are told apart: whoever invents new ones all the time must not fill our memory.
_MOST_TYPES = 100
_OTHER_TYPES = "others"
_LONGEST_TYPE = 255  # characters of one's name


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
            kept = name if name in self.unknown or len(self.unknown) < _MOST_TYPES else _OTHER_TYPES
            self.unknown[kept] = self.unknown.get(kept, 0) + times
        return self


@dataclass(slots=True)
class ReadBatch:
    """A batch as it was read at the door: events with what they tell, and what is no event.

    `draft` is all that they tell and what that comes to, once it was worked out.
    """

    events: list[tuple[bytes, Sequence[News]]] = field(default_factory=list)
    broken: list[tuple[bytes, str]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    draft: tuple[Sequence[News], Draft] | None = field(default=None, init=False, repr=False, compare=False)

    def __iadd__(self, other: ReadBatch) -> Self:
        """Add what was read after it."""
        self.events += other.events
        self.broken += other.broken
        for name, times in other.unknown.items():
            self.unknown[name] = self.unknown.get(name, 0) + times
        self.draft = None
        return self

    def tell_refused(self) -> None:
        """Log what is no event: one line a batch, since a flood of junk must not become one of lines."""
        if self.broken:  # dead letters say the rest
            log.warning("event.refused", events=len(self.broken), reason=self.broken[0][1])

    def halves(self) -> tuple[ReadBatch, ReadBatch]:
        """Return it as two."""
        middle = len(self.events) // 2
        first = ReadBatch(self.events[:middle], self.broken, self.unknown)
        return first, ReadBatch(self.events[middle:])


class Awarding:
    """Takes batches of event bodies into the store and decides who earned what. One a process.

    One thread may read while another commits; no more than one commits.
    """

    def __init__(self, store: BatchStore, clock: Clock, secret_key: str | None = None) -> None:
        self._store = store
        self._clock = clock
        self._forgotten = Forgotten(secret_key)
        self._rulebook: Rulebook | None = None
        self._known = Known()

    def ingest(self, bodies: Sequence[bytes]) -> Ingested:
        """Read a batch and commit it."""
        read = self.read(bodies)
        read.tell_refused()
        return self.commit(read)

    def read(self, bodies: Sequence[bytes]) -> ReadBatch:
        """Read event bodies at the door; nothing is looked up or written."""
        read, now = ReadBatch(), self._clock()
        latest = now + FURTHEST_AHEAD
        for body in bodies:
            if plain := read_plain(body, latest):
                read.events.append((body, plain))
                continue
            try:
                event = parse_event(body, now)
            except InvalidEvent as error:
                read.broken.append((body, str(error)))
                continue
            if isinstance(event, UnknownEvent):
                name = event.type[:_LONGEST_TYPE]
                read.unknown[name] = read.unknown.get(name, 0) + 1
            else:
                _warn_of_disagreement(event)
                read.events.append((body, news_of(event)))
        return read

    def draft(self, read: ReadBatch) -> tuple[Sequence[News], Draft]:
        """Return all that a batch tells, and what that comes to; worked out once, before its transaction."""
        if read.draft is None:
            told = [each for _, news in read.events for each in news]
            read.draft = told, drafted(told, self._store)
        return read.draft

    def commit(self, read: ReadBatch) -> Ingested:
        """Take a batch in, in one transaction; when this returns, it is committed.

        Raises DatabaseUnavailable, and ConfigurationError if people were forgotten by a key that is not ours:
        then nothing of it happened. A body that the database cannot hold is set aside alone, found by
        bisection; what takes the database longer than it allows goes by parts, too.
        """
        try:
            return self._commit(read)
        except (Unstorable, TookTooLong) as error:
            if isinstance(error, TookTooLong):
                log.warning("batch.took_too_long", events=len(read.events), reason=str(error))
            if len(read.events) > 1:
                first, second = read.halves()
                done = self.commit(first)
                done += self.commit(second)
                return done
            if isinstance(error, TookTooLong):
                raise
            refused = [(body, f"body: cannot be kept ({error})") for body, _ in read.events]
            return self._commit(ReadBatch([], [*read.broken, *refused], read.unknown))

    def _commit(self, read: ReadBatch) -> Ingested:
        told, drafted_whole = self.draft(read)
        done = Ingested(len(read.events), 0, len(read.broken), dict(read.unknown))
        while (news := self._forgotten.without(told)) or read.broken:
            intake = _Intake(self._known)
            draft = drafted_whole if news is told else drafted(news, self._store)
            try:
                with self._store.batch() as batch:
                    done.awards = self._take_in(batch, draft, intake) if news else 0
                    self._bury(batch, read.broken, seen=bool(news))
            except Recognised:
                continue  # nothing of it was committed: once more, without whom we know now
            except TookTooLong:
                raise  # the database is there, and what it was
            except DatabaseUnavailable:
                self._known.forget()  # who knows what database comes back, with other rules by our number
                self._rulebook = None
                raise
            self._known.learn(intake.users, intake.awarded)
            break
        return done

    def _bury(self, batch: Batch, letters: Sequence[tuple[bytes, str]], *, seen: bool) -> None:
        """Keep what is no event; `seen` says that we know by now how many people are forgotten."""
        if not letters:
            return
        if not seen:
            self._forgotten.look(batch, (), batch.begin([]).forgotten)
        if kept := self._forgotten.keepable(batch, letters):
            batch.bury(kept)

    def _take_in(self, batch: Batch, draft: Draft, intake: _Intake) -> int:
        user_ids, about_users = draft.user_ids, draft.about_users
        intake.users = self._known.unknown(user_ids)
        state = batch.begin(user_ids if about_users else intake.users)
        self._forgotten.look(batch, user_ids, state.forgotten)
        if about_users:
            intake.profiles = batch.lock_users(user_ids, about_users)
        elif batch.lock(user_ids) != len(user_ids):
            # Somebody we knew went meanwhile. Rules stay shared; the locks we have are sorted.
            state = batch.begin(user_ids)
            batch.lock(user_ids)
        rulebook = self._rules(batch, state)
        return sum(_Part(batch, intake, rulebook, state).take_in(part) for part in draft.parts)

    def _rules(self, batch: Batch, state: RulesState) -> Rulebook:
        if self._rulebook is None or self._rulebook.version != state.version:
            self._rulebook = make_rulebook(state.version, batch.badges())
            log.info("rulebook.loaded", version=state.version, badges=len(self._rulebook.rules))
        return self._rulebook


@dataclass(slots=True)
class _Intake:
    """What is learned in one transaction, to be remembered once it is committed.

    `users` are those that may be new; `profiles` are the users that there is news of, as they are by now.
    """

    known: Known
    users: Sequence[str] = ()
    profiles: dict[str, User] = field(default_factory=dict)
    awarded: list[tuple[str, str]] = field(default_factory=list)


class _Part:
    """One part of a batch: merged, then evaluated, in the batch's transaction."""

    def __init__(self, batch: Batch, intake: _Intake, rulebook: Rulebook, state: RulesState) -> None:
        self._batch = batch
        self._intake = intake
        self._rulebook = rulebook
        self._state = state
        self._chances: dict[tuple[str, str], Chance] = {}

    def take_in(self, part: Part) -> int:
        self._take_users(part.users)
        self._take_activities(part)
        return self._decide()

    def _take_users(self, news: Sequence[UserNews]) -> None:
        if not news:
            return
        profiles = self._intake.profiles
        before = {each.user_id: profiles[each.user_id] for each in news}
        for each in news:
            profiles[each.user_id] = profiles[each.user_id].merged(each)
        changed = [profiles[user_id] for user_id, user in before.items() if profiles[user_id] != user]
        if changed:
            self._batch.save_users(sorted(changed, key=lambda user: user.user_id))
        if blocks := [each for each in news if each.blocked is not None]:
            self._batch.add_blocks(blocks)
        self._find_user_chances(news, before)
        if came := [user.user_id for user in changed if _news_for_awards(before[user.user_id], user)]:
            self._batch.addresses_came(came)

    def _find_user_chances(self, news: Sequence[UserNews], before: Mapping[str, User]) -> None:
        free_again = {each.user_id for each in news if each.blocked is False}
        for user_id, user in before.items():
            now = self._intake.profiles[user_id]
            if user_id in free_again or (now.may_earn and not user.may_earn):
                self._add(user_id, self._rulebook.rules.values())
            elif now.registered_at is not None and now.registered_at != user.registered_at:
                age = (self._state.swept_to - now.registered_at).total_seconds()
                self._add(user_id, self._rulebook.ages(age))

    def _take_activities(self, part: Part) -> None:
        if not part.activities:
            return
        moved = self._batch.merge(part.written, self._rulebook.marks)
        by_object = self._rulebook.by_object
        for each in part.activities:
            if rules := by_object.get(each[1:3]):  # its kind and object
                self._add(each.user_id, rules)
        for count in moved:
            self._find_counted_chances(count)

    def _find_counted_chances(self, moved: Moved) -> None:
        """Find what a change of liveness or of `counted_at` may have made true.

        A late removal too can make a window hold, so nothing is skipped because a count fell.
        """
        self._add(moved.user_id, self._rulebook.crossed(moved.kind, moved.old, moved.new))
        if moved.since is None or moved.until is None:
            return
        for rule in self._rulebook.windowed(moved.kind, moved.new):
            if self._intake.known.is_awarded(moved.user_id, rule.badge_id):
                continue
            pair = moved.user_id, rule.badge_id
            if isinstance(rule.criterion, SocialConnection) and rule.window is not None:
                # A window that holds since now has what moved in it; one that held before was awarded then.
                low, high = moved.since - rule.window, moved.until + rule.window
                # Whoever may earn again is looked at whole: what held all along counts then, too.
                self._chances.setdefault(pair, Chance(*pair, rule.criterion.threshold, low, high))
            else:
                self._chances[pair] = Chance(*pair)

    def _add(self, user_id: str, rules: Iterable[Rule]) -> None:
        for rule in rules:
            if not self._intake.known.is_awarded(user_id, rule.badge_id):
                self._chances[user_id, rule.badge_id] = Chance(user_id, rule.badge_id)

    def _decide(self) -> int:
        if not self._chances:
            return 0
        looks = self._batch.look_at([self._chances[pair] for pair in sorted(self._chances)])
        self._intake.awarded += [(user_id, badge_id) for user_id, badge_id, awarded in looks if awarded]
        rules = self._rulebook.rules
        open_ones = [(user_id, rules[badge_id]) for user_id, badge_id, awarded in looks if not awarded]
        if not open_ones:
            return 0
        users = self._batch.users({user_id for user_id, _ in open_ones})
        return award(self._batch, open_ones, users, self._state.swept_to)


def _news_for_awards(before: User, now: User) -> bool:
    """Say whether what awards wait for came: an address, or the names beside it."""
    return any(
        now.may_receive(with_names=with_names) and not before.may_receive(with_names=with_names)
        for with_names in (False, True)
    )


def _warn_of_disagreement(event: Event) -> None:
    """Say so when flag and scores of a completion disagree: the flag decides (Q-19)."""
    if isinstance(event, LearningPathCompleted):
        said = event.data.scores_say
        if event.data.passed is not None and said is not None and said != event.data.passed:
            log.warning("completion.flag_and_scores_disagree", event_id=event.id, passed=event.data.passed)
