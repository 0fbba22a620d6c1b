"""Who may do what over HTTP: bearer tokens that are listed by their hash, or signed ones.

The settings stand in contract.md section 2.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum

from anyio import CapacityLimiter, to_thread

from worker.adapters.database.history import WORKER
from worker.awards import OPERATOR
from worker.errors import ConfigurationError
from worker.settings import PREFIX, Settings
from worker.web.signed_tokens import SignedTokens

_VARIABLE = f"{PREFIX}API_TOKENS"
_SHAPE = "name:role[+role]:sha256 of the token in hex, please"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_TAKEN = {WORKER, OPERATOR}  # who did it in an award's history, where nobody signed in by name
_OF_NOTHING = hashlib.sha256(b"").hexdigest()
_LONGEST = 8192  # characters of a header that is looked at
_LOOKS = 4  # threads that may wait for the keys of signed tokens: one asks, and the others for what it finds


class Role(StrEnum):
    """What a token is good for. None of them implies another: one token may have several."""

    PUBLISH = "publish"  # send events in
    READ = "read"  # ask who has which badge; the scope AUTHENTICATED
    ADMIN = "admin"  # the admin page


# The scopes of signed tokens. ADMINISTRATOR is none of them: that is the context user's own.
_SCOPES = {"AUTHENTICATED": Role.READ, "publish": Role.PUBLISH, "admin": Role.ADMIN}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it was: the name that the operator gave it, or one made from a signed token's subject."""

    name: str
    roles: frozenset[str]

    def may(self, role: str) -> bool:
        """Return whether the token has this role."""
        return role in self.roles


class Access:
    """The door: turns the header `Authorization` into a caller. Without any setting nobody comes in.

    Raises ConfigurationError when the settings cannot be used. Any number of threads may ask.
    """

    def __init__(self, settings: Settings) -> None:
        listed = settings.api_tokens.get_secret_value() if settings.api_tokens else ""
        self._listed = _parse(listed)
        self._signed = SignedTokens.of(settings)
        self._looks = CapacityLimiter(_LOOKS)

    @property
    def is_open(self) -> bool:
        """Return whether there is any token that could come in."""
        return bool(self._listed) or self._signed is not None

    def caller(self, authorization_header: str | None) -> Caller | None:
        """Return whose token the header holds; None if it is missing, bad or expired.

        May wait some seconds for the keys of signed tokens: in a coroutine, ask `caller_soon`. Raises
        KeysUnavailable when those cannot be had.
        """
        token = _bearer(authorization_header)
        if token is None:
            return None
        return self._listed_caller(token) or self._signed_caller(token)

    async def caller_soon(self, authorization_header: str | None) -> Caller | None:
        """Return what `caller` returns, without keeping other requests waiting."""
        token = _bearer(authorization_header)
        if token is None:
            return None
        if (caller := self._listed_caller(token)) is not None or self._signed is None:
            return caller
        if not self._signed.needs_a_look(token):
            return self._signed_caller(token)
        return await to_thread.run_sync(self._signed_caller, token, limiter=self._looks)

    def _listed_caller(self, token: str) -> Caller | None:
        """Compare with every listed hash to its end: the time it takes says nothing of any of them."""
        presented = hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
        found = None
        for digest, caller in self._listed:
            if hmac.compare_digest(digest, presented):
                found = caller
        return found

    def _signed_caller(self, token: str) -> Caller | None:
        signed = self._signed.verified(token) if self._signed else None
        if signed is None:
            return None
        roles = frozenset[str](_SCOPES[scope] for scope in signed.scopes if scope in _SCOPES)
        return Caller(signed.name, roles)


def _bearer(header: str | None) -> str | None:
    """Return the token of a header; of what is no bearer token, None."""
    if header is None or len(header) > _LONGEST:
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token and " " not in token else None


def _parse(listed: str) -> list[tuple[str, Caller]]:
    """Return hash and caller of each entry. Texts of errors hold nothing of the list: it may be a token."""
    found: dict[str, Caller] = {}
    for number, entry in enumerate(filter(None, (each.strip() for each in listed.split(","))), 1):
        digest, caller = _entry(entry, f"{_VARIABLE}: entry {number}")
        if digest in found:
            raise ConfigurationError(f"{_VARIABLE}: entry {number}: the same token as an entry before it")
        found[digest] = caller
    return list(found.items())


def _entry(entry: str, where: str) -> tuple[str, Caller]:
    parts = [part.strip() for part in entry.split(":")]
    if len(parts) != len(("name", "roles", "hash")):
        raise ConfigurationError(f"{where}: {_SHAPE}")
    name, roles, digest = parts[0], {role.strip() for role in parts[1].split("+")}, parts[2].lower()
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{where}: a name is letters, digits, `.`, `_`, `-`, at most 64; {_SHAPE}")
    if not roles <= set(Role):
        raise ConfigurationError(f"{where}: the roles are {', '.join(Role)}, joined by `+`; {_SHAPE}")
    if Role.ADMIN in roles and name.lower() in _TAKEN:
        raise ConfigurationError(
            f"{where}: `{name.lower()}` is what histories call this system itself; name who the token is for"
        )
    if not _HASH.fullmatch(digest):
        raise ConfigurationError(f"{where}: no 64 hex digits (is it the token itself?); {_SHAPE}")
    if digest == _OF_NOTHING:
        raise ConfigurationError(f"{where}: that is the hash of an empty token; {_SHAPE}")
    return digest, Caller(name, frozenset(roles))
