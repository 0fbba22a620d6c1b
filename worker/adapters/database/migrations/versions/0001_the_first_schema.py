"""The first schema.

Must run under the code of the release before: add, never rename or drop.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from worker.adapters.database.types import Id, Instant, Json

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "activities",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("kind", Id, nullable=False),
        sa.Column("object_id", Id, nullable=False),
        sa.Column("first_at", Instant, nullable=True),
        sa.Column("last_at", Instant, nullable=True),
        sa.Column("removed_at", Instant, nullable=True),
        sa.Column("counted_at", Instant, nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind", "object_id", name=op.f("pk_activities")),
    )
    op.create_index(
        "ix_activities_user_id_kind_counted_at", "activities", ["user_id", "kind", "counted_at"], unique=False
    )
    op.create_table(
        "award_history",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("badge_id", Id, nullable=False),
        sa.Column("entry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", Json, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "badge_id", "entry", name=op.f("pk_award_history")),
    )
    op.create_table(
        "awards",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("badge_id", Id, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("issuer", Id, nullable=True),
        sa.Column("definition_version", sa.Integer(), nullable=False),
        sa.Column("earned_at", Instant, nullable=False),
        sa.Column("decided_at", Instant, nullable=False),
        sa.Column("because", Json, nullable=False),
        sa.Column("backfilled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_id", sa.Text(), nullable=True),
        sa.Column("lease_until", Instant, nullable=True),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("badgeclass", sa.Text(), nullable=True),
        sa.Column("uncertain", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("assertion_id", Id, nullable=True),
        sa.Column("assertion_url", sa.Text(), nullable=True),
        sa.Column("issued_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("user_id", "badge_id", name=op.f("pk_awards")),
    )
    op.create_index("ix_awards_badge_id_state", "awards", ["badge_id", "state"], unique=False)
    op.create_index(
        "ix_awards_due",
        "awards",
        ["badge_id", "backfilled", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_awards_issuer_assertion_id", "awards", ["issuer", "assertion_id"], unique=True)
    op.create_index("ix_awards_lease_id", "awards", ["lease_id"], unique=False)
    op.create_index(
        "ix_awards_leased",
        "awards",
        ["issuer", "lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'issuing'"),
        sqlite_where=sa.text("state = 'issuing'"),
    )
    op.create_table(
        "badges",
        sa.Column("id", Id, nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("issuer", Id, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("admitted_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badges")),
    )
    op.create_table(
        "blocks",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "at", "blocked", name=op.f("pk_blocks")),
    )
    op.create_table(
        "counts",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("kind", Id, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_counts")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", Id, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("replayed_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index("ix_dead_letters_received_at", "dead_letters", ["received_at"], unique=False)
    op.create_table(
        "evaluations",
        sa.Column("badge_id", Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", Id, nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("finished_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("badge_id", "version", name=op.f("pk_evaluations")),
    )
    op.create_table(
        "issuers",
        sa.Column("id", Id, nullable=False),
        sa.Column("definition", Json, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuers")),
    )
    op.create_table(
        "recipients",
        sa.Column("badge_id", Id, nullable=False),
        sa.Column("recipient", Id, nullable=False),
        sa.Column("user_id", Id, nullable=False),
        sa.PrimaryKeyConstraint("badge_id", "recipient", name=op.f("pk_recipients")),
    )
    op.create_table(
        "rulebook",
        sa.Column("only", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("swept_to", Instant, nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_rulebook")),
    )
    op.create_table(
        "users",
        sa.Column("user_id", Id, nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_at", Instant, nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("first_name_at", Instant, nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("last_name_at", Instant, nullable=True),
        sa.Column("uuid", sa.Text(), nullable=True),
        sa.Column("uuid_at", Instant, nullable=True),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("scope_at", Instant, nullable=True),
        sa.Column("registered_at", Instant, nullable=True),
        sa.Column("deleted_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
    )
    op.create_index("ix_users_registered_at", "users", ["registered_at"], unique=False)
    # Account ages are swept from the day of installation on; what fell due before is awarded as it comes in.
    rulebook = sa.table(
        "rulebook",
        sa.column("only", sa.Integer),
        sa.column("version", sa.Integer),
        sa.column("swept_to", Instant),
    )
    op.bulk_insert(rulebook, [{"only": 1, "version": 0, "swept_to": datetime.now(UTC)}])


def downgrade() -> None:
    """Go down."""
    op.drop_table("activities")
    op.drop_table("award_history")
    op.drop_table("awards")
    op.drop_table("badges")
    op.drop_table("blocks")
    op.drop_table("counts")
    op.drop_table("dead_letters")
    op.drop_table("evaluations")
    op.drop_table("issuers")
    op.drop_table("recipients")
    op.drop_table("rulebook")
    op.drop_table("users")
