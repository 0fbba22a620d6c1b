"""Awarding: one, and many at once (facts/badgr-api.md sections 5 and 6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from worker.sandbox.access import badgeclass_for, issuer_for
from worker.sandbox.answers import Answer, ServerBroke, success
from worker.sandbox.fields import Field, Invalid, boolean, clean, list_of, text
from worker.sandbox.ledger import NewAssertion, show_assertion
from worker.sandbox.views.facts import facts

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

# The slip in the second sentence is the service's own.
_MULTIPLE = (
    "Multiple badge class identifiers. Exactly one of the following badge blass identifiers are allowed: "
    "badgeclass, badgeclassName, or badgeclassOpenBadgeId"
)
_DUPLICATE = "A previous award of this badge already exists for this recipient."
_IDENTIFIERS = ("badgeclass", "badgeclassName", "badgeclassOpenBadgeId")


async def award_by_class(call: Call) -> Answer:
    """Award the badge class of the path to one recipient (S3-30)."""
    badgeclass = badgeclass_for(call, call.path("id"))
    return await _award(call, badgeclass, None)


async def award_by_issuer(call: Call) -> Answer:
    """Award a badge class that the body names, of the issuer of the path (S3-29)."""
    issuer = issuer_for(call, call.path("id"))
    return await _award(call, None, issuer)


async def _award(call: Call, badgeclass: Row | None, issuer: Row | None) -> Answer:
    try:
        new = _check(call, call.data, badgeclass, issuer)
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
    await asyncio.sleep(call.sandbox.options.gap)
    return success([_save(call, new)], 201)


async def award_many(call: Call) -> Answer | Response:
    """Award a badge class to many: checked all or nothing, saved one by one (S3-31)."""
    badgeclass = badgeclass_for(call, call.path("id"))
    if isinstance(call.data, list):
        return Response(status_code=400)
    items = call.data.get("assertions")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServerBroke
    try:
        news = list_of(lambda item: _check(call, item, badgeclass, None))(items)
    except Invalid as invalid:
        raise invalid.as_api_error() from invalid
    await asyncio.sleep(call.sandbox.options.gap)
    saved = []
    for new in news[: call.visit.fate.saved]:
        saved.append(_save(call, new))
        await asyncio.sleep(0)  # each is saved by itself, and other calls come in between
    return success(saved, 201)


def _save(call: Call, new: NewAssertion) -> dict[str, Any]:
    sandbox = call.sandbox
    return show_assertion(sandbox.ledger.add(new, call.who, sandbox.clock()), call.base)


def _check(call: Call, data: Any, badgeclass: Row | None, issuer: Row | None) -> NewAssertion:
    """Read one award; raises Invalid as the service would."""
    values = clean(data, _schema(call))
    named = [name for name in _IDENTIFIERS if name in values]
    if len(named) + (badgeclass is not None) > 1:
        raise Invalid({"non_field_errors": [_MULTIPLE]})
    if "recipient" not in values:
        raise Invalid({"recipient": ["This field is required"]})
    chosen = badgeclass if badgeclass is not None else _named(call, named, values, issuer)
    recipient = values["recipient"]
    duplicates = values.get("allowDuplicateAwards", True)
    if not duplicates and call.sandbox.ledger.has_live(chosen["entity_id"], recipient.identity, call.now):
        raise Invalid({"non_field_errors": [_DUPLICATE]})
    if issuer is not None and chosen["issuer"] != issuer["entity_id"]:
        raise Invalid({"badgeclass": ["Could not find matching badgeclass for this issuer."]})
    return NewAssertion(
        badgeclass=chosen["entity_id"],
        issuer=chosen["issuer"],
        recipient=recipient,
        issued_on=values.get("issuedOn"),
        expires=values.get("expires"),
        narrative=values.get("narrative"),
        evidence=values.get("evidence", []),
        extensions=values.get("extensions", {}),
        notify=values.get("notify", False),
    )


def _schema(call: Call) -> dict[str, Field]:
    def by_id(value: Any) -> Row:
        row = call.sandbox.catalogue.badgeclass(text(value))
        if row is None or row["archived_at"] is not None:
            raise Invalid([f'Invalid entity_id "{value}" - object does not exist.'])
        return row

    def by_url(value: Any) -> Row:
        start = f"{call.base}/public/badges/"
        if not text(value).startswith(start):
            raise Invalid(["Invalid hyperlink - No URL match."])
        row = call.sandbox.catalogue.badgeclass(text(value).removeprefix(start))
        if row is None or row["archived_at"] is not None:
            raise Invalid(["Invalid hyperlink - Object does not exist."])
        return row

    return {
        **facts(call.now),
        "badgeclass": Field(by_id),
        "badgeclassOpenBadgeId": Field(by_url),
        "badgeclassName": Field(text),
        "notify": Field(boolean),
        "allowDuplicateAwards": Field(boolean),
    }


def _named(call: Call, named: list[str], values: dict[str, Any], issuer: Row | None) -> Row:
    """Return the badge class that the body names, by id, by URL or by name."""
    if not named:
        raise Invalid({"badgeclass": ["This field is required"]})
    if named != ["badgeclassName"]:
        row: Row = values[named[0]]
        return row
    name = values["badgeclassName"]
    rows = call.sandbox.catalogue.named(issuer["entity_id"], name) if issuer is not None else []
    if not rows:
        raise Invalid({"non_field_errors": [f"No matching BadgeClass found with name {name}"]})
    if len(rows) > 1:
        raise Invalid({"non_field_errors": [f"Could not award; {len(rows)} BadgeClasses with name {name}"]})
    return rows[0]
