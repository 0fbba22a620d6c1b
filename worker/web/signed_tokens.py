"""Signed bearer tokens (JWTs), checked with the keys that their issuer publishes (JWKS)."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import jwt
import structlog

from worker.errors import ConfigurationError, KeysUnavailable
from worker.settings import PREFIX, Settings

log = structlog.get_logger(__name__)

# Those by which only the issuer can sign: no `none`, and no HS… that would take a public key for a secret.
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
]
_KEPT = 300.0  # seconds that the issuer's keys are believed
_KEPT_IN_NEED = 900.0  # seconds that they are believed while it cannot be reached
_BETWEEN = 30.0  # seconds between two looks for keys that are not known: anybody can name some
_AFTER_FAILURE = 5.0  # seconds without a look for keys that are needed after one that failed
_TIMEOUT = 5.0  # seconds for one look
_VARIABLES = ("API_JWKS_URL", "API_JWT_ISSUER", "API_JWT_AUDIENCE")


@dataclass(frozen=True, slots=True)
class Signed:
    """A token that holds: a name for who it is of, and the scopes that it grants."""

    name: str
    scopes: frozenset[str]


class SignedTokens:
    """Checks tokens of one issuer, made for one audience. Any number of threads may ask.

    A token by a key that is at hand waits for nobody: neither for a look for a key that somebody made up, nor
    for what became of that look.
    """

    def __init__(self, url: str, issuer: str, audience: str) -> None:
        self._issuer, self._audience = issuer, audience
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT)
        self._lock = threading.Lock()  # of whoever looks
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = float("-inf")
        self._next_look = self._next_unknown_look = float("-inf")
        self._failed_for_unknown = False

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return what checks signed tokens, or None without settings for them; raises ConfigurationError."""
        url, issuer, audience = values = [getattr(settings, name.lower()) for name in _VARIABLES]
        missing = [PREFIX + name for name, value in zip(_VARIABLES, values, strict=True) if not value]
        if len(missing) == len(_VARIABLES):
            return None
        if missing:
            needed = ", ".join(PREFIX + name for name in _VARIABLES)
            raise ConfigurationError(f"{missing[0]}: missing; signed tokens need all of {needed}")
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ConfigurationError(
                f"{PREFIX}API_JWKS_URL: the https:// address of the token issuer's key set, please"
            )
        return cls(url, issuer, audience)

    def verified(self, token: str) -> Signed | None:
        """Return what the token says, or None if it does not hold; raises KeysUnavailable."""
        try:
            key = self._key(jwt.get_unverified_header(token))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                # When it was made does not matter, and clocks differ; when it ends does.
                options={"require": ["exp", "iss", "aud", "sub"], "verify_iat": False},
            )
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, ValueError, RecursionError) as error:
            log.debug("token.refused", reason=type(error).__name__)
            return None
        return Signed(_name(claims), _scopes(claims.get("scope")))

    def needs_a_look(self, token: str) -> bool:
        """Return whether `verified` may have to ask the issuer first, which takes seconds."""
        try:
            kid = _kid(jwt.get_unverified_header(token))
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            return False
        return kid is not None and self._at_hand(kid) is None

    def _key(self, header: dict[str, Any]) -> jwt.PyJWK | None:
        """Return the key that the token names. An issuer out of reach is not asked for every request."""
        kid = _kid(header)
        if kid is None:
            return None
        if (key := self._at_hand(kid)) is not None:
            return key
        with self._lock:
            return self._at_hand(kid) or self._looked_for(kid)

    def _at_hand(self, kid: str) -> jwt.PyJWK | None:
        """Return a key that is believed now: an old one only until the next look, after one that failed."""
        now, looked = time.monotonic(), self._read_at
        in_need = now < min(self._next_look, looked + _KEPT_IN_NEED)
        return self._keys.get(kid) if now < looked + _KEPT or in_need else None

    def _looked_for(self, kid: str) -> jwt.PyJWK | None:
        """Look for keys, or say what became of the last look; what was not known touches no other."""
        now = time.monotonic()
        if now < self._read_at + _KEPT:
            return self._looked_for_unknown(kid, now)
        if now < self._next_look:
            raise KeysUnavailable("the keys of signed tokens could not be had a moment ago")
        try:
            self._look()
        except KeysUnavailable:
            self._next_look = time.monotonic() + _AFTER_FAILURE
            if (key := self._at_hand(kid)) is None:
                raise
            return key
        return self._keys.get(kid)

    def _looked_for_unknown(self, kid: str, now: float) -> jwt.PyJWK | None:
        if now < self._next_unknown_look:
            if self._failed_for_unknown:  # it may be a new one
                raise KeysUnavailable("a new key of signed tokens could not be had a moment ago")
            return None
        self._next_unknown_look, self._failed_for_unknown = now + _BETWEEN, True
        self._look()
        return self._keys.get(kid)

    def _look(self) -> None:
        """Ask the issuer; raises KeysUnavailable."""
        try:
            found = self._client.get_signing_keys(refresh=True)
        except (jwt.PyJWTError, ValueError, OSError, RecursionError) as error:
            log.warning("token.keys_unavailable", error=type(error).__name__, reason=str(error))
            raise KeysUnavailable("the keys of signed tokens cannot be had from their issuer") from None
        self._keys = {key.key_id: key for key in reversed(found) if key.key_id}
        self._read_at = time.monotonic()
        self._next_unknown_look, self._failed_for_unknown = self._read_at + _BETWEEN, False


def _kid(header: dict[str, Any]) -> str | None:
    """Return the name of the key, if the token is of a kind that is looked at."""
    kid = header.get("kid")
    return kid if header.get("alg") in ALGORITHMS and isinstance(kid, str) else None


def _name(claims: dict[str, Any]) -> str:
    """Return a name that stays the same and shows nobody: a subject may well be an address."""
    return f"jwt-{hashlib.sha256(str(claims['sub']).encode(errors='surrogatepass')).hexdigest()[:16]}"


def _scopes(claim: object) -> frozenset[str]:
    """Return the scopes, which stand in one text with blanks (RFC 8693) or, at some issuers, in a list."""
    if isinstance(claim, str):
        return frozenset(claim.split())
    if isinstance(claim, list):
        return frozenset(each for each in claim if isinstance(each, str))
    return frozenset()
