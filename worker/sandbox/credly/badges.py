"""Issued badges: issue, show, list, revoke, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.credly.answers import Problem, invalid, not_found, single
from worker.sandbox.credly.endpoint import body_of
from worker.sandbox.credly.listing import any_of, listed, one_of, partial
from worker.sandbox.credly.reading import read_badge
from worker.sandbox.credly.shapes import badge_document
from worker.sandbox.credly.templates import document, documents

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_FILTERS = {
    "query": partial("issued_to", "recipient_email"),
    "state": one_of("state"),
    "badge_template_id": any_of(lambda badge: [badge["badge_template"]["id"]]),
    "recipient_email": any_of(lambda badge: [badge["recipient_email"]]),
    "issuer_earner_id": any_of(lambda badge: [badge["issuer_earner_id"]]),
}
_SORT_KEYS = ("issued_at", "created_at", "updated_at", "state_updated_at")
_DUPLICATE = "User already has this badge"


def issue(call: Call) -> Response:
    """Issue one badge."""
    values = read_badge(body_of(call))
    template = _issuable(call, values["template"])
    person = call.sandbox.options.people.get(values["recipient"], values["recipient"])
    shelf, now = call.sandbox.shelf, call.sandbox.clock()
    if not template["allow_duplicate_badges"] and shelf.twins(
        template["id"], values["recipient"], person, values["earner"], now
    ):
        raise invalid(_DUPLICATE)
    row = shelf.add(call.path("organization"), call.who.account, now, values | {"person": person})
    return single(badge_document(row, template, call.base), 201)


def _issuable(call: Call, template_id: str) -> dict[str, Any]:
    try:
        template = document(call, template_id)
    except Problem as problem:
        raise invalid(f"Invalid or missing Badge Template ID: {template_id}") from problem
    if template["state"] != "active":
        raise invalid("Badge template is not active", badge_template_id=["must be active"])
    return template


def get(call: Call) -> Response:
    """Show one badge."""
    row = _row(call)
    return single(badge_document(row, document(call, row["template"]), call.base))


def list_all(call: Call) -> Response:
    """List the organization's badges."""
    templates = {template["id"]: template for template in documents(call)}
    badges = [
        badge_document(row, templates[row["template"]], call.base)
        for row in call.sandbox.shelf.badges(call.path("organization"))
    ]
    return listed(call, badges, _FILTERS, _SORT_KEYS)


def revoke(call: Call) -> Response:
    """Revoke a badge for good."""
    row, body = _row(call), body_of(call)
    reason = str(body.get("reason") or "").strip()
    if not reason:
        raise invalid("Validation failed", reason=["can't be blank"])
    if row["state"] == "revoked":
        raise invalid("Badge has already been revoked")
    call.sandbox.shelf.revoke(row["entity_id"], reason, call.sandbox.clock())
    return get(call)


def delete(call: Call) -> Response:
    """Delete a badge."""
    call.sandbox.shelf.delete(_row(call)["entity_id"])
    return Response(status_code=204)


def _row(call: Call) -> Row:
    row = call.sandbox.shelf.badge(call.path("organization"), call.path("id"))
    if row is None:
        raise not_found()
    return row
