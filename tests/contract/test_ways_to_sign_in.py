"""Each way to sign in, with the real client at the Badgr sandbox; tokens run out on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.tokens import RedisTokens
from worker.awards import Assertion, Grant
from worker.errors import SignInRefused
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

CLASS = "class-1"
LIMITS = {"academy": RateLimit(1000, 60, deadline=30)}


@pytest.fixture
def url() -> Iterator[str]:
    classes = [SeedBadgeClass(CLASS, "First steps", "issuer-1")]
    options = SandboxOptions(rate_limit=None, badgeclasses=classes, tokens={"ready-made": "somebody"})
    with running(options) as found:
        yield found


def ask(url: str, body: bytes, kind: str) -> Any:
    headers = {"Accept": "application/json", "Content-Type": kind}
    with urlopen(Request(url, body, headers)) as answer:  # noqa: S310 - our own sandbox
        return json.load(answer)


def fault(url: str, **rule: object) -> None:
    ask(f"{url}/sandbox/faults", json.dumps({"times": 1, **rule}).encode(), "application/json")


def refresh_token(url: str) -> str:
    form = b"username=somebody&password=any"
    token: str = ask(f"{url}/o/token", form, "application/x-www-form-urlencoded")["refresh_token"]
    return token


WAYS: dict[str, Callable[[str], Credentials]] = {
    "password": lambda _: Credentials(username="somebody", password="any"),
    "password-of-an-application": lambda _: Credentials(
        username="somebody", password="any", client_id="app", client_secret="any"
    ),
    "refresh-token": lambda url: Credentials(refresh_token=refresh_token(url)),
    "client": lambda _: Credentials(client_id="app", client_secret="any"),
}


def provider(url: str, credentials: Credentials, client: redis.Redis) -> BadgrProvider:
    return BadgrProvider("academy", url, credentials, RedisPermits(client, LIMITS), RedisTokens(client), 30)


def award(academy: BadgrProvider, name: str) -> Assertion:
    grant = Grant(f"{name}@example.org", datetime(2026, 1, 31, tzinfo=UTC))
    (made,) = academy.issue(CLASS, [grant], lambda: None)
    assert isinstance(made, Assertion)
    return made


@pytest.mark.parametrize("way", WAYS)
def test_awards_are_made_although_tokens_run_out(url: str, redis_client: redis.Redis, way: str) -> None:
    academy = provider(url, WAYS[way](url), redis_client)

    made = [award(academy, "ann")]
    for name in ("bob", "cid"):
        fault(url, fault="expire_tokens", path="^/v2/")
        made.append(award(academy, name))

    assert len({each.assertion_id for each in made}) == 3


def test_a_ready_made_token_awards_until_it_runs_out(url: str, redis_client: redis.Redis) -> None:
    academy = provider(url, Credentials(token="ready-made"), redis_client)

    made = award(academy, "ann")
    fault(url, fault="expire_tokens", path="^/v2/")

    assert made.recipient == "ann@example.org"
    with pytest.raises(SignInRefused):
        award(academy, "bob")


def test_a_refresh_token_that_was_used_up_elsewhere_is_tried_once(
    url: str, redis_client: redis.Redis
) -> None:
    spent = refresh_token(url)
    award(provider(url, Credentials(refresh_token=spent), redis_client), "ann")
    redis_client.flushdb()  # and with it the refresh token that took its place
    academy = provider(url, Credentials(refresh_token=spent), redis_client)

    for _ in range(3):
        with pytest.raises(SignInRefused):
            award(academy, "bob")

    with urlopen(f"{url}/sandbox/calls") as answer:  # noqa: S310 - our own sandbox
        sign_ins = [call["status"] for call in json.load(answer) if call["path"] == "/o/token"]
    assert sign_ins == [200, 200, 400]
