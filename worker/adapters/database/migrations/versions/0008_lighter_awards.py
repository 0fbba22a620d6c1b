"""What an award costs: its lease is indexed once there is one, not from the beginning on.

Must run under the code of the release before: add, never rename or drop. An index is no more than speed. The
new one is there before the old one goes, so that readers wait for neither.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Go up."""
    there = sa.text("lease_id IS NOT NULL")
    op.create_index(
        "ix_awards_lease", "awards", ["lease_id"], unique=False, postgresql_where=there, sqlite_where=there
    )
    op.drop_index("ix_awards_lease_id", table_name="awards")


def downgrade() -> None:
    """Go down."""
    op.create_index("ix_awards_lease_id", "awards", ["lease_id"], unique=False)
    op.drop_index("ix_awards_lease", table_name="awards")
