"""The caller: profile, tokens, legacy key, forgotten password (S3-14, 17, 26, 32, 34, 36, 40)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from worker.sandbox.answers import Answer, ServerBroke, not_found, refused_fields, success
from worker.sandbox.fields import Field, Invalid, clean, is_email, loose_text
from worker.sandbox.moments import shown, stored_epoch

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_FORGOTTEN_WAIT = 300
_SHORTEST_PASSWORD = 8


def _user(call: Call) -> Row:
    entity = call.path("id")
    row = call.sandbox.people.by_id(call.who.entity_id if entity == "self" else entity)
    if row is None:
        raise not_found()
    return row


def _shown(call: Call, row: Row) -> dict[str, Any]:
    own = row["account"] == call.who.account
    has_address = own and is_email(row["account"])
    return {
        "entityType": "BadgeUser",
        "entityId": row["entity_id"],
        "firstName": row["first_name"],
        "lastName": row["last_name"],
        "emails": [_address(row)] if has_address else [],
        "url": [],
        "telephone": [],
        "agreedTermsVersion": 0,
        "hasAgreedToLatestTermsVersion": True,
        "marketingOptIn": False,
        "badgrDomain": call.base.partition("://")[2],
        "hasPasswordSet": True,
        "recipient": {"type": "email", "identity": row["account"]} if has_address else None,
    }


def _address(row: Row) -> dict[str, Any]:
    return {
        "entityType": "BadgeUserEmail",
        "entityId": row["entity_id"],
        "email": row["account"],
        "verified": True,
        "primary": True,
        "caseVariants": [],
    }


def get(call: Call) -> Answer:
    """Show a profile; of others the addresses are hidden."""
    return success([_shown(call, _user(call))])


def put(call: Call) -> Answer:
    """Change one's own names."""
    row = _user(call)
    if row["account"] != call.who.account:
        raise not_found()
    try:
        values = clean(call.data, {"firstName": Field(loose_text), "lastName": Field(loose_text)})
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
    names = {"firstName": "first_name", "lastName": "last_name"}
    if values:
        call.sandbox.store.update("accounts", row["entity_id"], **{names[key]: values[key] for key in values})
    return success([_shown(call, _user(call))])


def create(_call: Call) -> Response:
    """Refuse: accounts are not made here (S3-06)."""
    return Response(status_code=404)


def tokens(call: Call) -> Answer:
    """List one's living tokens, without their secrets."""
    rows = call.sandbox.people.tokens(call.who.account, call.now)
    return success([_token(row) for row in rows])


def _token(row: Row) -> dict[str, Any]:
    return {
        "entityType": "AccessToken",
        "entityId": row["entity_id"],
        "application": {
            "name": row["client_id"],
            "image": None,
            "websiteUrl": None,
            "clientId": row["client_id"],
        },
        "scope": row["scope"],
        "expires": shown(stored_epoch(row["expires"])),
        "created": shown(row["created_at"]),
    }


def token(call: Call) -> Answer:
    """Show one of one's tokens; one that does not exist breaks the service."""
    for row in call.sandbox.people.tokens(call.who.account, call.now):
        if row["entity_id"] == call.path("id"):
            return success([_token(row)])
    raise ServerBroke


def revoke_token(call: Call) -> Response:
    """Revoke one of one's tokens."""
    if not call.sandbox.people.revoke(call.who.account, call.path("id")):
        raise not_found()
    return Response(status_code=204)


def key(call: Call) -> Answer:
    """Show the legacy key; PUT replaces it."""
    if call.request.method == "PUT":
        call.sandbox.people.new_key(call.who.account)
    row = call.sandbox.people.account(call.who.account, call.now)
    return success([{"username": row["account"], "token": row["auth_key"]}])


def forgot_password(call: Call) -> Answer | Response:
    """Take a request for a new password: always 200, whether the address is known or not."""
    address = call.data.get("email") if isinstance(call.data, dict) else None
    if not address:
        raise refused_fields(email=["This field is required."])
    if call.now < call.sandbox.forgotten.get(address, 0) + _FORGOTTEN_WAIT:
        words = "Forgot password request limit exceeded. Please check your inbox or wait to try again."
        return JSONResponse(words, 429)
    call.sandbox.forgotten[address] = call.now
    call.sandbox.recoveries[secrets.token_urlsafe(22)] = address
    return success([{}])


def new_password(call: Call) -> Answer | Response:
    """Take a new password with the token of a mail, good once (S3-32). Any password signs in anyway."""
    data = call.data if isinstance(call.data, dict) else {}
    token, password = data.get("token"), data.get("password")
    if token not in call.sandbox.recoveries:
        return Response(status_code=404)
    if not isinstance(password, str) or len(password) < _SHORTEST_PASSWORD:
        words = f"This password is too short. It must contain at least {_SHORTEST_PASSWORD} characters."
        raise refused_fields(password=[words])
    del call.sandbox.recoveries[token]
    return success([{}])
