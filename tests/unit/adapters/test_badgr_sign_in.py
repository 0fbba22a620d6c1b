"""Signing in, renewing, and what comes of it when it fails."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from tests.unit.adapters.wire import Wire, answers, hangs_up, response
from worker.adapters.badgr.calls import Calls
from worker.adapters.badgr.http import Http
from worker.adapters.badgr.sign_in import Credentials, SignIn
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens, RedisTokens, Tokens, TokenStore
from worker.errors import LimiterUnavailable, NoPermit, SignInRefused, Throttled, TransientError, Unreachable

if TYPE_CHECKING:
    import socket

    import redis

PASSWORD = Credentials(username="ann@example.org", password="s3cret-password")
REFRESH = Credentials(refresh_token="refresh-0")
CLIENT = Credentials(client_id="app", client_secret="s3cret-client")
READY_MADE = Credentials(token="ready-made")


def granted(access: str = "access-1", refresh: str | None = "refresh-1", expires_in: float = 86400) -> object:
    body = {"access_token": access, "expires_in": expires_in, "token_type": "Bearer", "scope": "rw:issuer"}
    return body if refresh is None else {**body, "refresh_token": refresh}


class Desk:
    """A sign-in at a scripted server, with its limiter and tokens at hand."""

    def __init__(self, wire: Wire, credentials: Credentials, store: TokenStore | None = None) -> None:
        self.permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
        self.store = store or MemoryTokens()
        calls = Calls("academy", Http(wire.url), self.permits, 10)
        self.sign_in = SignIn(calls, credentials, wire.url, self.store, 10)


def form(wire: Wire, number: int = 0) -> dict[str, str]:
    return dict(parse_qsl(wire.body(number)))


def test_a_password_signs_in() -> None:
    with Wire(answers(200, granted())).listening() as wire:
        token = Desk(wire, PASSWORD).sign_in.token()

    assert token == "access-1"
    assert wire.line() == "POST /o/token HTTP/1.1"
    assert form(wire) == {
        "grant_type": "password",
        "username": "ann@example.org",
        "password": "s3cret-password",
    }


def test_a_password_of_an_application_signs_in_with_what_it_may_do() -> None:
    both = Credentials(username="ann", password="s3cret", client_id="app", client_secret="key")

    with Wire(answers(200, granted())).listening() as wire:
        Desk(wire, both).sign_in.token()

    assert form(wire)["client_id"] == "app"
    assert form(wire)["client_secret"] == "key"
    assert "rw:issuer" in form(wire)["scope"].split()


def test_a_client_signs_in() -> None:
    with Wire(answers(200, granted(refresh=None))).listening() as wire:
        token = Desk(wire, CLIENT).sign_in.token()

    assert token == "access-1"
    assert form(wire) == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "s3cret-client",
        "scope": "rw:issuer",
    }


def test_a_ready_made_token_is_used_as_it_is() -> None:
    with Wire(answers(500)).listening() as wire:
        token = Desk(wire, READY_MADE).sign_in.token()

    assert token == "ready-made"
    assert wire.requests == []


def test_a_ready_made_token_that_is_not_accepted_cannot_be_renewed() -> None:
    with Wire(answers(500)).listening() as wire, pytest.raises(SignInRefused, match="academy"):
        Desk(wire, READY_MADE).sign_in.renewed("ready-made")


def test_an_issuer_without_credentials_cannot_sign_in() -> None:
    with Wire(answers(500)).listening() as wire, pytest.raises(SignInRefused, match="no credentials"):
        Desk(wire, Credentials()).sign_in.token()


def test_one_sign_in_serves_many_calls() -> None:
    with Wire(answers(200, granted())).listening() as wire:
        desk = Desk(wire, PASSWORD)
        tokens = {desk.sign_in.token() for _ in range(3)}

    assert tokens == {"access-1"}
    assert len(wire.requests) == 1


def test_every_sign_in_takes_a_permit() -> None:
    with Wire(answers(200, granted())).listening() as wire:
        desk = Desk(wire, PASSWORD)
        desk.sign_in.token()

    assert desk.permits.room("academy", 0) == 99


def test_each_refresh_uses_the_newest_refresh_token() -> None:
    scripts = [answers(200, granted(f"access-{n}", f"refresh-{n}")) for n in (1, 2)]

    with Wire(*scripts).listening() as wire:
        desk = Desk(wire, REFRESH)
        first = desk.sign_in.token()
        second = desk.sign_in.renewed(first)

    assert (first, second) == ("access-1", "access-2")
    assert form(wire, 0) == {"grant_type": "refresh_token", "refresh_token": "refresh-0"}
    assert form(wire, 1) == {"grant_type": "refresh_token", "refresh_token": "refresh-1"}


def test_another_process_goes_on_with_the_newest_refresh_token() -> None:
    now = 1000.0
    store = MemoryTokens(clock=lambda: now)

    with Wire(answers(200, granted(expires_in=100)), answers(200, granted("access-2"))).listening() as wire:
        Desk(wire, REFRESH, store).sign_in.token()
        now += 100
        Desk(wire, REFRESH, store).sign_in.token()

    assert form(wire, 1)["refresh_token"] == "refresh-1"


def test_a_refresh_token_that_the_operator_gave_anew_is_used_at_once() -> None:
    with Wire(answers(200, granted())).listening() as wire:
        store = MemoryTokens()
        Desk(wire, REFRESH, store).sign_in.token()
        Desk(wire, Credentials(refresh_token="refresh-new"), store).sign_in.token()

    assert form(wire, 1)["refresh_token"] == "refresh-new"


def test_no_token_goes_to_another_service() -> None:
    with (
        Wire(answers(200, granted("of-one"))).listening() as one,
        Wire(answers(200, granted("of-another"))).listening() as another,
    ):
        store = MemoryTokens()
        Desk(one, PASSWORD, store).sign_in.token()
        token = Desk(another, PASSWORD, store).sign_in.token()

    assert token == "of-another"


def test_a_token_is_not_used_to_the_end_of_its_life() -> None:
    now = 1000.0
    store = MemoryTokens(clock=lambda: now)

    with Wire(answers(200, granted(expires_in=100)), answers(200, granted("access-2"))).listening() as wire:
        desk = Desk(wire, PASSWORD, store)
        desk.sign_in.token()
        now += 95

        assert desk.sign_in.token() == "access-2"


def test_who_renews_first_renews_for_all() -> None:
    with Wire(answers(200, granted())).listening() as wire:
        desk = Desk(wire, PASSWORD)
        desk.sign_in.token()
        number = desk.store.begin(desk.sign_in._account, 60)
        assert number is not None
        desk.store.finish(desk.sign_in._account, number, Tokens("of-another", 60))

        assert desk.sign_in.renewed("access-1") == "of-another"

    assert len(wire.requests) == 1


def test_many_threads_sign_in_once() -> None:
    entered = threading.Barrier(8)
    found: list[str] = []

    def slowly(connection: socket.socket) -> None:
        connection.sendall(response(200, granted()))

    with Wire(slowly, answers(500)).listening() as wire:
        desk = Desk(wire, PASSWORD)

        def ask() -> None:
            entered.wait()
            found.append(desk.sign_in.token())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == ["access-1"] * 8
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "Invalid credentials given."},
            "Invalid credentials",
        ),
        (400, {"error": "invalid_grant"}, "invalid_grant"),
        (401, {"error": "invalid_client"}, "invalid_client"),
        (404, "<h1>Not found</h1>", "url"),
    ],
)
def test_credentials_that_are_refused_need_a_person(status: int, body: object, words: str) -> None:
    with Wire(answers(status, body)).listening() as wire, pytest.raises(SignInRefused, match=words) as caught:
        Desk(wire, PASSWORD).sign_in.token()

    assert "s3cret" not in str(caught.value)
    assert "ann" not in str(caught.value)


def test_a_throttled_sign_in_stops_the_issuer_as_long_as_it_says() -> None:
    body = {
        "error_description": "Too many login attempts.",
        "error": "login attempts throttled",
        "expires": 64,
    }

    with Wire(answers(429, body, {"Content-Type": "text/html"})).listening() as wire:
        desk = Desk(wire, PASSWORD)
        with pytest.raises(Throttled) as caught:
            desk.sign_in.token()
        with pytest.raises(NoPermit) as stopped:
            desk.sign_in.token()

    assert caught.value.wait == 64
    assert 50 < stopped.value.wait <= 64
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("credentials", "secret"),
    [
        (PASSWORD, "s3cret-password"),
        (Credentials(username="ann", password='s3"cr3t ä'), "cr3t"),
        (REFRESH, "refresh-0"),
        (CLIENT, "s3cret-client"),
    ],
    ids=["password", "odd-password", "refresh-token", "client"],
)
def test_a_service_that_repeats_what_it_refuses_is_not_quoted(credentials: Credentials, secret: str) -> None:
    said = credentials.password or secret
    told = {"error": "invalid_grant", "error_description": f"{said} is not right"}

    with Wire(answers(400, told)).listening() as wire, pytest.raises(SignInRefused) as caught:
        Desk(wire, credentials).sign_in.token()

    assert secret not in str(caught.value)
    assert "<secret> is not right" in str(caught.value)


@pytest.mark.parametrize(
    "script",
    [
        answers(500, "<h1>Server Error</h1>"),
        answers(302),
        hangs_up,
        answers(200, "<p>no token</p>"),
        answers(200, {}),
        answers(200, ["access_token"]),
        answers(200, {"access_token": "in two\nlines"}),
        answers(200, {"access_token": "schlüssel"}),
        answers(200, {"access_token": {"token": "x"}}),
    ],
    ids=["500", "redirect", "cut", "html", "no-token", "list", "lines", "not-ascii", "object"],
)
def test_a_sign_in_that_fails_otherwise_is_tried_again_later(script: object) -> None:
    with Wire(script).listening() as wire:  # type: ignore[arg-type]  # the table mixes kinds of scripts
        desk = Desk(wire, PASSWORD)
        with pytest.raises(TransientError):
            desk.sign_in.token()

        assert desk.store.begin(desk.sign_in._account, 60) is not None


@pytest.mark.parametrize(
    "lasts",
    ["NaN", "1e400", "1" + "0" * 400, "0", "-5", "true", '"86400"', "null", "[]"],
    ids=lambda each: each[:6],
)
def test_whatever_the_life_of_a_token_is_said_to_be_it_is_used(redis_client: redis.Redis, lasts: str) -> None:
    body = b'{"access_token": "access-1", "expires_in": ' + lasts.encode() + b"}"

    with Wire(answers(200, body), answers(500)).listening() as wire:
        desk = Desk(wire, PASSWORD, RedisTokens(redis_client))
        tokens = {desk.sign_in.token() for _ in range(3)}

    assert tokens == {"access-1"}
    assert len(wire.requests) == 1


def test_a_refresh_token_that_was_refused_is_not_tried_again_for_an_hour() -> None:
    now = 1000.0
    store = MemoryTokens(clock=lambda: now)
    refused = answers(400, {"error": "invalid_grant"})

    with Wire(refused, answers(200, granted())).listening() as wire:
        for _ in range(3):
            with pytest.raises(SignInRefused):
                Desk(wire, REFRESH, store).sign_in.token()
        asked = len(wire.requests)
        now += 3600
        token = Desk(wire, REFRESH, store).sign_in.token()

    assert asked == 1
    assert token == "access-1"


def test_a_new_refresh_token_is_tried_though_the_old_one_was_refused() -> None:
    store = MemoryTokens()

    with Wire(answers(400, {"error": "invalid_grant"}), answers(200, granted())).listening() as wire:
        with pytest.raises(SignInRefused):
            Desk(wire, REFRESH, store).sign_in.token()

        assert Desk(wire, Credentials(refresh_token="refresh-new"), store).sign_in.token() == "access-1"


def test_a_process_that_stood_still_does_not_use_a_refresh_token_that_may_be_used_up() -> None:
    late = [0.0]

    class Slow(MemoryTokens):
        def refresh(self, account: str) -> str | None:
            late[0] = 60.0  # until long after the renewal was another's
            return super().refresh(account)

    began = time.monotonic()
    with Wire(answers(200, granted())).listening() as wire, pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.adapters.badgr.sign_in.time.monotonic", lambda: began + late[0])
        desk = Desk(wire, REFRESH, Slow())

        with pytest.raises(Unreachable, match="no time left"):
            desk.sign_in.token()

    assert wire.requests == []
    assert desk.permits.room("academy", 0) == 100


def test_a_ready_made_token_that_cannot_be_sent_needs_a_person() -> None:
    with Wire(answers(500)).listening() as wire, pytest.raises(SignInRefused) as caught:
        Desk(wire, Credentials(token="schlüssel")).sign_in.token()

    assert "schlüssel" not in str(caught.value)
    assert wire.requests == []


def test_a_renewal_that_another_process_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with Wire(answers(200, granted())).listening() as wire:
        desk = Desk(wire, PASSWORD)
        desk.store.begin(desk.sign_in._account, 60)
        monkeypatch.setattr(desk.sign_in, "_lock_seconds", 0.1)

        with pytest.raises(Unreachable, match="another process"):
            desk.sign_in.token()

    assert wire.requests == []


def test_who_waited_for_a_renewal_whose_process_died_renews() -> None:
    with Wire(answers(200, granted())).listening() as wire:
        desk = Desk(wire, REFRESH)
        desk.store.begin(desk.sign_in._account, 0.2)  # and nothing is ever heard of it

        token = desk.sign_in.token()

    assert token == "access-1"
    assert len(wire.requests) == 1


class Forgetful(MemoryTokens):
    """Cannot be reached for the first `failures` times that a renewal ends."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def finish(self, account: str, number: int, tokens: Tokens | None) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise LimiterUnavailable("gone")
        super().finish(account, number, tokens)


def test_new_tokens_are_kept_even_if_the_store_is_away_for_a_moment() -> None:
    store = Forgetful(failures=1)

    with Wire(answers(200, granted())).listening() as wire:
        desk = Desk(wire, REFRESH, store)
        desk.sign_in.token()

    assert store.refresh(desk.sign_in._account) == "refresh-1"


def test_a_store_that_stays_away_does_not_hide_why_the_sign_in_failed() -> None:
    with Wire(answers(400, {"error": "invalid_grant"})).listening() as wire, pytest.raises(SignInRefused):
        Desk(wire, REFRESH, Forgetful(failures=9)).sign_in.token()


def test_credentials_do_not_show() -> None:
    secret = Credentials("user-1", "password-1", "token-1", "refresh-1", "client-1", "secret-1")

    assert not any(word in repr(secret) for word in ("user-1", "-1", "refresh-1"))
    assert "password-1" not in secret.account("academy", "https://badgr.test")
