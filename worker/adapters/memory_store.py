"""The store of one dry run: the twin of the database that keeps batches in memory, for as long as it lives.

One thread, one batch at a time. Nothing is undone: after an exception it is to be thrown away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from worker.activities import Kind
from worker.awards import NewAward
from worker.news import ActivityNews
from worker.ports import Chance, Moved, RulesState, StoredBadge
from worker.rules.facts import Counted
from worker.rules.rulebook import Marks
from worker.users import Block, User, UserNews

_Slot = tuple[str, Kind]


class MemoryStore:
    """Implements ports.BatchStore, and ports.Batch too: there is nobody to keep a transaction from.

    `swept_to` is the instant that account ages are decided against.
    """

    def __init__(self, badges: Iterable[StoredBadge], swept_to: datetime) -> None:
        self.people: dict[str, User] = {}
        self.made: dict[tuple[str, str], NewAward] = {}
        self.letters: list[tuple[bytes, str]] = []
        self._badges = list(badges)
        self._state = RulesState(1, swept_to)
        self._activities: dict[tuple[str, Kind, str], ActivityNews] = {}
        self._live: defaultdict[_Slot, set[str]] = defaultdict(set)  # what counts, of kinds that are counted
        self._blocks: defaultdict[str, set[Block]] = defaultdict(set)

    @contextmanager
    def batch(self) -> Iterator[MemoryStore]:
        """Open one transaction."""
        yield self

    def begin(self, user_ids: Sequence[str]) -> RulesState:
        """Insert missing users and return the state of the rules."""
        for user_id in user_ids:
            if user_id not in self.people:
                self.people[user_id] = User(user_id)
        return self._state

    def lock(self, user_ids: Sequence[str]) -> int:
        """Return how many of these users there are."""
        return sum(user_id in self.people for user_id in user_ids)

    def lock_users(self, user_ids: Sequence[str], wanted: Collection[str] | None = None) -> dict[str, User]:
        """Return these users, or only the wanted ones."""
        return self.users(user_ids if wanted is None else wanted)

    def users(self, user_ids: Collection[str]) -> dict[str, User]:
        """Return these users."""
        return {user_id: self.people[user_id] for user_id in user_ids if user_id in self.people}

    def save_users(self, users: Sequence[User]) -> None:
        """Keep what is known of these users."""
        self.people.update((user.user_id, user) for user in users)

    def add_blocks(self, news: Sequence[UserNews]) -> None:
        """Keep blocks and unblocks; the same one twice is one."""
        for each in news:
            if each.blocked is not None:
                self._blocks[each.user_id].add(Block(each.at, each.blocked))

    def blocks(self, user_ids: Collection[str]) -> dict[str, list[Block]]:
        """Return every block and unblock of these users."""
        return {user_id: list(self._blocks[user_id]) for user_id in user_ids if user_id in self._blocks}

    def merge(self, news: Sequence[ActivityNews], marks: Mapping[Kind, Marks]) -> list[Moved]:
        """Merge news of activities, and return the counts that may decide something."""
        moved: dict[_Slot, _Move] = {}
        activities = self._activities
        for each in news:
            key = each[:3]
            known = activities.get(key)
            activities[key] = told = each if known is None else known.merged(each)
            if each.kind in marks:
                was, since = known and _since(known), _since(told)
                if was != since:
                    self._count(told, since, moved)
        return [found for slot, move in moved.items() if (found := self._told(slot, move, marks[slot[1]]))]

    def _told(self, slot: _Slot, move: _Move, marked: Marks) -> Moved | None:
        """Return what moved if it passed a mark."""
        new = len(self._live[slot])
        passed = bisect_right(marked.thresholds, move.old) < bisect_right(marked.thresholds, new)
        if passed or (marked.enough is not None and move.since is not None and new >= marked.enough):
            return Moved(*slot, move.old, new, move.since, move.until)
        return None

    def _count(self, told: ActivityNews, since: datetime | None, moved: dict[_Slot, _Move]) -> None:
        """Let an activity count since an instant, or no more."""
        slot = told.user_id, told.kind
        live = self._live[slot]
        if (move := moved.get(slot)) is None:
            moved[slot] = move = _Move(len(live))
        if since is None:
            live.discard(told.object_id)
        else:
            live.add(told.object_id)
            move.note(since)

    def look_at(self, chances: Sequence[Chance]) -> list[tuple[str, str, bool]]:
        """Return which badges were awarded already and which are to be evaluated."""
        looks = []
        for chance in chances:
            awarded = chance[:2] in self.made
            if awarded or chance.threshold <= self._within(chance):
                looks.append((chance.user_id, chance.badge_id, awarded))
        return looks

    def _within(self, chance: Chance) -> int:
        low, high = chance.low, chance.high
        if low is None or high is None:
            return chance.threshold
        facts = self._facts(chance.user_id, Kind.CONNECTED, self._live[chance.user_id, Kind.CONNECTED])
        return sum(low <= fact.counted_at <= high for fact in facts)

    def counted(
        self, whole: Collection[_Slot], single: Collection[tuple[str, Kind, str]]
    ) -> dict[str, dict[Kind, list[Counted]]]:
        """Return live activities in the order of `counted_at`: whole kinds of a user, and single ones."""
        found: dict[str, dict[Kind, list[Counted]]] = defaultdict(lambda: defaultdict(list))
        for user_id, kind in whole:
            found[user_id][kind] = sorted(
                self._facts(user_id, kind, self._live[user_id, kind]), key=_in_order
            )
        for user_id, kind, object_id in single:
            found[user_id][kind] += self._facts(user_id, kind, (object_id,))
        return found

    def _facts(self, user_id: str, kind: Kind, object_ids: Iterable[str]) -> Iterator[Counted]:
        for object_id in object_ids:
            told = self._activities.get((user_id, kind, object_id))
            if told is not None and (since := _since(told)) is not None:
                yield Counted(object_id, since, told.source, told.event_id)

    def badges(self) -> list[StoredBadge]:
        """Return the badges that it was made with."""
        return self._badges

    def awarded(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which of these (user, badge) have an award already."""
        return self.made.keys() & set(pairs)

    def insert_awards(self, awards: Sequence[NewAward]) -> int:
        """Keep the awards that are not there yet, and return how many those were."""
        before = len(self.made)
        for award in awards:
            self.made.setdefault((award.user_id, award.badge_id), award)
        return len(self.made) - before

    def addresses_came(self, user_ids: Collection[str]) -> int:
        """Do nothing: nothing is sent, and whether an award waits is asked at the end."""
        del user_ids
        return 0

    def bury(self, letters: Sequence[tuple[bytes, str]]) -> None:
        """Keep bodies that are not events, each with its reason, in the order of the batch."""
        self.letters += letters


def _since(told: ActivityNews) -> datetime | None:
    """Return since when an activity counts, or None if it does not."""
    if told.removed_at is None:
        return told.first_at  # most of them: what nobody ever took back
    return told.activity.counted_at(told.kind)


class _Move:
    """What moved of one count in one merge."""

    __slots__ = ("old", "since", "until")

    def __init__(self, old: int) -> None:
        self.old = old
        self.since: datetime | None = None
        self.until: datetime | None = None

    def note(self, at: datetime) -> None:
        """Note an activity that counts since `at`."""
        if self.since is None or at < self.since:
            self.since = at
        if self.until is None or at > self.until:
            self.until = at


def _in_order(fact: Counted) -> tuple[datetime, str]:
    return fact.counted_at, fact.object_id
