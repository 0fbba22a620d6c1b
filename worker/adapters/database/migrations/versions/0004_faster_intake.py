"""What intake costs: an index only where its order is asked for, and room for rows that change often.

Must run under the code of the release before: add, never rename or drop. An index is no more than speed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go up."""
    connected = sa.text("kind = 'connected'")
    op.create_index(
        "ix_activities_connected",
        "activities",
        ["user_id", "kind", "counted_at"],
        unique=False,
        postgresql_where=connected,
        sqlite_where=connected,
    )
    op.drop_index("ix_activities_user_id_kind_counted_at", table_name="activities")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE users SET (fillfactor = 80)")
        op.execute("ALTER TABLE counts SET (fillfactor = 60)")


def downgrade() -> None:
    """Go down."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE counts RESET (fillfactor)")
        op.execute("ALTER TABLE users RESET (fillfactor)")
    op.create_index(
        "ix_activities_user_id_kind_counted_at", "activities", ["user_id", "kind", "counted_at"], unique=False
    )
    op.drop_index("ix_activities_connected", table_name="activities")
