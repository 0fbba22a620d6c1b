"""Signing in: one token for each issuer, shared by all processes, renewed by one of them at a time."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

import structlog

from worker.adapters.badgr.calls import PERMIT_WAIT
from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.http import Answer, Request
from worker.adapters.tokens import Tokens, TokenStore
from worker.errors import LimiterUnavailable, NoAnswer, Refused, SignInRefused, Unreachable

if TYPE_CHECKING:
    from worker.adapters.badgr.calls import Calls

log = structlog.get_logger(__name__)

_SCOPE = "rw:profile rw:issuer rw:backpack"  # what the connector asks for (facts/badgr-api.md section 2)
_LASTS = 3600.0  # seconds that a token is believed to last when its sign-in does not say
_SECRETS = ("password", "refresh_token", "client_secret")
_SPARE = 0.9  # the part of its life for which a token is used
_LONGEST = 10 * 365 * 24 * 3600.0  # seconds; tokens of single issuers last a century
_REFUSED_FOR = 3600.0  # seconds for which a refused refresh token is not tried again
_POLL = 0.05
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an operator gave for one issuer; the first complete way of these is taken.

    1. `username` and `password` (with `client_id` and `client_secret`, if the application has them)
    2. `refresh_token` (likewise); each use replaces it, and the newest one is kept with the tokens
    3. `client_id` and `client_secret`
    4. `token`, ready-made: it cannot be renewed
    """

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)

    def form(self, newest_refresh_token: str | None) -> dict[str, str] | None:
        """Return what to post to sign in, or None if there is nothing but a ready-made token."""
        client = {"client_id": self.client_id or "", "client_secret": self.client_secret or ""}
        client = {name: value for name, value in client.items() if value}
        if self.username and self.password:
            # Without a client the service takes its own public one, which has these scopes anyway.
            scope = {"scope": _SCOPE} if client else {}
            who = {"username": self.username, "password": self.password}
            return {"grant_type": "password", **who, **client, **scope}
        if self.refresh_token:
            token = newest_refresh_token or self.refresh_token
            return {"grant_type": "refresh_token", "refresh_token": token, **client}
        if self.client_id and self.client_secret:
            return {"grant_type": "client_credentials", **client, "scope": "rw:issuer"}
        return None

    def account(self, issuer: str, base_url: str) -> str:
        """Return the name under which processes with these credentials share tokens.

        Another service or other credentials are another account, so no token goes where it does not
        belong and a new refresh token is used at once. A new password keeps the tokens that it has.
        """
        told = "\n".join(
            [base_url, *(each or "" for each in (self.username, self.refresh_token, self.client_id))]
        )
        return f"{issuer}:{hashlib.sha256(told.encode()).hexdigest()[:16]}"


class SignIn:
    """Access tokens of one issuer."""

    def __init__(
        self, calls: Calls, credentials: Credentials, base_url: str, store: TokenStore, seconds: float
    ) -> None:
        self._calls = calls
        self._credentials = credentials
        self._account = credentials.account(calls.issuer, base_url)
        self._store = store
        self._seconds = seconds
        self._lock_seconds = PERMIT_WAIT + seconds + 5

    def token(self) -> str:
        """Return a token, signing in if there is none.

        Raises SignInRefused, or a TransientError: nothing of what the token is for has happened yet.
        """
        if self._credentials.form(None) is None:
            return self._ready_made()
        return self._store.access(self._account) or self._renew(None)

    def renewed(self, rejected: str) -> str:
        """Return a token other than `rejected`, which the provider does not accept any more."""
        if self._credentials.form(None) is None:
            raise SignInRefused(
                f"issuer {self._calls.issuer}: its token is not accepted, and it cannot be renewed"
            )
        return self._renew(rejected)

    def _ready_made(self) -> str:
        if not self._credentials.token:
            raise SignInRefused(f"issuer {self._calls.issuer}: no credentials are set")
        if not _is_token(self._credentials.token):
            raise SignInRefused(f"issuer {self._calls.issuer}: its token has characters that no token has")
        return self._credentials.token

    def _renew(self, rejected: str | None) -> str:
        """Sign in, or wait for the process that is doing it."""
        give_up = (asked := time.monotonic()) + self._lock_seconds
        while (number := self._store.begin(self._account, self._lock_seconds)) is None:
            if current := self._other_than(rejected):
                return current
            if time.monotonic() > give_up:
                raise Unreachable(f"issuer {self._calls.issuer}: another process is still signing in")
            time.sleep(_POLL)
            asked = time.monotonic()
        return self._renew_as(number, rejected, asked + self._lock_seconds)

    def _renew_as(self, number: int, rejected: str | None, until: float) -> str:
        tokens: Tokens | None = None
        try:
            if current := self._other_than(rejected):
                return current
            tokens = self._sign_in(until)
            return tokens.access
        finally:
            self._finish(number, tokens)

    def _other_than(self, rejected: str | None) -> str | None:
        current = self._store.access(self._account)
        return None if current == rejected else current

    def _finish(self, number: int, tokens: Tokens | None) -> None:
        """Keep the tokens. A refresh token that got lost here would need a person to sign in again."""
        for pause in (0.2, 1.0, 3.0, 0.0):
            try:
                return self._store.finish(self._account, number, tokens)
            except LimiterUnavailable:
                if tokens is None:
                    return None  # the lock ends by itself
                time.sleep(pause)
        log.error("badgr.tokens_not_kept", issuer=self._calls.issuer)
        return None

    def _sign_in(self, until: float) -> Tokens:
        """Sign in while nobody else may: `until` is the end of our renewal, on the monotonic clock."""

        def still_ours() -> None:
            # A process that stood still meanwhile would use a refresh token that another one has used up.
            if time.monotonic() + self._seconds > until:
                raise Unreachable(f"issuer {self._calls.issuer}: no time left to sign in")

        form = self._form()
        try:
            answer = self._calls.send(Request("POST", "/o/token", form=form), before_send=still_ours)
        except NoAnswer as error:
            raise self._transient(error) from None
        if not went_well(answer):
            self._note_refusal(answer, form)
            secrets = [(form or {}).get(name) for name in _SECRETS]
            raise self._failure(answer.without(*secrets))
        log.info("badgr.signed_in", issuer=self._calls.issuer)
        return _tokens(answer)

    def _form(self) -> dict[str, str] | None:
        """Return what to post; raises SignInRefused for a refresh token that was refused just now.

        Trying it again would make everybody wait who signs in from this address (facts/badgr-api.md 1.11).
        """
        form = self._credentials.form(self._store.refresh(self._account))
        if (used := _refresh_token_in(form)) and used == self._store.refused(self._account):
            raise SignInRefused(
                f"issuer {self._calls.issuer}: the provider has refused its refresh token: a new one, please"
            )
        return form

    def _note_refusal(self, answer: Answer, form: dict[str, str] | None) -> None:
        body, used = answer.json(), _refresh_token_in(form)
        if used and isinstance(body, dict) and body.get("error") == "invalid_grant":
            self._store.refuse(self._account, used, _REFUSED_FOR)

    def _failure(self, answer: Answer) -> Exception:
        error = error_of(answer, "the sign-in")
        if isinstance(error, Refused):
            return SignInRefused(f"issuer {self._calls.issuer}: {error}")
        return self._transient(error) if isinstance(error, NoAnswer) else error

    def _transient(self, error: NoAnswer) -> Unreachable:
        """Whatever became of a sign-in, nothing of what it was wanted for has happened."""
        return Unreachable(f"sign-in of issuer {self._calls.issuer}: {error}")


def _refresh_token_in(form: dict[str, str] | None) -> str | None:
    """Return a hash of the refresh token that is to be used, if one is."""
    token = (form or {}).get("refresh_token")
    return hashlib.sha256(token.encode()).hexdigest() if token else None


def _tokens(answer: Answer) -> Tokens:
    found = answer.json()
    found = found if isinstance(found, dict) else {}
    access, refresh, lasts = (found.get(name) for name in ("access_token", "refresh_token", "expires_in"))
    if not _is_token(access):
        raise Unreachable("the sign-in was answered without a token")
    return Tokens(access, _seconds(lasts) * _SPARE, refresh if _is_token(refresh) else None)


def _is_token(value: Any) -> TypeGuard[str]:
    """Say whether it can be sent in a header at all."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _seconds(lasts: Any) -> float:
    """Return how long a token is said to last; its end is found out by a 401 in any case."""
    said = isinstance(lasts, int | float) and not isinstance(lasts, bool) and lasts > 0
    return float(min(lasts, _LONGEST)) if said else _LASTS
