"""Who comes in: tokens listed by their hash, and signed ones with the keys of their issuer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from worker.errors import ConfigurationError, KeysUnavailable
from worker.settings import Settings
from worker.web import access, signed_tokens
from worker.web.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN, OTHER = "a-token", "another-token"
ISSUER, AUDIENCE = "https://login.example.org/", "badge-worker"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def listed(*entries: str) -> Access:
    return Access(Settings(api_tokens=",".join(entries)))


class TestListedTokens:
    def test_one_that_is_listed_comes_in_with_its_roles(self) -> None:
        door = listed(f"lms:publish:{digest(TOKEN)}", f" portal : read+admin : {digest(OTHER).upper()} ")

        lms, portal = door.caller(f"Bearer {TOKEN}"), door.caller(f"bearer  {OTHER}")

        assert lms
        assert portal
        assert (lms.name, sorted(lms.roles)) == ("lms", ["publish"])
        assert (portal.name, sorted(portal.roles)) == ("portal", ["admin", "read"])
        assert (portal.may("read"), portal.may("publish")) == (True, False)

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(None, id="none"),
            pytest.param("", id="empty"),
            pytest.param(TOKEN, id="no-scheme"),
            pytest.param(f"Basic {TOKEN}", id="another-scheme"),
            pytest.param("Bearer ", id="no-token"),
            pytest.param(f"Bearer {OTHER}", id="unknown"),
            pytest.param(f"Bearer {TOKEN} {TOKEN}", id="two"),
            pytest.param(f"Bearer {digest(TOKEN)}", id="its-hash"),
            pytest.param(f"Bearer {'x' * 9000}", id="long"),
            pytest.param("Bearer \xff\u20ac", id="not-ascii"),
        ],
    )
    def test_nothing_else_does(self, header: str | None) -> None:
        assert listed(f"lms:publish:{digest(TOKEN)}").caller(header) is None

    def test_names_are_kept_for_us_only_where_they_would_stand_in_a_history(self) -> None:
        caller = listed(f"worker:publish+read:{digest(TOKEN)}").caller(f"Bearer {TOKEN}")

        assert caller
        assert caller.name == "worker"

    def test_without_any_nobody_does(self) -> None:
        door = Access(Settings())

        assert not door.is_open
        assert door.caller(f"Bearer {TOKEN}") is None

    def test_every_hash_is_compared_in_constant_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[str] = []

        def compare(ours: str, theirs: str) -> bool:
            compared.append(ours)
            return hmac.compare_digest(ours, theirs)

        door = listed(f"first:read:{digest(TOKEN)}", f"second:read:{digest(OTHER)}")
        monkeypatch.setattr(access, "hmac", SimpleNamespace(compare_digest=compare))

        door.caller(f"Bearer {TOKEN}")

        assert compared == [digest(TOKEN), digest(OTHER)]

    @pytest.mark.parametrize(
        ("entry", "says"),
        [
            pytest.param("lms", "name:role[+role]:sha256", id="a-name"),
            pytest.param(f"lms:publish:{TOKEN}", "is it the token itself?", id="the-token-itself"),
            pytest.param(
                f"lms:write:{digest(TOKEN)}", "the roles are publish, read, admin", id="no-such-role"
            ),
            pytest.param(f"lms::{digest(TOKEN)}", "the roles are", id="no-role"),
            pytest.param(f"l m s:read:{digest(TOKEN)}", "a name is letters", id="a-name-with-blanks"),
            pytest.param(f"operator:admin:{digest(TOKEN)}", "`operator` is what", id="nobody-in-particular"),
            pytest.param(f"Worker:read+admin:{digest(TOKEN)}", "`worker` is what", id="as-if-it-were-us"),
            pytest.param(f"lms:read:{digest('')}", "the hash of an empty token", id="the-hash-of-nothing"),
            pytest.param(f"a:read:{digest(TOKEN)},b:read:{digest(TOKEN)}", "entry 2: the same", id="twice"),
        ],
    )
    def test_a_list_that_cannot_be_used_is_refused_without_showing_it(self, entry: str, says: str) -> None:
        with pytest.raises(ConfigurationError) as refused:
            listed(entry)

        assert str(refused.value).startswith("BADGE_WORKER_API_TOKENS: entry ")
        assert says in str(refused.value)
        assert TOKEN not in str(refused.value)
        assert digest(TOKEN) not in str(refused.value)


KEY = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def published() -> bytes:
    rsa_key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    ec_key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(CURVE.public_key()))
    return json.dumps({"keys": [rsa_key | {"kid": "rsa", "use": "sig"}, ec_key | {"kid": "ec"}]}).encode()


class Issuer:
    """Publishes keys, as long as it is told to, and counts who asks."""

    def __init__(self) -> None:
        self.asked, self.body, self.status = 0, published(), 200
        self.begun, self.let = threading.Event(), threading.Event()
        self.let.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                if not issuer.let.is_set():
                    issuer.begun.set()
                    issuer.let.wait(30)
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(issuer.body)))
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # http.server's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"

    @contextmanager
    def running(self) -> Iterator[Issuer]:
        thread = threading.Thread(target=self.server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as issuer:
        yield issuer


def door_of(url: str) -> Access:
    return Access(Settings(api_jwks_url=url, api_jwt_issuer=ISSUER, api_jwt_audience=AUDIENCE))


def signed(kid: str | None = "rsa", algorithm: str = "RS256", key: Any = KEY, **claims: Any) -> str:
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada@example.org", "exp": time.time() + 60}
    body |= {"scope": "AUTHENTICATED"} | claims
    kept = {name: value for name, value in body.items() if value is not None}
    return f"Bearer {jwt.encode(kept, key, algorithm, headers={'kid': kid} if kid else None)}"


def by_hand(header: dict[str, Any], payload: bytes, key: bytes) -> str:
    """Return a token that no library would make."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (json.dumps(header).encode(), payload)]
    mac = hmac.new(key, b".".join(parts), "sha256").digest()
    return f"Bearer {b'.'.join([*parts, base64.urlsafe_b64encode(mac).rstrip(b'=')]).decode()}"


class TestSignedTokens:
    @pytest.mark.parametrize(
        ("scope", "roles"),
        [
            pytest.param("AUTHENTICATED", ["read"], id="reads"),
            pytest.param("openid publish AUTHENTICATED", ["publish", "read"], id="several"),
            pytest.param(["admin", 7], ["admin"], id="a-list"),
            pytest.param("ADMINISTRATOR authenticated", [], id="not-ours"),
            pytest.param(None, [], id="none"),
        ],
    )
    def test_scopes_become_roles(self, issuer: Issuer, scope: Any, roles: list[str]) -> None:
        caller = door_of(issuer.url).caller(signed(scope=scope))

        assert caller
        assert sorted(caller.roles) == roles

    def test_a_name_stays_the_same_and_shows_nobody(self, issuer: Issuer) -> None:
        door = door_of(issuer.url)

        first, again = door.caller(signed()), door.caller(signed("ec", "ES256", CURVE))

        assert first
        assert again
        assert first.name == again.name
        assert first.name.startswith("jwt-")
        assert "ada" not in first.name

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(signed(exp=time.time() - 1), id="expired"),
            pytest.param(signed(exp=None), id="never-expires"),
            pytest.param(signed(nbf=time.time() + 60), id="not-yet"),
            pytest.param(signed(iss="https://elsewhere.example.org/"), id="of-another-issuer"),
            pytest.param(signed(aud="another-service"), id="for-another-audience"),
            pytest.param(signed(aud=None), id="for-no-audience"),
            pytest.param(signed(sub=None), id="of-nobody"),
            pytest.param(signed(key=rsa.generate_private_key(65537, 2048)), id="by-another-key"),
            pytest.param(signed("unknown"), id="by-an-unknown-key"),
            pytest.param(signed(None), id="by-no-key-in-particular"),
            pytest.param(signed("ec"), id="by-the-wrong-kind-of-key"),
            pytest.param(
                by_hand({"alg": "HS256", "kid": "rsa"}, b"{}", published()), id="public-key-as-secret"
            ),
            pytest.param(by_hand({"alg": "none", "kid": "rsa"}, b"{}", b""), id="unsigned"),
            pytest.param("Bearer a.b.c", id="no-token"),
            pytest.param("Bearer " + "W" * 8000 + ".e30.e30", id="a-long-header"),
            pytest.param(
                f"Bearer {base64.urlsafe_b64encode(b'[' * 5000).decode()}.e30.e30", id="a-deep-header"
            ),
        ],
    )
    def test_what_does_not_hold_is_nobodys(self, issuer: Issuer, header: str) -> None:
        assert door_of(issuer.url).caller(header) is None

    def test_keys_are_asked_for_once_and_not_for_every_name_that_somebody_makes_up(
        self, issuer: Issuer
    ) -> None:
        door = door_of(issuer.url)

        for number in range(5):
            door.caller(signed())
            door.caller(signed(f"made-up-{number}"))

        assert issuer.asked == 1

    def test_a_name_that_is_made_up_while_the_issuer_fails_keeps_nobody_else_out(
        self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signed_tokens, "_BETWEEN", 0.0)
        door = door_of(issuer.url)
        door.caller(signed())
        issuer.status = 500

        with pytest.raises(KeysUnavailable):
            door.caller(signed("made-up"))

        assert door.caller(signed())

    def test_a_good_token_does_not_wait_for_a_look_after_a_made_up_one(
        self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signed_tokens, "_BETWEEN", 0.0)
        door = door_of(issuer.url)
        door.caller(signed())
        issuer.let.clear()
        looks = threading.Thread(target=door.caller, args=[signed("made-up")])
        looks.start()
        assert issuer.begun.wait(30)

        inside = anyio.run(door.caller_soon, signed())
        still_looking = looks.is_alive()
        issuer.let.set()
        looks.join()

        assert inside
        assert still_looking

    def test_old_keys_are_believed_for_a_while_in_need(
        self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        door = door_of(issuer.url)
        door.caller(signed())
        issuer.status = 500

        monkeypatch.setattr(signed_tokens, "_KEPT", 0.0)
        inside = [door.caller(signed()) for _ in range(3)]
        asked = issuer.asked
        monkeypatch.setattr(signed_tokens, "_KEPT_IN_NEED", 0.0)

        assert all(inside)
        assert asked == 2
        with pytest.raises(KeysUnavailable):
            door.caller(signed())

    def test_a_new_key_is_found(self, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(signed_tokens, "_BETWEEN", 0.0)
        door = door_of(issuer.url)
        door.caller(signed())

        issuer.body = published().replace(b'"rsa"', b'"new"')

        assert door.caller(signed("new"))
        assert door.caller(signed("rsa")) is None

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            pytest.param(500, b"", id="an-error"),
            pytest.param(200, b"<html>", id="no-json"),
            pytest.param(200, b'{"keys": []}', id="no-keys"),
        ],
    )
    def test_an_issuer_that_fails_is_not_a_refusal_and_not_asked_for_every_request(
        self, issuer: Issuer, status: int, body: bytes
    ) -> None:
        issuer.status, issuer.body = status, body
        door = door_of(issuer.url)

        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                door.caller(signed())

        assert issuer.asked == 1

    def test_an_issuer_out_of_reach_does_not_keep_listed_tokens_out(self) -> None:
        url = "http://127.0.0.1:1/keys"
        given = {"api_jwks_url": url, "api_jwt_issuer": ISSUER, "api_jwt_audience": AUDIENCE}
        door = Access(Settings(api_tokens=f"lms:publish:{digest(TOKEN)}", **given))

        with pytest.raises(KeysUnavailable):
            door.caller(signed())

        assert door.caller(f"Bearer {TOKEN}")

    @pytest.mark.parametrize(
        ("given", "names"),
        [
            pytest.param({"api_jwks_url": "https://a.example/"}, "API_JWT_ISSUER", id="only-the-keys"),
            pytest.param({"api_jwt_issuer": ISSUER, "api_jwt_audience": "b"}, "API_JWKS_URL", id="no-keys"),
            pytest.param(
                {"api_jwks_url": "file:///etc/passwd", "api_jwt_issuer": ISSUER, "api_jwt_audience": "b"},
                "API_JWKS_URL",
                id="keys-in-a-file",
            ),
        ],
    )
    def test_settings_that_cannot_be_used_are_refused_by_name(
        self, given: dict[str, str], names: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"^BADGE_WORKER_{names}: "):
            Access(Settings.model_validate(given))
