"""What only the hosted service has (seed 001): archive and back, copies, claim codes, ids as references."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.access import badgeclass_for
from worker.sandbox.answers import Answer, not_found, success
from worker.sandbox.catalogue import show_badgeclass
from worker.sandbox.fields import Field, Invalid, clean, moment, positive, text_of
from worker.sandbox.moments import shown, stored_epoch
from worker.sandbox.views import badgeclasses

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_CODE = {
    "label": Field(text_of(1024), nullable=True),
    "limit": Field(positive, nullable=True),
    "expirationDate": Field(moment, nullable=True),
}


def _entity_of(call: Call) -> str:
    """Read the base64 of an Open Badge id: the URL of a badge class."""
    coded = call.path("ref")
    try:
        padded = coded + "=" * (-len(coded) % 4)
        url = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise not_found() from error
    return url.rpartition("/public/badges/")[2]


def get_ref(call: Call) -> Answer:
    """Show a badge class by its Open Badge id (S1-06)."""
    row = badgeclass_for(call, _entity_of(call), archived=call.flag("include_archived"))
    return success([show_badgeclass(row, call.base)])


def put_ref(call: Call) -> Answer:
    """Replace a badge class by its Open Badge id (S1-07)."""
    return badgeclasses.replace(call, badgeclass_for(call, _entity_of(call), "editor", archived=True))


def delete_ref(call: Call) -> Response:
    """Delete or archive a badge class by its Open Badge id (S1-08)."""
    return badgeclasses.remove(call, badgeclass_for(call, _entity_of(call), "editor", archived=True))


def reactivate(call: Call) -> Answer:
    """Bring an archived badge class back (S1-18)."""
    return _reactivate(call, call.path("id"))


def reactivate_ref(call: Call) -> Answer:
    """Bring an archived badge class back by its Open Badge id (S1-19)."""
    return _reactivate(call, _entity_of(call))


def _reactivate(call: Call, entity: str) -> Answer:
    row = badgeclass_for(call, entity, "editor", archived=True)
    call.sandbox.catalogue.archive(row["entity_id"], None, None)
    return success([show_badgeclass(badgeclass_for(call, entity), call.base)])


def duplicate(call: Call) -> Answer:
    """Copy a badge class under a new name (S1-15)."""
    row = badgeclass_for(call, call.path("id"), "editor")
    values = _read(call, {"newName": Field(text_of(1024), required=True)})
    document = {**json.loads(row["document"]), "name": values["newName"]}
    copy = call.sandbox.catalogue.add_badgeclass(row["issuer"], call.who.entity_id, document, call.now)
    return success([show_badgeclass(copy, call.base)], 201)


def _read(call: Call, schema: dict[str, Field]) -> dict[str, Any]:
    try:
        return clean(call.data, schema)
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid


def list_codes(call: Call) -> Answer:
    """List the claim codes of a badge class (S1-16)."""
    row = badgeclass_for(call, call.path("id"))
    rows = call.sandbox.store.all(
        "SELECT * FROM claim_codes WHERE badgeclass = ? AND archived = 0 ORDER BY seq", (row["entity_id"],)
    )
    counted = call.flag("includeClaimCodeCount")
    return success([_show(code) | ({"claimCount": 0} if counted else {}) for code in rows])


def _show(row: Row) -> dict[str, Any]:
    return {
        "entityType": "ClaimCode",
        "code": row["code"],
        "badgeclass": row["badgeclass"],
        "label": row["label"],
        "limit": row["most"],
        "expirationDate": shown(row["expiration_date"]),
        "enabled": bool(row["enabled"]),
        "archived": bool(row["archived"]),
        "createdAt": shown(row["created_at"]),
        "createdBy": row["created_by"],
    }


def create_code(call: Call) -> Answer:
    """Make a claim code (S1-17)."""
    row = badgeclass_for(call, call.path("id"), "editor")
    values = _read(call, _CODE)
    code = secrets.token_hex(4)
    call.sandbox.store.insert(
        "claim_codes",
        code=code,
        badgeclass=row["entity_id"],
        label=values.get("label"),
        most=values.get("limit"),
        expiration_date=values.get("expirationDate"),
        created_by=call.who.entity_id,
        created_at=stored_epoch(call.now),
    )
    return success([_show(_found(call, code))], 201)


def _code(call: Call) -> Row:
    """Return the living claim code of the path, if the caller may change it."""
    row = badgeclass_for(call, call.path("id"), "editor")
    code = _found(call, call.path("code"))
    if code["badgeclass"] != row["entity_id"] or code["archived"]:
        raise not_found()
    return code


def _found(call: Call, code: str) -> Row:
    row = call.sandbox.store.one("SELECT * FROM claim_codes WHERE code = ?", code)
    if row is None:
        raise not_found()
    return row


def put_code(call: Call) -> Answer:
    """Change a claim code (S1-04)."""
    code = _code(call)
    values = _read(call, _CODE)
    names = {"label": "label", "limit": "most", "expirationDate": "expiration_date"}
    for name, value in values.items():
        _set(call, code, names[name], value)
    return success([_show(_found(call, code["code"]))])


def _set(call: Call, code: Row, column: str, value: Any) -> None:
    sql = f"UPDATE claim_codes SET {column} = ? WHERE code = ?"  # noqa: S608  # our own column names
    call.sandbox.store.run(sql, value, code["code"])


def archive_code(call: Call) -> Response:
    """Archive a claim code (S1-05)."""
    _set(call, _code(call), "archived", 1)
    return Response(status_code=204)


def enable_code(call: Call) -> Answer:
    """Enable a claim code (S1-20)."""
    return _switch(call, "enabled", on=True)


def disable_code(call: Call) -> Answer:
    """Disable a claim code (S1-21)."""
    return _switch(call, "enabled", on=False)


def _switch(call: Call, column: str, *, on: bool) -> Answer:
    code = _code(call)
    _set(call, code, column, int(on))
    return success([_show(_found(call, code["code"]))])
