"""Drafting: what a batch's news come to, worked out before its transaction, which others wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.activities import Kind
from worker.news import ActivityNews, News
from worker.ports import BatchStore, Written
from worker.users import UserNews


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a batch: news of users as they came, and news of activities: each key once, sorted.

    `written` are the latter as the store takes them.
    """

    users: Sequence[UserNews]
    activities: Sequence[ActivityNews]
    written: Written


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a batch: whom it is about (sorted), whose profile or blocks there is news of, and its parts."""

    user_ids: Sequence[str]
    about_users: frozenset[str]
    parts: Sequence[Part]


def drafted(news: Sequence[News], store: BatchStore) -> Draft:
    """Return what these news come to, in the order in which they came."""
    about_users = frozenset([each.user_id for each in news if isinstance(each, UserNews)])
    parts = [_part(part, store) for part in cut(news)]
    return Draft(sorted({each.user_id for each in news}), about_users, parts)


@dataclass(slots=True)
class _Stretch:
    """A user's news since their last cut: in which part they are, and when the latest connection began."""

    place: int = 0
    connected: datetime | None = None

    def ends_before(self, news: News) -> bool:
        """Return whether this takes away what may have been earned by now."""
        return news.takes_away or _is_late(news, self.connected)

    def add(self, news: News) -> None:
        at = _connected(news)
        if at is not None and (self.connected is None or at > self.connected):
            self.connected = at


def cut(news: Sequence[News]) -> list[list[News]]:
    """Cut a batch before whatever takes something away from a user who already has news in the part.

    Where batches end must not decide who earns (design.md section 1, step 4). What is decided of one user
    depends on nobody else: so the first part has everybody's news up to their first cut, the second one the
    news of those few who were cut up to their next, and so on.

    A connection that is told late takes away, too: it may be one that is known already, and count from an
    earlier time on then, outside a window that held by what was known before.
    """
    losers = _losers(news)
    parts = [[each for each in news if each.user_id not in losers]]
    stretches: dict[str, _Stretch] = {}
    for each in [each for each in news if each.user_id in losers]:
        stretch = stretches.get(each.user_id)
        if stretch is None:
            stretch = stretches[each.user_id] = _Stretch()
        elif stretch.ends_before(each):
            stretch = stretches[each.user_id] = _Stretch(stretch.place + 1)
        if stretch.place == len(parts):
            parts.append([])
        parts[stretch.place].append(each)
        stretch.add(each)
    return [part for part in parts if part]


def _losers(news: Sequence[News]) -> set[str]:
    """Return those from whom something is taken away."""
    losers = {each.user_id for each in news if each.takes_away}
    latest: dict[str, datetime] = {}
    for each in news:
        if _is_late(each, latest.get(each.user_id)):
            losers.add(each.user_id)
        elif (at := _connected(each)) is not None:
            latest[each.user_id] = at
    return losers


def _connected(news: News) -> datetime | None:
    """Return when a connection began, if it is news of that."""
    return news.first_at if isinstance(news, ActivityNews) and news.kind is Kind.CONNECTED else None


def _is_late(news: News, latest: datetime | None) -> bool:
    at = _connected(news)
    return at is not None and latest is not None and at < latest


def _part(news: Sequence[News], store: BatchStore) -> Part:
    users = [each for each in news if isinstance(each, UserNews)]
    activities = _merged([each for each in news if isinstance(each, ActivityNews)])
    return Part(users, activities, store.written(activities))


def _merged(news: Sequence[ActivityNews]) -> list[ActivityNews]:
    merged: dict[tuple[str, str, str], ActivityNews] = {}
    for each in news:
        key = each[:3]
        known = merged.setdefault(key, each)
        if known is not each:
            merged[key] = known.merged(each)
    return sorted(merged.values())  # by key: no two have the same
