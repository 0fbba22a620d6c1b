"""Who may touch what: anything one may not is not there (404, never 403)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.sandbox.answers import not_found
from worker.sandbox.catalogue import ROLES

if TYPE_CHECKING:
    from worker.sandbox.call import Call
    from worker.sandbox.store import Row


def issuer_for(call: Call, entity: str, role: str = "staff") -> Row:
    """Return an issuer that the caller works for in this role or a higher one."""
    row = call.sandbox.catalogue.issuer(entity)
    if row is None:
        raise not_found()
    held = call.sandbox.catalogue.role(row, call.who)
    if held is None or ROLES.index(held) < ROLES.index(role):
        raise not_found()
    return row


def badgeclass_for(call: Call, entity: str, role: str = "staff", *, archived: bool = False) -> Row:
    """Return a badge class of such an issuer; archived ones only if asked for."""
    row = call.sandbox.catalogue.badgeclass(entity)
    if row is None or (row["archived_at"] is not None and not archived):
        raise not_found()
    issuer_for(call, row["issuer"], role)
    return row


def assertion_for(call: Call, entity: str, role: str = "staff") -> Row:
    """Return an assertion of such an issuer."""
    row = call.sandbox.ledger.get(entity)
    if row is None:
        raise not_found()
    issuer_for(call, row["issuer"], role)
    return row


def issuers_of(call: Call, since: str = "") -> list[Row]:
    """Return the issuers that the caller works for."""
    return call.sandbox.catalogue.issuers_of(call.who.account, since)
