"""The caller's backpack: assertions awarded to the caller's address, and collections of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.answers import Answer, ServerBroke, not_found, refused, refused_fields, success
from worker.sandbox.fields import Field, Invalid, boolean, clean, list_of, loose_text, text, text_of
from worker.sandbox.ledger import show_assertion
from worker.sandbox.moments import entity_id, shown, stored_epoch

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_LEFT_OUT = ("createdAt", "createdBy", "extensions")


def list_all(call: Call) -> Answer:
    """List what the caller was awarded (S3-20); revoked and expired ones only if asked for."""
    now = stored_epoch(call.now)
    rows = [
        row
        for row in _own(call)
        if (call.flag("include_revoked") or not row["revoked"])
        and (call.flag("include_expired") or row["expires"] is None or row["expires"] > now)
    ]
    return success([_shown(call, row) for row in rows])


def _own(call: Call) -> list[Row]:
    return call.sandbox.ledger.of_recipient([call.who.account.lower()])


def _one(call: Call) -> Row:
    for row in _own(call):
        if row["entity_id"] == call.path("id"):
            return row
    raise not_found()


def _shown(call: Call, row: Row) -> dict[str, Any]:
    shown_row = show_assertion(row, call.base)
    for name in _LEFT_OUT:
        del shown_row[name]
    shown_row["recipient"].pop("salt", None)
    return {**shown_row, "pending": False}


def get(call: Call) -> Answer:
    """Show one (S3-21)."""
    return success([_shown(call, _one(call))])


def accept(call: Call) -> Answer:
    """Accept one; nothing else can be said of it (S3-44)."""
    row = _one(call)
    acceptance = call.data.get("acceptance") if isinstance(call.data, dict) else None
    if acceptance != "Accepted":
        raise refused_fields(acceptance=[f'"{acceptance}" is not a valid choice.'])
    call.sandbox.ledger.change(row["entity_id"], call.now, acceptance="Accepted")
    return success([_shown(call, _one(call))])


def reject(call: Call) -> Response:
    """Reject one: it leaves the backpack, while its issuer still sees it (S3-33)."""
    row = _one(call)
    call.sandbox.ledger.change(row["entity_id"], call.now, acceptance="Rejected")
    return Response(status_code=204)


def bring_in(call: Call) -> Answer:
    """Import an assertion of this very sandbox by its URL; it was accepted by that (S3-28)."""
    data = call.data if isinstance(call.data, dict) else {}
    given = [name for name in ("url", "image", "assertion") if data.get(name)]
    if len(given) != 1:
        raise refused("Must provide only one of 'url', 'image' or 'assertion'.")
    entity = str(data[given[0]]).rpartition("/public/assertions/")[2]
    row = next((row for row in _own(call) if row["entity_id"] == entity), None)
    if row is None:
        raise refused({"name": "INVALID_BADGE", "description": "The uploaded badge is not valid."})
    if row["acceptance"] == "Accepted":
        raise refused(
            {"name": "DUPLICATE_BADGE", "description": "You already have this badge in your backpack"}
        )
    call.sandbox.ledger.change(entity, call.now, acceptance="Accepted")
    accepted = call.sandbox.ledger.get(entity)
    return success([_shown(call, accepted or row)], 201)


def broken(_call: Call) -> Answer:
    """Break, as the service does here (section 3)."""
    raise ServerBroke


def collections(call: Call) -> Answer:
    """List the caller's collections (S3-23)."""
    rows = call.sandbox.store.all(
        "SELECT * FROM collections WHERE account = ? ORDER BY seq", (call.who.account,)
    )
    return success([_collection(call, row) for row in rows])


def _collection(call: Call, row: Row) -> dict[str, Any]:
    document = json.loads(row["document"])
    published = document["published"]
    share = f"{call.base}/public/collections/{row['entity_id']}"
    return {
        "entityType": "Collection",
        "entityId": row["entity_id"],
        "name": document["name"],
        "description": document["description"],
        "owner": call.who.entity_id,
        "share_url": share if published else None,
        "shareHash": row["entity_id"] if published else "",
        "published": published,
        "assertions": document["assertions"],
        "createdAt": shown(row["created_at"]),
        "createdBy": call.who.entity_id,
    }


def _found(call: Call, entity: str) -> Row:
    row = call.sandbox.store.one(
        "SELECT * FROM collections WHERE entity_id = ? AND account = ?", entity, call.who.account
    )
    if row is None:
        raise not_found()
    return row


def get_collection(call: Call) -> Answer:
    """Show a collection (S3-15)."""
    return success([_collection(call, _found(call, call.path("id")))])


def create_collection(call: Call) -> Answer:
    """Make an empty collection (S3-07); one with assertions breaks the service."""
    if isinstance(call.data, dict) and call.data.get("assertions"):
        raise ServerBroke
    document = _read(call, {"description": "", "published": False, "assertions": []})
    entity = entity_id()
    call.sandbox.store.insert(
        "collections",
        entity_id=entity,
        account=call.who.account,
        document=json.dumps(document),
        created_at=stored_epoch(call.now),
    )
    return success([_collection(call, _found(call, entity))], 201)


def put_collection(call: Call) -> Answer:
    """Replace a collection (S3-41); its assertions are ids of what is in the backpack."""
    row = _found(call, call.path("id"))
    document = _read(call, json.loads(row["document"]))
    call.sandbox.store.update("collections", row["entity_id"], document=json.dumps(document))
    return success([_collection(call, _found(call, row["entity_id"]))])


def delete_collection(call: Call) -> Response:
    """Delete a collection (S3-11)."""
    row = _found(call, call.path("id"))
    call.sandbox.store.run("DELETE FROM collections WHERE entity_id = ?", row["entity_id"])
    return Response(status_code=204)


def _read(call: Call, before: dict[str, Any]) -> dict[str, Any]:
    mine = {row["entity_id"] for row in _own(call)}

    def assertion(value: Any) -> str:
        if text(value) not in mine:
            raise Invalid([f'Invalid entity_id "{value}" - object does not exist.'])
        return str(value)

    schema = {
        "name": Field(text_of(128), required=True),
        "description": Field(loose_text),
        "published": Field(boolean),
        "assertions": Field(list_of(assertion)),
    }
    try:
        return {**before, **clean(call.data, schema)}
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
