"""The client's limiter against the limit that the Badgr sandbox enforces at arrival (S3-03)."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.request import urlopen

from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.tokens import MemoryTokens, RedisTokens
from worker.awards import Grant
from worker.errors import TransientError
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    import redis

CLASS = "class-1"
THREADS, CALLS = 8, 8


def test_who_waits_for_permits_is_never_told_that_they_were_too_many(redis_client: redis.Redis) -> None:
    options = SandboxOptions(rate_limit="20/0.5s", badgeclasses=[SeedBadgeClass(CLASS, "First", "issuer-1")])
    limits = {"academy": RateLimit(20, 0.5, deadline=30)}
    with running(options) as url:
        provider = BadgrProvider(
            "academy",
            url,
            Credentials(username="academy", password="any"),
            RedisPermits(redis_client, limits),
            RedisTokens(redis_client),
            30,
        )
        threads = [
            threading.Thread(target=award, args=(provider, f"thread-{each}")) for each in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with urlopen(f"{url}/sandbox/calls") as answer:  # noqa: S310 - our own sandbox
            calls = json.load(answer)

    assert Counter(call["status"] for call in calls) == {200: 1, 201: THREADS * CALLS}


def test_a_redis_that_is_emptied_on_the_way_lets_no_second_limit_out(redis_client: redis.Redis) -> None:
    options = SandboxOptions(rate_limit="20/5s", badgeclasses=[SeedBadgeClass(CLASS, "First", "issuer-1")])
    limits = {"academy": RateLimit(20, 5.0, deadline=1.0)}
    with running(options) as url:
        tokens = MemoryTokens()  # so that what is lost is the rate limit alone
        permits = RedisPermits(redis_client, limits, called_before=lambda _: bool(tokens.access(account)))
        password = Credentials(username="academy", password="any")
        account = password.account("academy", url)
        provider = BadgrProvider("academy", url, password, permits, tokens, 1.0)
        award(provider, "before", 14)
        redis_client.flushdb()
        award(provider, "after", 10)
        with urlopen(f"{url}/sandbox/calls") as answer:  # noqa: S310 - our own sandbox
            calls = json.load(answer)

    assert Counter(call["status"] for call in calls) == {200: 1, 201: 24}


def award(provider: BadgrProvider, name: str, calls: int = CALLS) -> None:
    made = 0
    while made < calls:
        grant = Grant(f"{name}-{made}@example.org", datetime(2026, 1, 31, tzinfo=UTC))
        try:
            provider.issue(CLASS, [grant], lambda: None)
        except TransientError:
            continue
        made += 1
