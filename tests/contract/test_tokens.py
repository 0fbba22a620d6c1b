"""What every token store promises: the one in memory and the one in Redis alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import wait_until
from worker.adapters.tokens import MemoryTokens, RedisTokens, Tokens

if TYPE_CHECKING:
    import redis

    from worker.adapters.tokens import TokenStore

ACADEMY = "academy:0123"
FIRST = Tokens("access-1", 60, "refresh-1")
SECOND = Tokens("access-2", 60, "refresh-2")


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> TokenStore:
    if request.param == "memory":
        return MemoryTokens()
    client: redis.Redis = request.getfixturevalue("redis_client")
    return RedisTokens(client)


def renewal(store: TokenStore, account: str = ACADEMY, seconds: float = 60) -> int:
    number = store.begin(account, seconds)
    assert number is not None
    return number


def test_an_account_begins_without_tokens(store: TokenStore) -> None:
    assert store.access(ACADEMY) is None
    assert store.refresh(ACADEMY) is None


def test_what_a_renewal_brought_is_there_for_everybody(store: TokenStore) -> None:
    store.finish(ACADEMY, renewal(store), FIRST)

    assert (store.access(ACADEMY), store.refresh(ACADEMY)) == ("access-1", "refresh-1")
    assert store.access("partner:0123") is None


def test_one_renewal_is_under_way_at_a_time(store: TokenStore) -> None:
    renewal(store)

    second = store.begin(ACADEMY, 60)

    assert second is None
    assert store.begin("partner:0123", 60) is not None


def test_the_next_renewal_may_begin_when_the_last_has_ended(store: TokenStore) -> None:
    store.finish(ACADEMY, renewal(store), None)

    assert store.begin(ACADEMY, 60) is not None


def test_a_renewal_without_tokens_leaves_the_old_ones(store: TokenStore) -> None:
    store.finish(ACADEMY, renewal(store), FIRST)

    store.finish(ACADEMY, renewal(store), None)

    assert store.access(ACADEMY) == "access-1"


def test_tokens_without_a_refresh_token_leave_the_old_one(store: TokenStore) -> None:
    store.finish(ACADEMY, renewal(store), FIRST)

    store.finish(ACADEMY, renewal(store), Tokens("access-2", 60))

    assert (store.access(ACADEMY), store.refresh(ACADEMY)) == ("access-2", "refresh-1")


def test_an_access_token_is_gone_when_its_time_is_over(store: TokenStore) -> None:
    store.finish(ACADEMY, renewal(store), Tokens("access-1", 0.05, "refresh-1"))

    wait_until(lambda: store.access(ACADEMY) is None)

    assert store.refresh(ACADEMY) == "refresh-1"


def test_a_renewal_whose_process_died_does_not_block_the_next(store: TokenStore) -> None:
    renewal(store, seconds=0.05)

    number = wait_until(lambda: store.begin(ACADEMY, 60))

    assert number is not None


def test_a_late_renewal_overwrites_nothing_newer(store: TokenStore) -> None:
    late = renewal(store, seconds=0.05)
    newer = wait_until(lambda: store.begin(ACADEMY, 60))
    assert newer is not None
    store.finish(ACADEMY, newer, SECOND)

    store.finish(ACADEMY, late, FIRST)

    assert (store.access(ACADEMY), store.refresh(ACADEMY)) == ("access-2", "refresh-2")


def test_a_late_renewal_is_kept_while_nothing_newer_came(store: TokenStore) -> None:
    late = renewal(store, seconds=0.05)
    wait_until(lambda: store.begin(ACADEMY, 60))

    store.finish(ACADEMY, late, FIRST)

    assert store.refresh(ACADEMY) == "refresh-1"


def test_a_late_renewal_does_not_end_the_one_under_way(store: TokenStore) -> None:
    late = renewal(store, seconds=0.05)
    wait_until(lambda: store.begin(ACADEMY, 60))

    store.finish(ACADEMY, late, FIRST)

    assert store.begin(ACADEMY, 60) is None


def test_a_renewal_that_outlived_an_emptied_store_does_not_hinder_the_next(redis_client: redis.Redis) -> None:
    store = RedisTokens(redis_client)
    for _ in range(9):
        store.finish(ACADEMY, renewal(store), None)
    late = renewal(store)
    redis_client.flushdb()
    store.finish(ACADEMY, late, FIRST)

    store.finish(ACADEMY, renewal(store), SECOND)

    assert (store.access(ACADEMY), store.refresh(ACADEMY)) == ("access-2", "refresh-2")


def test_what_was_refused_is_known_to_everybody_for_its_time(store: TokenStore) -> None:
    store.refuse(ACADEMY, "hash-1", 60)
    store.refuse(ACADEMY, "hash-2", 60)
    store.refuse("partner:0123", "hash-3", 0.05)

    wait_until(lambda: store.refused("partner:0123") is None)

    assert store.refused(ACADEMY) == "hash-2"
    assert store.refused("nobody:0123") is None


def test_nothing_shows_a_token(store: TokenStore) -> None:
    store.finish(ACADEMY, renewal(store), FIRST)

    assert "access-1" not in repr(store) + repr(FIRST)
    assert "refresh-1" not in repr(store) + repr(FIRST)
