"""GET of one template and of many (S2-01, S2-32)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.sandbox.credly.answers import not_found, single
from worker.sandbox.credly.listing import (
    any_of,
    listed,
    one_of,
    partial,
    partial_or_exact,
    since,
    true_or_not,
    until,
)
from worker.sandbox.credly.shapes import alone, in_list, template_document

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.sandbox.call import Call

FILTERS = {
    "query": partial("name", "description"),
    "name": partial_or_exact("name"),
    "public": true_or_not("public"),
    "reporting_tags": any_of(lambda template: template["reporting_tags"]),
    "recommendation_ids": any_of(lambda template: [each["id"] for each in template["recommendations"]]),
    "skills": any_of(lambda template: template["skills"]),
    "state": one_of("state"),
    "created_at_min": since("created_at"),
    "created_at_max": until("created_at"),
    "updated_at_min": since("updated_at"),
    "updated_at_max": until("updated_at"),
    "owner_id": any_of(lambda template: [template["owner"]["id"]]),
    "collection_id": any_of(lambda template: template.get("collection_ids", [])),
}
SORT_KEYS = ("badges_count", "created_at", "name", "updated_at")


def list_all(call: Call) -> Response:
    """List the organization's templates."""
    return listed(call, documents(call), FILTERS, SORT_KEYS, in_list)


def get(call: Call) -> Response:
    """Show one template."""
    return single(alone(document(call, call.path("id"))))


def documents(call: Call) -> list[dict[str, Any]]:
    """Return everything about the organization's templates."""
    shelf, organization = call.sandbox.shelf, call.path("organization")
    counts = shelf.counts(organization)
    return [
        template_document(row, call.base, counts.get(row["entity_id"], 0))
        for row in shelf.templates(organization)
    ]


def document(call: Call, entity: str) -> dict[str, Any]:
    """Return everything about one template; raises the 404."""
    shelf, organization = call.sandbox.shelf, call.path("organization")
    row = shelf.template(organization, entity)
    if row is None:
        raise not_found()
    return template_document(row, call.base, shelf.counts(organization).get(entity, 0))
