"""When a badge was earned last: an index, so that monitoring asks for it without reading every award.

Must run under the code of the release before: add, never rename or drop.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Go up."""
    op.create_index("ix_awards_badge_id_decided_at", "awards", ["badge_id", "decided_at"], unique=False)


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_awards_badge_id_decided_at", table_name="awards")
