"""Revoking and reconciling.

Must run under the code of the release before: add, never rename or drop.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from worker.adapters.database.types import Id, Instant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go up."""
    op.add_column("awards", sa.Column("revoke_reason", sa.Text(), nullable=True))
    op.add_column("issuers", sa.Column("revocations_admitted_at", Instant, nullable=True))
    revoking = sa.text("state = 'revoking'")
    op.create_index(
        "ix_awards_revoking",
        "awards",
        ["issuer", "due_at"],
        unique=False,
        postgresql_where=revoking,
        sqlite_where=revoking,
    )
    op.create_table(
        "reconciliations",
        sa.Column("issuer", Id, nullable=False),
        sa.Column("changed_to", Instant, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("issuer", name=op.f("pk_reconciliations")),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("reconciliations")
    op.drop_index("ix_awards_revoking", table_name="awards")
    op.drop_column("issuers", "revocations_admitted_at")
    op.drop_column("awards", "revoke_reason")
