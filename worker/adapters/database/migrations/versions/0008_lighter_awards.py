"""What an award costs: its lease and its assertion are indexed once there is one, not from the beginning on.

Must run under the code of the release before: add, never rename or drop. An index is no more than speed, and
what is unique among the assertions that there are stays so.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_INDEXES: list[tuple[str, list[str], bool]] = [
    ("ix_awards_lease_id", ["lease_id"], False),
    ("ix_awards_issuer_assertion_id", ["issuer", "assertion_id"], True),
]


def upgrade() -> None:
    """Go up."""
    for name, columns, unique in _INDEXES:
        there = sa.text(f"{columns[-1]} IS NOT NULL")
        _anew(name, columns, unique=unique, postgresql_where=there, sqlite_where=there)


def downgrade() -> None:
    """Go down."""
    for name, columns, unique in _INDEXES:
        _anew(name, columns, unique=unique)


def _anew(name: str, columns: list[str], **options: Any) -> None:
    op.drop_index(name, table_name="awards")
    op.create_index(name, "awards", columns, **options)
