"""The sandbox's own doors: what it holds, what it was asked, what shall go wrong (contract section 6)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from worker.sandbox.moments import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_SLICE = 500


def assertions(call: Call) -> Response:
    """List every assertion, whoever made it, and after them what was issued on the Credly side."""

    def fetch(after: int) -> list[tuple[int, dict[str, Any]]]:
        rows = call.sandbox.ledger.slice(after, _SLICE)
        return [(row["seq"], _show(row, call.base)) for row in rows]

    def fetch_from_credly(after: int) -> list[tuple[int, dict[str, Any]]]:
        rows = call.sandbox.shelf.slice(after, _SLICE)
        return [(row["seq"], _show_from_credly(row, call.base)) for row in rows]

    return StreamingResponse(_array(fetch, fetch_from_credly), media_type="application/json")


def _show(row: Row, base: str) -> dict[str, Any]:
    return {
        "entityId": row["entity_id"],
        "badgeclass": row["badgeclass"],
        "issuer": row["issuer"],
        "recipient": row["recipient"],
        "issuedOn": shown(row["issued_on"]),
        "expires": shown(row["expires"]),
        "revoked": bool(row["revoked"]),
        "revocationReason": row["revocation_reason"],
        "notify": bool(row["notify"]),
        "createdAt": shown(row["created_at"]),
        "url": f"{base}/public/assertions/{row['entity_id']}",
        "account": row["account"],
        "provider": "badgr",
    }


def _show_from_credly(row: Row, base: str) -> dict[str, Any]:
    return {
        "entityId": row["entity_id"],
        "badgeclass": row["template"],
        "issuer": row["organization"],
        "recipient": row["recipient"],
        "issuedOn": shown(row["issued_at"]),
        "expires": shown(row["expires_at"]),
        "revoked": row["state"] == "revoked",
        "revocationReason": row["revocation_reason"],
        "notify": bool(row["notify"]),
        "createdAt": shown(row["created_at"]),
        "url": f"{base}/badges/{row['entity_id']}",
        "account": row["account"],
        "provider": "credly",
        "earner": row["earner"],
        "names": [row["first_name"], row["last_name"]],
    }


def calls(call: Call) -> Response:
    """List every call, or those since an epoch time."""
    try:
        since = float(call.request.query_params.get("since", "-inf"))
    except ValueError:
        return JSONResponse({"error": "since is a time in epoch seconds"}, 400)

    def fetch(after: int) -> list[tuple[int, dict[str, Any]]]:
        return call.sandbox.calls.slice(since, after, _SLICE)

    return StreamingResponse(_array(fetch), media_type="application/json")


async def _array(*sources: Callable[[int], list[tuple[int, dict[str, Any]]]]) -> AsyncIterator[str]:
    """Write a long JSON array slice by slice: calls that arrive meanwhile are not kept waiting."""
    yield "["
    comma = ""
    for fetch in sources:
        after = 0
        while rows := fetch(after):
            yield comma + ",\n".join(json.dumps(shown_row) for _, shown_row in rows)
            after, comma = rows[-1][0], ",\n"
            await asyncio.sleep(0)
    yield "]\n"


def recoveries(call: Call) -> Response:
    """List the tokens that would stand in the mails for forgotten passwords, newest last."""
    tokens = call.sandbox.recoveries.items()
    return JSONResponse([{"token": token, "email": address} for token, address in tokens])


def list_faults(call: Call) -> Response:
    """Show the rules in force, with how often each was applied."""
    return JSONResponse(call.sandbox.faults.listed())


def add_faults(call: Call) -> Response:
    """Add rules to those in force."""
    try:
        call.sandbox.faults.add(json.loads(call.visit.body))
    except ValidationError as error:
        return JSONResponse({"errors": json.loads(error.json(include_url=False, include_input=False))}, 400)
    except ValueError as error:
        return JSONResponse({"errors": [{"msg": str(error)}]}, 400)
    return JSONResponse(call.sandbox.faults.listed(), 201)


def clear_faults(call: Call) -> Response:
    """Take every rule away."""
    call.sandbox.faults.clear()
    return Response(status_code=204)
