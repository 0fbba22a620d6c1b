"""Where a batch is cut: before what takes something from a user who already has news in it (design.md 1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import tried
from worker.activities import Key, Kind, began, ended
from worker.drafting import cut
from worker.news import ActivityNews, News
from worker.users import UserNews

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

AT = datetime(2026, 1, 1, tzinfo=UTC)


def gives(user_id: str) -> News:
    return ActivityNews.of(Key(user_id, Kind.POST, "p"), began(AT, "lms", "1"))


def takes(user_id: str) -> News:
    return ActivityNews.of(Key(user_id, Kind.POST, "p"), ended(AT, "lms", "2"))


def post(user_id: str, object_id: str, gone: bool) -> ActivityNews:
    activity = ended(AT, "lms", "5") if gone else began(AT, "lms", "4")
    return ActivityNews.of(Key(user_id, Kind.POST, object_id), activity)


def meets(user_id: str, second: int) -> News:
    """A connection that began so late."""
    began_at = began(AT + timedelta(seconds=second), "lms", "6")
    return ActivityNews.of(Key(user_id, Kind.CONNECTED, "z"), began_at)


def of(user_id: str, news: Sequence[News]) -> list[News]:
    return [each for each in news if each.user_id == user_id]


def leaves(user_id: str) -> News:
    return ActivityNews.of(Key(user_id, Kind.ENROLLED, "40"), ended(AT, "lms", "3"))


BLOCKED = UserNews("a", AT, blocked=True)
UNBLOCKED = UserNews("a", AT, blocked=False)
DELETED = UserNews("a", AT, deleted_at=AT)
ANONYMOUS = UserNews("a", AT, profile={"scope": "ANONYMOUS"})


@pytest.mark.parametrize(
    ("news", "lengths"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([gives("a"), gives("a"), gives("b")], [3], id="nothing-taken-away"),
        pytest.param([takes("a"), gives("a")], [2], id="taken-away-first"),
        pytest.param([gives("a"), takes("b"), gives("b")], [3], id="taken-from-somebody-else"),
        pytest.param([gives("a"), takes("a"), gives("a")], [1, 2], id="taken-away-between"),
        pytest.param([gives("a"), takes("a"), takes("a")], [1, 1, 1], id="taken-away-twice"),
        pytest.param([gives("a"), takes("a"), takes("b")], [2, 1], id="taken-first-from-somebody-else"),
        pytest.param([gives("a"), takes("a"), gives("b")], [2, 1], id="what-comes-later-of-somebody-else"),
        pytest.param(
            [gives("a"), takes("a"), gives("b"), takes("b"), takes("a")], [2, 2, 1], id="two-people-at-once"
        ),
        pytest.param([gives("b"), takes("a"), takes("b")], [2, 1], id="one-removal-of-two-people"),
        pytest.param([meets("a", 1), meets("a", 2), meets("a", 2)], [3], id="connections-in-order"),
        pytest.param([meets("a", 2), meets("a", 3), meets("a", 1)], [2, 1], id="a-connection-told-late"),
        pytest.param(
            [meets("a", 3), meets("a", 1), meets("a", 2), meets("a", 1)], [1, 2, 1], id="late-again-and-again"
        ),
        pytest.param([meets("a", 2), meets("b", 1)], [2], id="earlier-than-somebody-elses"),
        pytest.param([gives("a"), meets("a", 1)], [2], id="a-connection-after-something-else"),
        pytest.param([gives("a"), BLOCKED], [1, 1], id="block"),
        pytest.param([gives("a"), UNBLOCKED], [2], id="unblock"),
        pytest.param([gives("a"), DELETED], [1, 1], id="deletion"),
        pytest.param([gives("a"), ANONYMOUS], [1, 1], id="loss-of-scope"),
        pytest.param([gives("a"), leaves("a")], [2], id="leaving-a-learning-path"),
        pytest.param([UNBLOCKED, BLOCKED, UNBLOCKED, BLOCKED], [1, 2, 1], id="on-and-off"),
    ],
)
def test_a_batch_is_cut_into_parts_of(news: list[News], lengths: list[int]) -> None:
    assert [len(part) for part in cut(news)] == lengths


USERS = st.sampled_from("abc")
NEWS = st.lists(
    st.one_of(USERS.map(gives), USERS.map(takes), USERS.map(leaves), st.sampled_from([BLOCKED, UNBLOCKED])),
    max_size=12,
)


@tried
@given(NEWS)
def test_nothing_is_lost_or_doubled_and_nobodys_news_change_their_order(news: list[News]) -> None:
    parted = [each for part in cut(news) for each in part]

    assert len(parted) == len(news)
    for user_id in "abc":
        assert of(user_id, parted) == of(user_id, news)


@tried
@given(NEWS)
def test_no_part_takes_from_a_user_who_had_news_in_it(news: list[News]) -> None:
    for part in cut(news):
        for place, each in enumerate(part):
            assert not (each.takes_away and each.user_id in {other.user_id for other in part[:place]})


@tried
@given(NEWS)
def test_no_cut_is_made_without_need(news: list[News]) -> None:
    for before, part in pairwise(cut(news)):
        for user_id in {each.user_id for each in part}:
            assert of(user_id, part)[0].takes_away
            assert of(user_id, before)


POSTS = st.lists(st.builds(post, st.sampled_from("ab"), st.sampled_from("123"), st.booleans()), max_size=12)


def who_ever_had_two(parts: Iterable[Sequence[News]]) -> set[str]:
    """Return who had two live posts when a part was judged: after it was merged."""
    begun: set[Key] = set()
    removed: set[Key] = set()
    found: set[str] = set()
    for part in parts:
        posts = [each for each in part if isinstance(each, ActivityNews)]
        begun |= {each.key for each in posts if not each.takes_away}
        removed |= {each.key for each in posts if each.takes_away}
        live = [key.user_id for key in begun - removed]
        found |= {user_id for user_id in live if live.count(user_id) >= 2}
    return found


@tried
@given(POSTS, st.integers(0, 12))
def test_where_batches_end_does_not_decide_who_earns(news: list[ActivityNews], end: int) -> None:
    one_by_one = who_ever_had_two([each] for each in news)

    assert who_ever_had_two(cut(news)) == one_by_one
    assert who_ever_had_two([*cut(news[:end]), *cut(news[end:])]) == one_by_one
