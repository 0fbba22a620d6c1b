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
from worker.ports import Chance, Moved, RulesState, StoredBadge, Written
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
        # Since when each object counts, of the kinds that are counted.
        self._live: defaultdict[_Slot, dict[str, datetime]] = defaultdict(dict)
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

    def number_forgotten(self) -> int:
        """Return nothing: nobody is forgotten in a dry run."""
        return 0

    def forgotten(self, hashes: Sequence[str]) -> set[str]:
        """Return nothing: nobody is forgotten in a dry run."""
        del hashes
        return set()

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

    def written(self, news: Sequence[ActivityNews]) -> Written:
        """Return these news as they are."""
        return news

    def merge(self, written: Written, marks: Mapping[Kind, Marks]) -> list[Moved]:
        """Merge news of activities, and return the counts that may decide something."""
        moved: dict[_Slot, _Move] = {}
        activities = self._activities
        news: Sequence[ActivityNews] = written
        for each in news:
            key = each[:3]
            known = activities.get(key)
            activities[key] = told = each if known is None else known.merged(each)
            if each.kind in marks:
                self._count(told, moved)
        return [
            Moved(*slot, move.old, new, move.since, move.until)
            for slot, move in moved.items()
            if move.passed(marks[slot[1]], new := len(self._live[slot]))
        ]

    def _count(self, told: ActivityNews, moved: dict[_Slot, _Move]) -> None:
        """Let an activity count, or count no more, and note it if that is since another instant."""
        slot = told[:2]
        live = self._live[slot]
        since = _since(told)
        if live.get(told.object_id) == since:
            return
        if (move := moved.get(slot)) is None:
            moved[slot] = move = _Move(len(live))
        if since is None:
            del live[told.object_id]
        else:
            live[told.object_id] = since
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
        live = self._live[chance.user_id, Kind.CONNECTED].values()
        return sum(low <= since <= high for since in live)

    def counted(
        self, whole: Collection[_Slot], single: Collection[tuple[str, Kind, str]]
    ) -> dict[str, dict[Kind, list[Counted]]]:
        """Return live activities in the order of `counted_at`: whole kinds of a user, and single ones."""
        found: dict[str, dict[Kind, list[Counted]]] = defaultdict(lambda: defaultdict(list))
        for slot in whole:
            in_order = sorted((since, object_id) for object_id, since in self._live[slot].items())
            found[slot[0]][slot[1]] = [
                _counted(self._activities[*slot, object_id], since) for since, object_id in in_order
            ]
        for key in single:
            told = self._activities.get(key)
            if told is not None and (since := _since(told)) is not None:
                found[told.user_id][told.kind].append(_counted(told, since))
        return found

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


def _counted(told: ActivityNews, since: datetime) -> Counted:
    return Counted(told.object_id, since, told.source, told.event_id)


class _Move:
    """What moved of one count in one merge."""

    __slots__ = ("old", "since", "until")

    def __init__(self, old: int) -> None:
        self.old = old
        self.since: datetime | None = None
        self.until: datetime | None = None

    def passed(self, marked: Marks, new: int) -> bool:
        """Return whether a count that is `new` by now may decide something."""
        if marked.enough is not None and self.since is not None and new >= marked.enough:
            return True
        return bisect_right(marked.thresholds, self.old) < bisect_right(marked.thresholds, new)

    def note(self, at: datetime) -> None:
        """Note an activity that counts since `at`."""
        if self.since is None or at < self.since:
            self.since = at
        if self.until is None or at > self.until:
            self.until = at
