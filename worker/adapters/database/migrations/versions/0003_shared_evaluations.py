"""Evaluations that several workers share.

Must run under the code of the release before: add, never rename or drop.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from worker.adapters.database.types import Id

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go up."""
    op.add_column("evaluations", sa.Column("reason", sa.Text(), server_default="rules", nullable=False))
    for name in ("people", "looked_at"):
        column = sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        op.add_column("evaluations", column)
    op.create_table(
        "evaluation_parts",
        sa.Column("badge_id", Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("after", Id, nullable=False),
        sa.Column("upto", Id, nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("worked_on_by", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("badge_id", "version", "after", name=op.f("pk_evaluation_parts")),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("evaluation_parts")
    for name in ("looked_at", "people", "reason"):
        op.drop_column("evaluations", name)
