"""Assertions: lists, one, changes to it, revoking (facts/badgr-api.md sections 7 and 8)."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from worker.sandbox.access import assertion_for, badgeclass_for, issuer_for, issuers_of
from worker.sandbox.answers import Answer, ApiError, ServerBroke, refused, refused_fields, success
from worker.sandbox.fields import Invalid, clean
from worker.sandbox.ledger import Wanted, new_image, recipient_columns, show_assertion
from worker.sandbox.paging import Place, feed, listed
from worker.sandbox.views.facts import facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_ALREADY = "Assertion is already revoked"


def list_by_class(call: Call) -> Answer:
    """List what was awarded of one badge class (S3-22)."""
    row = badgeclass_for(call, call.path("id"), archived=True)
    return _list(call, "badgeclass", row["entity_id"])


def list_by_issuer(call: Call) -> Answer:
    """List what one issuer awarded (S3-19)."""
    return _list(call, "issuer", issuer_for(call, call.path("id"))["entity_id"])


def _list(call: Call, column: str, entity: str) -> Answer:
    wanted = Wanted(
        column,
        entity,
        tuple(call.request.query_params.getlist("recipient")),
        expired=call.flag("include_expired"),
        revoked=call.flag("include_revoked"),
    )

    def fetch(order: str, beyond: tuple[str, int] | None, limit: int) -> Sequence[Row]:
        return call.sandbox.ledger.find(wanted, call.now, order=order, beyond=beyond, limit=limit)

    return listed(call, fetch, _shown(call))


def _shown(call: Call) -> partial[dict[str, Any]]:
    return partial(show_assertion, base=call.base)


def changed(call: Call) -> Answer:
    """List what changed at the caller's issuers, revoked and expired ones included."""
    issuers = [row["entity_id"] for row in issuers_of(call)]

    def changes(place: Place, limit: int, *, backwards: bool) -> Sequence[Row]:
        return call.sandbox.ledger.changed(issuers, place, limit, backwards=backwards)

    return feed(call, changes, _shown(call))


def get(call: Call) -> Answer:
    """Show one assertion (S3-16)."""
    return _one(call, assertion_for(call, call.path("id")))


def _one(call: Call, row: Row) -> Answer:
    return success([show_assertion(row, call.base)])


def put(call: Call) -> Answer:
    """Change an assertion (S3-42): its badge class stays, its picture moves to a new URL."""
    row = assertion_for(call, call.path("id"), "editor")
    try:
        values = clean(call.data, facts(call.now))
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
    columns = _columns(values)
    if not row["revoked"]:
        columns["image"] = new_image(row["entity_id"])
    call.sandbox.ledger.change(row["entity_id"], call.now, **columns)
    return _one(call, assertion_for(call, row["entity_id"]))


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    names = {"issuedOn": "issued_on", "expires": "expires", "narrative": "narrative"}
    columns = {column: values[name] for name, column in names.items() if name in values}
    columns |= {name: json.dumps(values[name]) for name in ("evidence", "extensions") if name in values}
    if "recipient" in values:
        columns |= recipient_columns(values["recipient"])
    return columns


def revoke(call: Call) -> Answer:
    """Revoke one assertion (S3-37); the reason is wanted in snake case, in the body of the DELETE."""
    row = assertion_for(call, call.path("id"), "editor")
    reason = call.data.get("revocation_reason") if isinstance(call.data, dict) else None
    if not reason:
        raise refused_fields(revocation_reason="This field is required")
    if row["revoked"]:
        raise refused(_ALREADY)
    call.sandbox.ledger.revoke(row["entity_id"], str(reason), call.now)
    return _one(call, assertion_for(call, row["entity_id"]))


def revoke_many(call: Call) -> Answer:
    """Revoke several (S3-38): always 200, with one result for each item, in order."""
    if not isinstance(call.data, list):
        raise ServerBroke
    return success([_revoke_item(call, item) for item in call.data], description="revoked badges")


def _revoke_item(call: Call, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ServerBroke
    entity, reason = item.get("entityId"), item.get("revocationReason")
    answer: dict[str, Any] = {"revoked": False, "entityId": entity, "revocationReason": reason}
    if not entity:
        return {**answer, "reason": "entityId is required"}
    if not reason:
        return {**answer, "reason": "revocationReason is required"}
    try:
        row = assertion_for(call, str(entity), "editor")
    except ApiError:
        return {**answer, "reason": "permission denied or object not found"}
    if row["revoked"]:
        return {**answer, "reason": f"['{_ALREADY}']"}
    call.sandbox.ledger.revoke(row["entity_id"], str(reason), call.now)
    return {**answer, "revoked": True}
