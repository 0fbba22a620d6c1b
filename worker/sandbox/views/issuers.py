"""Issuers: list, make, change, delete (S3-08, 12, 18, 25, 43)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.access import issuer_for, issuers_of
from worker.sandbox.answers import Answer, ApiError, ServerBroke, refused_fields, success
from worker.sandbox.catalogue import ROLES, show_issuer
from worker.sandbox.fields import Field, Invalid, choice, clean, email, list_of, mapping, text, text_of, url
from worker.sandbox.moments import shown, stored_epoch
from worker.sandbox.paging import Place, feed, near
from worker.sandbox.views.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.sandbox.call import Call
    from worker.sandbox.store import Row


def list_all(call: Call) -> Answer:
    """List the caller's issuers, oldest first."""
    rows = sorted(issuers_of(call), key=lambda row: row["seq"])
    with_staff = call.request.query_params.get("include_staff", "true").lower() not in {"false", "0"}
    return success([_shown(call, row, with_staff=with_staff) for row in rows])


def _shown(call: Call, row: Row, *, with_staff: bool = True) -> dict[str, Any]:
    document = show_issuer(row, call.sandbox.catalogue.staff(row["entity_id"]), call.base)
    if not with_staff:
        del document["staff"]
    return document


def changed(call: Call) -> Answer:
    """List the caller's issuers that changed."""

    def changes(place: Place, limit: int, *, backwards: bool) -> Sequence[Row]:
        return near(issuers_of(call), place, limit, backwards=backwards)

    return feed(call, changes, lambda row: _shown(call, row))


def get(call: Call) -> Answer:
    """Show one issuer."""
    return success([_shown(call, issuer_for(call, call.path("id")))])


def create(call: Call) -> Answer:
    """Make an issuer that the caller owns. Any address is taken for one of the caller's verified ones."""
    document, staff = _read(call, {})
    who = call.who
    row = call.sandbox.catalogue.add_issuer(who.account, who.entity_id, document, call.now)
    if staff:
        call.sandbox.catalogue.set_staff(row["entity_id"], {who.account: "owner", **staff})
    return success([_shown(call, row)], 201)


def put(call: Call) -> Answer:
    """Replace an issuer's data; `staff` adds and removes people but changes nobody's role."""
    row = issuer_for(call, call.path("id"), "editor")
    document, staff = _read(call, json.loads(row["document"]))
    call.sandbox.catalogue.change("issuers", row["entity_id"], document, call.now)
    if staff is not None:
        call.sandbox.catalogue.set_staff(row["entity_id"], staff)
    return success([_shown(call, issuer_for(call, row["entity_id"]))])


def delete(call: Call) -> Response:
    """Delete an issuer that has nothing alive; for owners only."""
    row = issuer_for(call, call.path("id"), "owner")
    if call.sandbox.ledger.live_in("issuer", row["entity_id"]):
        raise ApiError(400, "Issuer can not be deleted because it has previously issued badges.")
    call.sandbox.catalogue.delete_issuer(row["entity_id"])
    return Response(status_code=204)


def _read(call: Call, before: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str] | None]:
    schema = {
        "name": Field(text_of(1024), required=True),
        "email": Field(email, required=True),
        "url": Field(url, required=True),
        "description": Field(text_of(16384)),
        "image": Field(picture(before), nullable=True),
        "extensions": Field(mapping),
        "staff": Field(list_of(lambda item: _read_member(call, item))),
    }
    try:
        values = clean(call.data, schema)
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
    staff = values.pop("staff", None)
    defaults = {"image": None, "description": "", "extensions": {}, **before}
    return {**defaults, **values.pop("image", {}), **values}, None if staff is None else dict(staff)


def _read_member(call: Call, item: Any) -> tuple[str, str]:
    values = clean(item, {"user": Field(text, required=True), "role": Field(choice(*ROLES), required=True)})
    account = call.sandbox.people.by_id(values["user"])
    if account is None:
        raise Invalid({"user": [f'Invalid entity_id "{values["user"]}" - object does not exist.']})
    return account["account"], values["role"]


def tokens(call: Call) -> Answer:
    """Give a token confined to each of these issuers (S3-35); the same one again on repeat."""
    wanted = call.data.get("issuers") if isinstance(call.data, dict) else None
    if not isinstance(wanted, list) or not wanted:
        raise refused_fields(issuers="field is required")
    result = []
    for entity in wanted:
        try:
            issuer_for(call, str(entity))
        except ApiError as error:
            raise refused_fields(issuers="unknown issuer") from error
        row = call.sandbox.people.issuer_token(call.who.account, str(entity), call.now)
        result.append({"token": row["token"], "issuer": entity, "expires": _expiry(row)})
    return success(result)


def broken(_call: Call) -> Answer:
    """Break, as the service does on GET (section 3)."""
    raise ServerBroke


def _expiry(row: Row) -> str:
    return shown(stored_epoch(row["expires"])) or ""
