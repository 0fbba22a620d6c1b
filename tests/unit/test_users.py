"""How news of a person is merged (design.md section 1): the latest of each field, in whatever order."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import tried
from worker.users import FIELDS, User, UserNews

if TYPE_CHECKING:
    from collections.abc import Iterable


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def told(news: Iterable[UserNews]) -> User:
    return reduce(User.merged, news, User("u"))


def said(number: int, **profile: str) -> UserNews:
    return UserNews("u", day(number), profile=profile)


@pytest.mark.parametrize(
    ("news", "email"),
    [
        pytest.param([], None, id="nothing-said"),
        pytest.param([said(1, first_name="Ada")], None, id="another-field"),
        pytest.param([said(1, email="old@x"), said(2, email="new@x")], "new@x", id="the-latest-wins"),
        pytest.param([said(2, email="new@x"), said(1, email="old@x")], "new@x", id="the-latest-came-first"),
        pytest.param([said(3, first_name="Ada"), said(1, email="old@x")], "old@x", id="older-fills-empty"),
        pytest.param([said(1, email="a@x"), said(1, email="b@x")], "b@x", id="a-tie-is-settled-by-value"),
        pytest.param([said(1, email="b@x"), said(1, email="a@x")], "b@x", id="a-tie-in-the-other-order"),
    ],
)
def test_the_address_is(news: list[UserNews], email: str | None) -> None:
    assert told(news).email == email


@pytest.mark.parametrize(
    ("news", "may"),
    [
        pytest.param([], True, id="nothing-known"),
        pytest.param([said(1, scope="AUTHENTICATED")], True, id="authenticated"),
        pytest.param([said(1, scope="ADMINISTRATOR")], True, id="administrator"),
        pytest.param([said(1, scope="ANONYMOUS")], False, id="anonymous"),
        pytest.param(
            [said(1, scope="ANONYMOUS"), said(2, scope="AUTHENTICATED")], True, id="anonymous-no-more"
        ),
        pytest.param(
            [said(2, scope="AUTHENTICATED"), said(1, scope="ANONYMOUS")], True, id="anonymous-once-said-late"
        ),
        pytest.param([UserNews("u", day(1), deleted_at=day(1))], False, id="deleted"),
        pytest.param(
            [UserNews("u", day(1), deleted_at=day(1)), UserNews("u", day(2), registered_at=day(2))],
            False,
            id="deleted-is-final",
        ),
        pytest.param([UserNews("u", day(1), blocked=True)], True, id="blocks-are-asked-apart"),
    ],
)
def test_an_account_may_earn(news: list[UserNews], may: bool) -> None:
    assert told(news).may_earn is may


def test_the_earliest_registration_counts() -> None:
    news = [UserNews("u", day(number), registered_at=day(number)) for number in (3, 1, 2)]

    assert told(news).registered_at == day(1)


DAYS = st.integers(1, 4).map(day)
NEWS = st.builds(
    UserNews,
    user_id=st.just("u"),
    at=DAYS,
    profile=st.dictionaries(st.sampled_from(FIELDS), st.sampled_from("abc"), max_size=3),
    registered_at=st.none() | DAYS,
    deleted_at=st.none() | DAYS,
    blocked=st.none() | st.booleans(),
)


@tried
@given(st.lists(NEWS, max_size=6), st.data())
def test_the_order_of_arrival_settles_nothing(news: list[UserNews], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(news))

    assert told(shuffled) == told(news)


@tried
@given(st.lists(NEWS, min_size=1, max_size=5), st.data())
def test_news_that_comes_again_changes_nothing(news: list[UserNews], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(news), max_size=5))

    assert told([*news, *again]) == told(news)


@tried
@given(st.lists(NEWS, max_size=6))
def test_each_field_is_the_latest_that_was_said_of_it(news: list[UserNews]) -> None:
    user = told(news)

    for name in FIELDS:
        latest = max(((each.at, each.profile[name]) for each in news if name in each.profile), default=None)
        known = user.profile.get(name)
        assert (known and (known.at, known.value)) == latest


@tried
@given(st.lists(NEWS, max_size=6))
def test_registration_and_deletion_are_the_earliest_told(news: list[UserNews]) -> None:
    user = told(news)

    assert user.registered_at == min((n.registered_at for n in news if n.registered_at), default=None)
    assert user.deleted_at == min((n.deleted_at for n in news if n.deleted_at), default=None)
