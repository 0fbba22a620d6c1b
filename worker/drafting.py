"""Drafting: what a batch's news come to, worked out before its transaction, which others wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def cut(news: Sequence[News]) -> list[list[News]]:
    """Cut a batch before whatever takes something away from a user who already has news in the part.

    Where batches end must not decide who earns (design.md section 1, step 4). What is decided of one user
    depends on nobody else: so the first part has everybody's news up to their first cut, the second one the
    news of those few who were cut up to their next, and so on.
    """
    losers = {each.user_id for each in news if each.takes_away}
    parts = [[each for each in news if each.user_id not in losers]]
    places: dict[str, int] = {}  # the part that the latest news of a user is in
    for each in [each for each in news if each.user_id in losers]:
        place = places.get(each.user_id)
        if place is None:
            place = 0
        elif each.takes_away:
            place += 1
        if place == len(parts):
            parts.append([])
        parts[place].append(each)
        places[each.user_id] = place
    return [part for part in parts if part]


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
