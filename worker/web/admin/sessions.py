"""Who is signed in: a signed cookie, and the word that shows that a form is one of ours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData, URLSafeTimedSerializer

from worker.errors import ConfigurationError
from worker.settings import PREFIX

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.settings import Settings

COOKIE = "badge_worker_admin"
LASTS = 8 * 3600  # seconds that somebody stays signed in: a working day
_NOTE = "badge_worker_note"
_NOTE_LASTS = 60  # seconds


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in: the name of their token, and what tells this signing-in from others."""

    name: str
    id: str


class Sessions:
    """Makes and reads cookies. Raises ConfigurationError without SECRET_KEY.

    They are signed with API_TOKENS too: whenever that list changes, everybody signs in anew.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.key is None:
            raise ConfigurationError(f"{PREFIX}SECRET_KEY: missing; the admin page signs its cookies with it")
        listed = settings.api_tokens.get_secret_value() if settings.api_tokens else ""
        self._key = hmac.digest(settings.key.encode(), b"admin page\0" + listed.encode(), "sha256")

    def start(self, request: Request, response: Response, name: str) -> None:
        """Sign somebody in."""
        value = self._signer("session").dumps({"name": name, "id": secrets.token_hex(16)})
        _set(request, response, COOKIE, value, LASTS)

    def end(self, request: Request, response: Response) -> None:
        """Sign somebody out."""
        for cookie in (COOKIE, _NOTE):
            response.delete_cookie(cookie, path=_path(request), httponly=True, samesite="strict")

    def of(self, request: Request) -> Session | None:
        """Return who is signed in; None if nobody is, or not any more."""
        found = self._read("session", request.cookies.get(COOKIE), LASTS)
        return Session(found["name"], found["id"]) if isinstance(found, dict) else None

    def word(self, session: Session) -> str:
        """Return what a form of this session must hold."""
        return hmac.new(self._key, f"form\0{session.id}".encode(), hashlib.sha256).hexdigest()

    def is_ours(self, session: Session, presented: str) -> bool:
        """Return whether a form is one that we gave to this session."""
        return hmac.compare_digest(self.word(session).encode(), presented.encode())

    def leave_note(self, request: Request, response: Response, words: str) -> None:
        """Say something on the next page that is shown."""
        _set(request, response, _NOTE, self._signer("note").dumps(words), _NOTE_LASTS)

    def take_note(self, request: Request) -> str | None:
        """Return what the last page had to say, if anything."""
        found = self._read("note", request.cookies.get(_NOTE), _NOTE_LASTS)
        return found if isinstance(found, str) else None

    @staticmethod
    def drop_note(request: Request, response: Response) -> None:
        """Say it no more."""
        response.delete_cookie(_NOTE, path=_path(request), httponly=True, samesite="strict")

    def _signer(self, what: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._key, what, signer_kwargs={"digest_method": hashlib.sha256})

    def _read(self, what: str, value: str | None, lasts: int) -> Any:
        if value is None:
            return None
        try:
            return self._signer(what).loads(value, max_age=lasts)
        except BadData:
            return None


def _set(request: Request, response: Response, cookie: str, value: str, lasts: int) -> None:
    """Set a cookie that no script reads, no other site sends and no plain connection carries after TLS."""
    response.set_cookie(
        cookie,
        value,
        max_age=lasts,
        path=_path(request),
        secure=_is_over_tls(request),
        httponly=True,
        samesite="strict",
    )


def _is_over_tls(request: Request) -> bool:
    """Return whether the browser spoke TLS, to us or to a proxy; who lies about it does so to themselves."""
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return "https" in {request.url.scheme, forwarded}


def _path(request: Request) -> str:
    return str(request.scope.get("root_path") or "/")
