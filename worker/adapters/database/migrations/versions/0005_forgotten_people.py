"""Forgotten people: the hashes by which later news of them is recognised.

Must run under the code of the release before: add, never rename or drop. Consumers of the release before do
not look at them: forget nobody while one of those runs.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from worker.adapters.database.types import Id

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "forgotten",
        sa.Column("hash", Id, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_forgotten"),
    )
    op.add_column(
        "rulebook", sa.Column("forgotten", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.create_index("ix_recipients_user_id", "recipients", ["user_id"], unique=False)


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_recipients_user_id", table_name="recipients")
    op.drop_column("rulebook", "forgotten")
    op.drop_table("forgotten")
