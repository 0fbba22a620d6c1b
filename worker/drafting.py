"""Drafting: what a batch's news come to, worked out before its transaction, which others wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.news import ActivityNews, News
from worker.users import UserNews


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a batch: news of users as they came, and news of activities: each key once, sorted."""

    users: Sequence[UserNews]
    activities: Sequence[ActivityNews]


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a batch: whom it is about (sorted), whose profile or blocks there is news of, and its parts."""

    user_ids: Sequence[str]
    about_users: frozenset[str]
    parts: Sequence[Part]


def drafted(news: Sequence[News]) -> Draft:
    """Return what these news come to, in the order in which they came."""
    about_users = frozenset([each.user_id for each in news if isinstance(each, UserNews)])
    return Draft(sorted({each.user_id for each in news}), about_users, [_part(part) for part in cut(news)])


def cut(news: Sequence[News]) -> Iterator[Sequence[News]]:
    """Cut a batch before whatever takes something away from a user who already has news in it.

    Where batches end must not decide who earns (design.md section 1, step 4).
    """
    begins, looked, seen = 0, 0, set[str]()
    for place in [place for place, each in enumerate(news) if each.takes_away]:
        seen.update([each.user_id for each in news[looked:place]])
        looked = place
        if news[place].user_id in seen:
            yield news[begins:place]
            begins, seen = place, set()
    if begins < len(news):
        yield news[begins:]


def _part(news: Sequence[News]) -> Part:
    users = [each for each in news if isinstance(each, UserNews)]
    return Part(users, _merged(each for each in news if isinstance(each, ActivityNews)))


def _merged(news: Iterable[ActivityNews]) -> list[ActivityNews]:
    merged: dict[tuple[str, str, str], ActivityNews] = {}
    for each in news:
        key = each[:3]
        known = merged.get(key)
        merged[key] = each if known is None else known.merged(each)
    return [merged[key] for key in sorted(merged)]
