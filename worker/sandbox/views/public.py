"""What everybody may see: Open Badges 2.0 documents, pictures, health."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, RedirectResponse, Response

from worker.sandbox.answers import Answer, unknown_page
from worker.sandbox.catalogue import SEED_IMAGE, image_url
from worker.sandbox.ledger import hashed_identity
from worker.sandbox.moments import shown_offset

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_CONTEXT = "https://w3id.org/openbadges/v2"


def assertion(call: Call) -> Answer | Response:
    """Show an assertion; a revoked one is answered 200 with little more than that it is revoked."""
    row = call.sandbox.ledger.get(call.path("id"))
    if row is None:
        return unknown_page()
    head = {
        "@context": _CONTEXT,
        "type": "Assertion",
        "id": f"{call.base}/public/assertions/{row['entity_id']}",
    }
    if row["revoked"]:
        return Answer({**head, "revoked": True, "revocationReason": row["revocation_reason"]})
    return Answer({**head, **_facts(row, call.base)})


def _facts(row: Row, base: str) -> dict[str, Any]:
    recipient = {
        "type": row["recipient_type"],
        "identity": hashed_identity(row),
        "hashed": bool(row["hashed"]),
    }
    if row["hashed"]:
        recipient["salt"] = row["salt"]
    shown = {
        "recipient": recipient,
        "badge": f"{base}/public/badges/{row['badgeclass']}",
        "image": f"{base}/public/assertions/{row['entity_id']}/image",
        "issuedOn": shown_offset(row["issued_on"]),
        "verification": {"type": "HostedBadge"},
        "narrative": row["narrative"],
        "evidence": json.loads(row["evidence"]) or None,
        "expires": shown_offset(row["expires"]) if row["expires"] else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def badgeclass(call: Call) -> Answer | Response:
    """Show a badge class."""
    row = call.sandbox.catalogue.badgeclass(call.path("id"))
    if row is None:
        return unknown_page()
    document = json.loads(row["document"])
    url = f"{call.base}/public/badges/{row['entity_id']}"
    return Answer(
        {
            "@context": _CONTEXT,
            "type": "BadgeClass",
            "id": url,
            "name": document["name"],
            "description": document["description"],
            "image": f"{url}/image",
            "criteria": {
                "id": document["criteriaUrl"] or url,
                "narrative": document["criteriaNarrative"] or "",
            },
            "issuer": f"{call.base}/public/issuers/{row['issuer']}",
            "tags": document["tags"],
            "alignment": document["alignments"],
        }
    )


def issuer(call: Call) -> Answer | Response:
    """Show an issuer."""
    row = call.sandbox.catalogue.issuer(call.path("id"))
    if row is None:
        return unknown_page()
    document = json.loads(row["document"])
    return Answer(
        {
            "@context": _CONTEXT,
            "type": "Issuer",
            "id": f"{call.base}/public/issuers/{row['entity_id']}",
            "name": document["name"],
            "url": document["url"],
            "email": document["email"],
            "description": document["description"],
        }
    )


def badgeclass_image(call: Call) -> Response:
    """Lead to the picture of a badge class."""
    row = call.sandbox.catalogue.badgeclass(call.path("id"))
    url = row and image_url(call.base, json.loads(row["document"]), "badges/issuer_badgeclass")
    return RedirectResponse(url, 302) if url else unknown_page()


def assertion_image(call: Call) -> Response:
    """Lead to the picture of an assertion; a revoked one has none."""
    row = call.sandbox.ledger.get(call.path("id"))
    return RedirectResponse(call.base + row["image"], 302) if row and row["image"] else unknown_page()


def picture(call: Call) -> Response:
    """Show a picture: all look alike here, but a path that an update has left behind is gone."""
    path = f"/media/uploads/{call.path('rest')}"
    if "/assertion-" in path and not call.sandbox.store.one("SELECT 1 FROM assertions WHERE image = ?", path):
        return unknown_page()
    return Response(base64.b64decode(SEED_IMAGE.partition(",")[2]), media_type="image/png")


def health(_call: Call) -> Response:
    """Say that the sandbox is there."""
    return JSONResponse({"overall_status": "OK"})
