"""Users by uuid: an index, so that the user context of a request is found without reading every user.

Must run under the code of the release before: add, never rename or drop.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Go up."""
    told = sa.text("uuid IS NOT NULL")
    op.create_index(
        "ix_users_uuid", "users", ["uuid"], unique=False, postgresql_where=told, sqlite_where=told
    )


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_users_uuid", table_name="users")
