"""What the Credly side keeps: templates and issued badges."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from worker.sandbox.moments import stored_epoch

if TYPE_CHECKING:
    from worker.sandbox.options import SeedTemplate
    from worker.sandbox.store import Row, Store


class Shelf:
    """The templates and badges of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def seed(self, seed: SeedTemplate, now: float) -> None:
        """Make a template exist; one that is there stays."""
        if self.template(seed.organization, seed.id) is None:
            self._store.insert(
                "credly_templates",
                entity_id=seed.id,
                organization=seed.organization,
                name=seed.name,
                document=json.dumps(dict(seed.fields)),
                created_at=stored_epoch(now),
                updated_at=stored_epoch(now),
            )

    def knows(self, organization: str) -> bool:
        """Say whether there is such an organization: one that has a template."""
        sql = "SELECT 1 FROM credly_templates WHERE organization = ?"
        return self._store.one(sql, organization) is not None

    def template(self, organization: str, entity: str) -> Row | None:
        """Return a template of an organization."""
        return self._store.one(
            "SELECT * FROM credly_templates WHERE organization = ? AND entity_id = ?", organization, entity
        )

    def templates(self, organization: str) -> list[Row]:
        """Return an organization's templates, oldest first."""
        return self._store.all(
            "SELECT * FROM credly_templates WHERE organization = ? ORDER BY seq", (organization,)
        )

    def change_template(self, entity: str, now: float, **fields: Any) -> None:
        """Change fields of a template, as somebody would on the web site."""
        row = self._store.one("SELECT document FROM credly_templates WHERE entity_id = ?", entity)
        document = {**json.loads(row["document"] if row else "{}"), **fields}
        self._store.update(
            "credly_templates", entity, document=json.dumps(document), updated_at=stored_epoch(now)
        )

    def counts(self, organization: str) -> dict[str, int]:
        """Return how many badges were issued of each template."""
        rows = self._store.all(
            "SELECT template, count(*) AS badges FROM credly_badges WHERE organization = ? GROUP BY template",
            (organization,),
        )
        return {row["template"]: row["badges"] for row in rows}

    def add(self, organization: str, account: str, now: float, values: dict[str, Any]) -> Row:
        """Keep a new badge."""
        moment, entity = stored_epoch(now), str(uuid.uuid4())
        self._store.insert(
            "credly_badges",
            entity_id=entity,
            organization=organization,
            account=account,
            state="pending",
            created_at=moment,
            updated_at=moment,
            **values,
        )
        row = self.badge(organization, entity)
        assert row is not None  # noqa: S101  # just inserted
        return row

    def badge(self, organization: str, entity: str) -> Row | None:
        """Return a badge of an organization."""
        return self._store.one(
            "SELECT * FROM credly_badges WHERE organization = ? AND entity_id = ?", organization, entity
        )

    def public(self, entity: str) -> Row | None:
        """Return a badge by its id alone."""
        return self._store.one("SELECT * FROM credly_badges WHERE entity_id = ?", entity)

    def badges(self, organization: str) -> list[Row]:
        """Return an organization's badges, oldest first."""
        return self._store.all(
            "SELECT * FROM credly_badges WHERE organization = ? ORDER BY seq", (organization,)
        )

    def twins(self, template: str, recipient: str, person: str, earner: str | None, now: float) -> bool:
        """Say whether a badge of the template is one of the same address, person, or earner's id.

        Revoked and expired ones are none.
        """
        return (
            self._store.one(
                "SELECT 1 FROM credly_badges WHERE template = ? AND state != 'revoked'"
                " AND (expires_at IS NULL OR expires_at > ?)"
                " AND (recipient = ? OR person = ? OR earner = ?)",
                template,
                stored_epoch(now),
                recipient,
                person,
                earner,
            )
            is not None
        )

    def revoke(self, entity: str, reason: str, now: float) -> None:
        """Revoke a badge for good."""
        moment = stored_epoch(now)
        self._store.update(
            "credly_badges",
            entity,
            state="revoked",
            revocation_reason=reason,
            state_updated_at=moment,
            updated_at=moment,
        )

    def delete(self, entity: str) -> None:
        """Delete a badge."""
        self._store.run("DELETE FROM credly_badges WHERE entity_id = ?", entity)

    def slice(self, after: int, limit: int) -> list[Row]:
        """Return the next badges after number `after`, of all organizations."""
        return self._store.all(
            "SELECT * FROM credly_badges WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
