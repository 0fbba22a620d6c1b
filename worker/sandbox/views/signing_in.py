"""POST /o/token and its kin (facts/badgr-api.md section 2 and 10)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.bodies import parse_form
from worker.sandbox.gate import basic_credentials
from worker.sandbox.people import FULL_SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_SCOPES = {"r:profile", "rw:profile", "r:backpack", "rw:backpack", "rw:issuer", "r:issuer", "r:assertions"}
_WRONG_PASSWORD = {"error": "invalid_grant", "error_description": "Invalid credentials given."}
_JSON, _HTML = "application/json", "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Refusal(Exception):
    body: dict[str, Any]
    status: int = 400
    kind: str = _JSON
    challenge: bool = False


def token(call: Call) -> Response:
    """Sign in. Only forms are read; a sign-in that fails makes the next ones wait."""
    throttle = call.sandbox.throttle
    form = _form(call)
    key = form.get("username") or _client_address(call)
    wait = throttle.wait(key, call.now)
    if wait is not None:
        return _answer(_throttled(wait), 429, _HTML)
    try:
        granted = _grant(call, form)
    except _Refusal as refusal:
        throttle.failed(key, call.now)
        headers = {"WWW-Authenticate": 'Bearer error="invalid_client"'} if refusal.challenge else {}
        return _answer(refusal.body, refusal.status, refusal.kind, headers)
    throttle.succeeded(key)
    return _answer(granted, 200, _JSON, {"Cache-Control": "no-store", "Pragma": "no-cache"})


def revoke_token(call: Call) -> Response:
    """Revoke an access token; an unknown one is no error."""
    form = _form(call)
    call.sandbox.store.run("UPDATE tokens SET expires = 0 WHERE token = ?", form.get("token", ""))
    return Response(status_code=200)


def _form(call: Call) -> dict[str, str]:
    """Read the form; of any other body nothing is seen."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return parse_form(call.visit.body) if kind == "application/x-www-form-urlencoded" else {}


def _client_address(call: Call) -> str:
    forwarded = call.request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return forwarded or (call.request.client.host if call.request.client else "unknown")


def _throttled(wait: int) -> dict[str, Any]:
    return {
        "error_description": "Too many login attempts. Please wait and try again.",
        "error": "login attempts throttled",
        "expires": wait,
    }


def _answer(body: Any, status: int, kind: str, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, {**(headers or {}), "Content-Type": kind})


def _grant(call: Call, form: dict[str, str]) -> dict[str, Any]:
    if call.request.url.query:
        raise _invalid_request("URL query parameters are not allowed")
    grants: dict[str, Callable[[Call, dict[str, str]], dict[str, Any]]] = {
        "password": _password,
        "refresh_token": _refresh,
        "client_credentials": _client_credentials,
        "authorization_code": _authorization_code,
    }
    kind = form.get("grant_type", "password")
    if kind not in grants:
        raise _invalid_request("Request is missing username parameter.")
    return grants[kind](call, form)


def _invalid_request(words: str) -> _Refusal:
    return _Refusal({"error": "invalid_request", "error_description": words})


def _password(call: Call, form: dict[str, str]) -> dict[str, Any]:
    for name in ("username", "password"):
        if not form.get(name):
            raise _invalid_request(f"Request is missing {name} parameter.")
    _refuse_if_told(call, form["username"], _Refusal(_WRONG_PASSWORD))
    scope = _scope(form, FULL_SCOPE)
    client = form.get("client_id") or "public"
    row = call.sandbox.people.issue(form["username"], client, scope, call.now, refreshable=True)
    return _shown(call, row)


def _refresh(call: Call, form: dict[str, str]) -> dict[str, Any]:
    """Give a new pair for a refresh token; the old access token dies at once."""
    row = call.sandbox.people.refreshable(form.get("refresh_token", ""))
    if row is None or form.get("client_id", row["client_id"]) != row["client_id"]:
        raise _Refusal({"error": "invalid_grant"})
    _refuse_if_told(call, row["account"], _Refusal({"error": "invalid_grant"}))
    call.sandbox.people.retire(row)
    people = call.sandbox.people
    return _shown(
        call, people.issue(row["account"], row["client_id"], row["scope"], call.now, refreshable=True)
    )


def _client_credentials(call: Call, form: dict[str, str]) -> dict[str, Any]:
    basic = basic_credentials(call.request.headers.get("authorization"))
    client, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    if not client:
        raise _Refusal({"error": "invalid client_id"}, kind=_HTML)
    wrong_secret = (
        _Refusal({"error": "invalid client_secret"}, kind=_HTML)
        if basic
        else _Refusal({"error": "invalid_client"}, 401, challenge=True)
    )
    if not secret:
        raise wrong_secret
    _refuse_if_told(call, client, wrong_secret)
    row = call.sandbox.people.issue(client, client, _scope(form, "r:profile"), call.now, refreshable=False)
    return _shown(call, row)


def _authorization_code(_call: Call, _form: dict[str, str]) -> dict[str, Any]:
    """No code is ever given out here, so each one is a bad one."""
    raise _Refusal({"error": "invalid_grant"})


def _scope(form: dict[str, str], default: str) -> str:
    scope = form.get("scope") or default
    if any(one not in _SCOPES and not one.startswith("rw:issuer:") for one in scope.split()):
        raise _Refusal({"error": "invalid scope requested"}, kind=_HTML)
    return scope


def _refuse_if_told(call: Call, account: str, refusal: _Refusal) -> None:
    """Refuse whom the options or a fault name; the fault may say with which error."""
    rule = call.visit.fate.has("refuse_sign_in")
    if rule is not None and rule.error:
        kind = _HTML if " " in rule.error else _JSON  # as the service labels those with blanks
        raise _Refusal({"error": rule.error}, kind=kind)
    if rule is not None or account in call.sandbox.options.refuse_sign_in:
        raise refusal


def _shown(call: Call, row: Row) -> dict[str, Any]:
    shown = {
        "access_token": row["token"],
        "expires_in": call.sandbox.options.token_lifetime,
        "token_type": "Bearer",
        "scope": row["scope"],
    }
    if row["refresh_token"]:
        shown["refresh_token"] = row["refresh_token"]
    return shown
