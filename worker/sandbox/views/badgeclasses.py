"""Badge classes: list, make, change, delete (S3-05, 09, 10, 13, 24, 27, 39; S1-01 to 03, 11 to 14)."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.access import badgeclass_for, issuer_for, issuers_of
from worker.sandbox.answers import Answer, ApiError, refused_fields, success
from worker.sandbox.catalogue import new_class_document, show_badgeclass
from worker.sandbox.fields import (
    Field,
    Invalid,
    choice,
    clean,
    list_of,
    loose_text,
    mapping,
    markdown,
    positive,
    text_of,
    url,
)
from worker.sandbox.paging import Place, beyond_place, feed, listed, near
from worker.sandbox.views.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_ALIGNMENT = {
    "targetName": Field(text_of(1024), required=True),
    "targetUrl": Field(url, required=True),
    "targetDescription": Field(loose_text, nullable=True),
    "targetFramework": Field(loose_text, nullable=True),
    "targetCode": Field(loose_text, nullable=True),
}
_EXPIRES = {
    "amount": Field(positive, required=True),
    "duration": Field(choice("days", "weeks", "months", "years"), required=True),
}


def list_all(call: Call) -> Answer:
    """List the badge classes of all the caller's issuers."""
    return _list(call, [row["entity_id"] for row in issuers_of(call)])


def list_by_issuer(call: Call) -> Answer:
    """List the badge classes of one issuer."""
    return _list(call, [issuer_for(call, call.path("id"))["entity_id"]])


def _list(call: Call, issuers: list[str]) -> Answer:
    rows = call.sandbox.catalogue.badgeclasses(issuers, archived=call.flag("include_archived"))

    def fetch(order: str, beyond: tuple[str, int] | None, limit: int) -> Sequence[Row]:
        return beyond_place(rows, order, beyond, limit)

    return listed(call, fetch, partial(show_badgeclass, base=call.base))


def changed(call: Call) -> Answer:
    """List the badge classes that changed at the caller's issuers."""
    issuers = [row["entity_id"] for row in issuers_of(call)]
    rows = call.sandbox.catalogue.badgeclasses(issuers, archived=True)

    def changes(place: Place, limit: int, *, backwards: bool) -> Sequence[Row]:
        return near(rows, place, limit, backwards=backwards)

    return feed(call, changes, partial(show_badgeclass, base=call.base))


def _one(call: Call, row: Row, status: int = 200) -> Answer:
    return success([show_badgeclass(row, call.base)], status)


def get(call: Call) -> Answer:
    """Show one badge class; an archived one only if `include_archived` says so."""
    return _one(call, badgeclass_for(call, call.path("id"), archived=call.flag("include_archived")))


def create(call: Call) -> Answer:
    """Make a badge class of the issuer that the body names."""
    document = _read(call, {})
    named = call.data.get("issuer")
    if not named:
        raise refused_fields(issuer="This field is required")
    try:
        issuer = issuer_for(call, str(named), "editor")
    except ApiError as error:
        words = f'Invalid entity_id "{named}" - object does not exist.'
        raise refused_fields(issuer=[words]) from error
    return _create(call, issuer, document)


def create_by_issuer(call: Call) -> Answer:
    """Make a badge class of the issuer of the path; if the body names one too, it must be the same."""
    issuer = issuer_for(call, call.path("id"), "editor")
    document = _read(call, {})
    if call.data.get("issuer") not in (None, issuer["entity_id"]):
        raise refused_fields(issuer=["Could not find matching issuer."])
    return _create(call, issuer, document)


def _create(call: Call, issuer: Row, document: dict[str, Any]) -> Answer:
    catalogue = call.sandbox.catalogue
    return _one(
        call, catalogue.add_badgeclass(issuer["entity_id"], call.who.entity_id, document, call.now), 201
    )


def put(call: Call) -> Answer:
    """Replace a badge class; its issuer cannot change. With `rebake_on_update` pictures are made anew."""
    return replace(call, badgeclass_for(call, call.path("id"), "editor", archived=True))


def replace(call: Call, row: Row) -> Answer:
    """Replace this badge class by what the body says."""
    document = _read(call, json.loads(row["document"]))
    call.sandbox.catalogue.change("badgeclasses", row["entity_id"], document, call.now)
    if call.sandbox.options.rebake_on_update:
        call.sandbox.ledger.rebake(row["entity_id"], call.now)
    return _one(call, badgeclass_for(call, row["entity_id"], archived=True))


def delete(call: Call) -> Response:
    """Delete or archive a badge class."""
    return remove(call, badgeclass_for(call, call.path("id"), "editor", archived=True))


def remove(call: Call, row: Row) -> Response:
    """Archive if `hard_delete` or `archivalNote` speak the hosted service's language, else delete (S1-03)."""
    query = call.request.query_params
    hosted = {"hard_delete", "archivalNote"} & set(query) or call.sandbox.options.archive_on_delete
    if hosted and query.get("hard_delete", "").lower() not in {"1", "true", "yes"}:
        call.sandbox.catalogue.archive(row["entity_id"], query.get("archivalNote"), call.now)
    elif call.sandbox.ledger.live_in("badgeclass", row["entity_id"], call.now):
        raise ApiError(400, "BadgeClass may only be deleted if all BadgeInstances have been revoked.")
    else:
        call.sandbox.catalogue.delete_badgeclass(row["entity_id"])
    return Response(status_code=204)


def _read(call: Call, before: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "name": Field(text_of(1024), required=True),
        "description": Field(text_of(16384), required=True),
        "image": Field(picture(before)),
        "criteriaUrl": Field(url, nullable=True),
        "criteriaNarrative": Field(markdown, nullable=True),
        "alignments": Field(list_of(lambda item: clean(item, _ALIGNMENT))),
        "tags": Field(list_of(text_of(1024))),
        "expires": Field(lambda value: clean(value, _EXPIRES), nullable=True),
        "extensions": Field(mapping),
        "achievementType": Field(text_of(255), nullable=True),
        "imageAltText": Field(text_of(1024), nullable=True),
    }
    try:
        values = clean(call.data, schema)
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
    if "image" not in values and not before:
        raise refused_fields(image="Valid image file or data URI required.")
    defaults = before or new_class_document("")
    return {**defaults, **values.pop("image", {}), **values}
