"""Issuers and their badge classes: what is kept, who may touch it, how it is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from worker.sandbox.moments import entity_id, shown, stored_epoch

if TYPE_CHECKING:
    from worker.sandbox.options import SeedBadgeClass
    from worker.sandbox.people import Bearer
    from worker.sandbox.store import Row, Store

ROLES = ("staff", "editor", "owner")

# One grey pixel.
SEED_IMAGE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5"
    "ErkJggg=="
)


class Catalogue:
    """Issuers and badge classes in the store. An open issuer is everybody's; others have their staff."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def seed(self, seed: SeedBadgeClass, now: float) -> None:
        """Make a badge class and its issuer exist, open to every account; what is there stays."""
        if self.issuer(seed.issuer) is None:
            document: dict[str, Any] = {
                "name": seed.issuer,
                "image": None,
                "email": "badges@example.org",
                "description": "",
                "url": "https://example.org",
                "extensions": {},
            }
            self._insert_issuer(seed.issuer, None, document, now, is_open=True)
        if self.badgeclass(seed.id) is None:
            self.add_badgeclass(seed.issuer, None, new_class_document(seed.name), now, entity=seed.id)

    def role(self, issuer: Row, bearer: Bearer) -> str | None:
        """Return what the caller is to an issuer, or None."""
        confined = bearer.only_issuer()
        if confined not in (None, issuer["entity_id"]):
            return None
        if issuer["open"]:
            return "owner"
        row = self._store.one(
            "SELECT role FROM staff WHERE issuer = ? AND account = ?", issuer["entity_id"], bearer.account
        )
        return None if row is None else str(row["role"])

    def issuer(self, entity: str) -> Row | None:
        """Return an issuer by its id."""
        return self._store.one("SELECT * FROM issuers WHERE entity_id = ?", entity)

    def issuers_of(self, account: str, since: str = "") -> list[Row]:
        """Return the issuers that an account works for, in the order in which they changed."""
        return self._store.all(
            "SELECT * FROM issuers WHERE updated_at > ? AND (open OR entity_id IN"
            " (SELECT issuer FROM staff WHERE account = ?)) ORDER BY updated_at, seq",
            (since, account),
        )

    def add_issuer(self, account: str, user: str, document: dict[str, Any], now: float) -> Row:
        """Keep a new issuer; who makes it owns it."""
        entity = entity_id()
        self._insert_issuer(entity, user, document, now)
        self._store.insert("staff", issuer=entity, account=account, role="owner")
        row = self.issuer(entity)
        assert row is not None  # noqa: S101  # just inserted
        return row

    def _insert_issuer(
        self, entity: str, user: str | None, document: dict[str, Any], now: float, *, is_open: bool = False
    ) -> None:
        moment = stored_epoch(now)
        self._store.insert(
            "issuers",
            entity_id=entity,
            created_by=user,
            open=int(is_open),
            document=json.dumps(document),
            created_at=moment,
            updated_at=moment,
        )

    def change(self, table: str, entity: str, document: dict[str, Any], now: float) -> None:
        """Replace the document of an issuer or a badge class."""
        self._store.update(table, entity, document=json.dumps(document), updated_at=stored_epoch(now))

    def staff(self, issuer: str) -> list[Row]:
        """Return an issuer's people with their names."""
        return self._store.all(
            "SELECT s.role, a.* FROM staff s JOIN accounts a USING (account)"
            " WHERE s.issuer = ? ORDER BY s.rowid",
            (issuer,),
        )

    def set_staff(self, issuer: str, wanted: dict[str, str]) -> None:
        """Add and remove people. The role of one who stays does not change, as with the real service."""
        for row in self.staff(issuer):
            if row["account"] not in wanted:
                self._store.run("DELETE FROM staff WHERE issuer = ? AND account = ?", issuer, row["account"])
        for account, role in wanted.items():
            self._store.run("INSERT OR IGNORE INTO staff VALUES (?, ?, ?)", issuer, account, role)

    def delete_issuer(self, entity: str) -> None:
        """Delete an issuer with its people and unused badge classes."""
        self._store.run("DELETE FROM badgeclasses WHERE issuer = ?", entity)
        self._store.run("DELETE FROM staff WHERE issuer = ?", entity)
        self._store.run("DELETE FROM issuers WHERE entity_id = ?", entity)

    def badgeclass(self, entity: str) -> Row | None:
        """Return a badge class by its id."""
        return self._store.one("SELECT * FROM badgeclasses WHERE entity_id = ?", entity)

    def named(self, issuer: str, name: str) -> list[Row]:
        """Return an issuer's badge classes of this name, whatever its case."""
        rows = self.badgeclasses([issuer], archived=False)
        return [row for row in rows if json.loads(row["document"])["name"].lower() == name.lower()]

    def badgeclasses(self, issuers: list[str], *, archived: bool) -> list[Row]:
        """Return the badge classes of these issuers, oldest first."""
        marks = ", ".join("?" * len(issuers))
        hidden = "" if archived else "AND archived_at IS NULL"
        sql = f"SELECT * FROM badgeclasses WHERE issuer IN ({marks}) {hidden} ORDER BY seq"  # noqa: S608  # marks only
        return self._store.all(sql, issuers)

    def add_badgeclass(
        self, issuer: str, user: str | None, document: dict[str, Any], now: float, entity: str | None = None
    ) -> Row:
        """Keep a new badge class."""
        entity = entity or entity_id()
        moment = stored_epoch(now)
        self._store.insert(
            "badgeclasses",
            entity_id=entity,
            issuer=issuer,
            created_by=user,
            document=json.dumps(document),
            created_at=moment,
            updated_at=moment,
        )
        row = self.badgeclass(entity)
        assert row is not None  # noqa: S101  # just inserted
        return row

    def archive(self, entity: str, note: str | None, now: float | None) -> None:
        """Archive a badge class, or bring it back (`now` None)."""
        moment = None if now is None else stored_epoch(now)
        self._store.update("badgeclasses", entity, archived_at=moment, archival_note=note)

    def delete_badgeclass(self, entity: str) -> None:
        """Delete a badge class with its assertions, all of them revoked, and its claim codes."""
        self._store.run("DELETE FROM assertions WHERE badgeclass = ?", entity)
        self._store.run("DELETE FROM claim_codes WHERE badgeclass = ?", entity)
        self._store.run("DELETE FROM badgeclasses WHERE entity_id = ?", entity)


def new_class_document(name: str) -> dict[str, Any]:
    """Return what a badge class holds when nothing but its name is said."""
    return {
        "name": name,
        "image": SEED_IMAGE,
        "imageName": entity_id(),
        "description": name,
        "criteriaUrl": None,
        "criteriaNarrative": None,
        "alignments": [],
        "tags": [],
        "expires": None,
        "extensions": {},
    }


def image_url(base: str, document: dict[str, Any], kind: str) -> str | None:
    """Return where the picture is to be had."""
    data = document.get("image")
    if not data:
        return None
    if not data.startswith("data:"):
        return str(data)
    suffix = "svg" if data.startswith("data:image/svg") else "png"
    return f"{base}/media/uploads/{kind}_{document.get('imageName')}.{suffix}"


def show_badgeclass(row: Row, base: str) -> dict[str, Any]:
    """Return a badge class as answers show it (S3 BadgeClassOut, with the hosted `archived` fields)."""
    document = json.loads(row["document"])
    return {
        "entityType": "BadgeClass",
        "entityId": row["entity_id"],
        "openBadgeId": f"{base}/public/badges/{row['entity_id']}",
        "createdAt": shown(row["created_at"]),
        "createdBy": row["created_by"],
        "issuer": row["issuer"],
        "issuerOpenBadgeId": f"{base}/public/issuers/{row['issuer']}",
        **{name: value for name, value in document.items() if name != "imageName"},
        "image": image_url(base, document, "badges/issuer_badgeclass"),
        "archived": row["archived_at"] is not None,
        "archivedDate": shown(row["archived_at"]),
        "archivalNote": row["archival_note"],
    }


def show_issuer(row: Row, staff: list[Row], base: str) -> dict[str, Any]:
    """Return an issuer as answers show it (S3 IssuerOut)."""
    document = json.loads(row["document"])
    return {
        "entityType": "Issuer",
        "entityId": row["entity_id"],
        "openBadgeId": f"{base}/public/issuers/{row['entity_id']}",
        "createdAt": shown(row["created_at"]),
        "createdBy": row["created_by"],
        **{name: value for name, value in document.items() if name != "imageName"},
        "image": image_url(base, document, "issuers/issuer_logo"),
        "staff": [_show_member(member) for member in staff],
        "badgrDomain": base.partition("://")[2],
    }


def _show_member(member: Row) -> dict[str, Any]:
    return {
        "entityType": "IssuerStaff",
        "userProfile": {
            "entityType": "BadgeUser",
            "entityId": member["entity_id"],
            "firstName": member["first_name"],
            "lastName": member["last_name"],
            "emails": [],
            "url": [],
            "telephone": [],
        },
        "user": member["entity_id"],
        "role": member["role"],
    }
