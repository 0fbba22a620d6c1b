"""Assertions: what is kept of each, how it is found again, how it is shown."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from worker.sandbox.moments import entity_id, shown, stored_epoch

if TYPE_CHECKING:
    from worker.sandbox.people import Bearer
    from worker.sandbox.store import Row, Store

_IMAGES = "/media/uploads/badges/assertion-"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom an award is for; `identity` as it was sent, only trimmed."""

    identity: str
    kind: str
    hashed: bool

    def kept(self) -> str:
        """Return the identity as the store keeps it: e-mail in lower case, of a URL the host."""
        if self.kind == "email":
            return self.identity.lower()
        if self.kind in {"url", "openBadgeId"}:
            parts = urlsplit(self.identity)
            return urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()))
        return self.identity


@dataclass(frozen=True, slots=True)
class NewAssertion:
    """An award that passed every check."""

    badgeclass: str
    issuer: str
    recipient: Recipient
    issued_on: str | None
    expires: str | None
    narrative: str | None
    evidence: list[dict[str, Any]]
    extensions: dict[str, Any]
    notify: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assertions a list asks for: `column` is ``badgeclass`` or ``issuer``."""

    column: str
    entity: str
    recipients: tuple[str, ...]
    expired: bool
    revoked: bool


class Ledger:
    """The assertions of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, new: NewAssertion, bearer: Bearer, now: float) -> Row:
        """Save an assertion; nothing here forbids a second one for the same recipient."""
        moment = stored_epoch(now)
        entity = entity_id()
        self._store.insert(
            "assertions",
            entity_id=entity,
            badgeclass=new.badgeclass,
            issuer=new.issuer,
            account=bearer.account,
            created_by=bearer.entity_id,
            **recipient_columns(new.recipient),
            issued_on=new.issued_on or moment,
            expires=new.expires,
            narrative=new.narrative,
            evidence=json.dumps(new.evidence),
            extensions=json.dumps(new.extensions),
            image=f"{_IMAGES}{entity}.png",
            acceptance="Unaccepted",
            notify=int(new.notify),
            created_at=moment,
            updated_at=moment,
        )
        row = self.get(entity)
        assert row is not None  # noqa: S101  # just inserted
        return row

    def get(self, entity: str) -> Row | None:
        """Return an assertion by its id."""
        return self._store.one("SELECT * FROM assertions WHERE entity_id = ?", entity)

    def has_live(self, badgeclass: str, identity: str, now: float) -> bool:
        """Say whether a class was awarded to exactly this identity, neither revoked nor expired.

        The identity is compared as it was sent with what is kept, which is lower case: so one sent in
        upper case slips through, as with the real service.
        """
        return (
            self._store.one(
                "SELECT 1 FROM assertions WHERE badgeclass = ? AND recipient = ? AND revoked = 0"
                " AND (expires IS NULL OR expires > ?)",
                badgeclass,
                identity,
                stored_epoch(now),
            )
            is not None
        )

    def live_in(self, column: str, entity: str, now: float | None = None) -> bool:
        """Say whether a class or an issuer (`column`) has assertions not revoked (nor, at `now`, expired)."""
        expiry = "9" if now is None else stored_epoch(now)
        alive = "" if now is None else "AND (expires IS NULL OR expires > ?)"
        sql = f"SELECT 1 FROM assertions WHERE {column} = ? AND revoked = 0 {alive}"  # noqa: S608  # our own names
        values = (entity,) if now is None else (entity, expiry)
        return self._store.one(sql, *values) is not None

    def find(
        self,
        wanted: Wanted,
        now: float,
        *,
        order: str = "seq",
        beyond: tuple[str, int] | None = None,
        limit: int = -1,
    ) -> list[Row]:
        """Return the assertions that a list asks for, in `order`, beyond a place if one is given."""
        clauses, values = [f"{wanted.column} = ?"], [wanted.entity]
        more: list[Any] = []
        if wanted.recipients:
            clauses.append(f"recipient IN ({', '.join('?' * len(wanted.recipients))})")
            more += wanted.recipients
        if not wanted.revoked:
            clauses.append("revoked = 0")
        if not wanted.expired:
            clauses.append("(expires IS NULL OR expires > ?)")
            more.append(stored_epoch(now))
        if beyond is not None:
            clauses.append(f"seq {beyond[0]} ?")
            more.append(beyond[1])
        sql = f"SELECT * FROM assertions WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ?"  # noqa: S608  # our own names
        return self._store.all(sql, (*values, *more, limit))

    def changed(
        self, issuers: list[str], place: tuple[str, int], limit: int, *, backwards: bool
    ) -> list[Row]:
        """Return what changed after (instant, number), or before it, nearest first; all states included."""
        marks = ", ".join("?" * len(issuers))
        sign, order = ("<", "DESC") if backwards else (">", "ASC")
        sql = (
            f"SELECT * FROM assertions WHERE issuer IN ({marks}) AND (updated_at, seq) {sign} (?, ?)"  # noqa: S608  # our own words
            f" ORDER BY updated_at {order}, seq {order} LIMIT ?"
        )
        return self._store.all(sql, (*issuers, *place, limit))

    def of_recipient(self, addresses: list[str]) -> list[Row]:
        """Return what stands in the backpack of one who has these addresses; rejected ones never do."""
        marks = ", ".join("?" * len(addresses))
        sql = (
            f"SELECT * FROM assertions WHERE recipient IN ({marks})"  # noqa: S608  # marks only
            " AND acceptance != 'Rejected' ORDER BY seq"
        )
        return self._store.all(sql, addresses)

    def revoke(self, entity: str, reason: str, now: float) -> None:
        """Revoke for good; the picture goes."""
        self.change(entity, now, revoked=1, revocation_reason=reason, image=None)

    def change(self, entity: str, now: float, **values: Any) -> None:
        """Change columns of an assertion."""
        self._store.update("assertions", entity, **values, updated_at=stored_epoch(now))

    def rebake(self, badgeclass: str, now: float) -> None:
        """Give every assertion of a class that still has a picture a new one."""
        rows = self._store.all(
            "SELECT entity_id FROM assertions WHERE badgeclass = ? AND revoked = 0", (badgeclass,)
        )
        for row in rows:
            self.change(row["entity_id"], now, image=new_image(row["entity_id"]))

    def slice(self, after: int, limit: int) -> list[Row]:
        """Return the next assertions after number `after`, of all accounts."""
        return self._store.all("SELECT * FROM assertions WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))


def new_image(entity: str) -> str:
    """Return the path of a picture baked anew: another one than before."""
    return f"{_IMAGES}{entity}_{secrets.token_hex(4)}.png"


def recipient_columns(recipient: Recipient) -> dict[str, Any]:
    """Return the columns that a recipient fills; each assertion has a salt of its own."""
    return {
        "recipient": recipient.kept(),
        "recipient_type": recipient.kind,
        "hashed": int(recipient.hashed),
        "salt": secrets.token_hex(16) if recipient.hashed else None,
    }


def hashed_identity(row: Row) -> str:
    """Return the identity as others see it: hashed with the salt, or plain."""
    if not row["hashed"]:
        return str(row["recipient"])
    return "sha256$" + hashlib.sha256((row["recipient"].lower() + row["salt"]).encode()).hexdigest()


def show_assertion(row: Row, base: str) -> dict[str, Any]:
    """Return an assertion as answers show it (facts/badgr-api.md section 5)."""
    recipient = {
        "identity": hashed_identity(row),
        "hashed": bool(row["hashed"]),
        "type": row["recipient_type"],
        "plaintextIdentity": row["recipient"],
    }
    if row["hashed"]:
        recipient["salt"] = row["salt"]
    return {
        "entityType": "Assertion",
        "entityId": row["entity_id"],
        "openBadgeId": f"{base}/public/assertions/{row['entity_id']}",
        "createdAt": shown(row["created_at"]),
        "createdBy": row["created_by"],
        "badgeclass": row["badgeclass"],
        "badgeclassOpenBadgeId": f"{base}/public/badges/{row['badgeclass']}",
        "issuer": row["issuer"],
        "issuerOpenBadgeId": f"{base}/public/issuers/{row['issuer']}",
        "image": None if row["image"] is None else base + row["image"],
        "recipient": recipient,
        "issuedOn": shown(row["issued_on"]),
        "narrative": row["narrative"],
        "evidence": json.loads(row["evidence"]),
        "revoked": bool(row["revoked"]),
        "revocationReason": row["revocation_reason"],
        "acceptance": row["acceptance"],
        "expires": shown(row["expires"]),
        "extensions": json.loads(row["extensions"]),
    }
