"""The tables (design.md section 1). Every key that can leads with `user_id`, so that they shard by it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from worker.adapters.database.types import Id, Instant, Json

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)

users = Table(
    "users",
    metadata,
    Column("user_id", Id, nullable=False),
    Column("email", Text),
    Column("email_at", Instant),
    Column("first_name", Text),
    Column("first_name_at", Instant),
    Column("last_name", Text),
    Column("last_name_at", Instant),
    Column("uuid", Text),
    Column("uuid_at", Instant),
    Column("scope", Text),
    Column("scope_at", Instant),
    Column("registered_at", Instant),
    Column("deleted_at", Instant),
    PrimaryKeyConstraint("user_id"),
    postgresql_with={"fillfactor": "80"},
)
Index("ix_users_registered_at", users.c.registered_at)  # the sweep's: what became due, not what exists
# Who asks (`Opigno-Client-UUID`); whoever has no uuid is spared its upkeep.
Index(
    "ix_users_uuid",
    users.c.uuid,
    postgresql_where=text("uuid IS NOT NULL"),
    sqlite_where=text("uuid IS NOT NULL"),
)

blocks = Table(
    "blocks",
    metadata,
    Column("user_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("blocked", Boolean, nullable=False),
    PrimaryKeyConstraint("user_id", "at", "blocked"),
)

activities = Table(
    "activities",
    metadata,
    Column("user_id", Id, nullable=False),
    Column("kind", Id, nullable=False),
    Column("object_id", Id, nullable=False),
    Column("first_at", Instant),
    Column("last_at", Instant),
    Column("removed_at", Instant),
    Column("counted_at", Instant),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    PrimaryKeyConstraint("user_id", "kind", "object_id"),
)
# Only windows ask for this order, and only connections have windows; every other kind is spared its upkeep.
Index(
    "ix_activities_connected",
    activities.c.user_id,
    activities.c.kind,
    activities.c.counted_at,
    postgresql_where=text("kind = 'connected'"),
    sqlite_where=text("kind = 'connected'"),
)

counts = Table(
    "counts",
    metadata,
    Column("user_id", Id, nullable=False),
    Column("kind", Id, nullable=False),
    Column("value", Integer, nullable=False),
    PrimaryKeyConstraint("user_id", "kind"),
    postgresql_with={"fillfactor": "60"},  # a count that changes finds room beside itself
)

awards = Table(
    "awards",
    metadata,
    Column("user_id", Id, nullable=False),
    Column("badge_id", Id, nullable=False),
    Column("state", Text, nullable=False),
    Column("issuer", Id),
    Column("definition_version", Integer, nullable=False),
    Column("earned_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("because", Json, nullable=False),
    Column("backfilled", Boolean, nullable=False, server_default=text("false")),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("lease_id", Text),
    Column("lease_until", Instant),
    Column("sent_at", Instant),
    Column("recipient", Text),
    Column("badgeclass", Text),
    Column("uncertain", Boolean, nullable=False, server_default=text("false")),
    Column("last_error", Text),
    Column("assertion_id", Id),
    Column("assertion_url", Text),
    Column("issued_at", Instant),
    Column("revoke_reason", Text),  # somebody asked for it; what is being sent is revoked once it is settled
    PrimaryKeyConstraint("user_id", "badge_id"),
)
Index(
    "ix_awards_due",
    awards.c.badge_id,
    awards.c.backfilled,
    awards.c.due_at,
    postgresql_where=text("state = 'pending'"),
    sqlite_where=text("state = 'pending'"),
)
Index(
    "ix_awards_leased",
    awards.c.issuer,
    awards.c.lease_until,
    postgresql_where=text("state = 'issuing'"),
    sqlite_where=text("state = 'issuing'"),
)
Index(
    "ix_awards_revoking",
    awards.c.issuer,
    awards.c.due_at,
    postgresql_where=text("state = 'revoking'"),
    sqlite_where=text("state = 'revoking'"),
)
# An award begins without a lease: it is spared the upkeep of this.
Index(
    "ix_awards_lease",
    awards.c.lease_id,
    postgresql_where=text("lease_id IS NOT NULL"),
    sqlite_where=text("lease_id IS NOT NULL"),
)
Index("ix_awards_badge_id_state", awards.c.badge_id, awards.c.state)
Index("ix_awards_badge_id_decided_at", awards.c.badge_id, awards.c.decided_at)  # when it was earned last
# The provider's id is one award's only. Where awards are sharded by user this one index stays apart.
Index("ix_awards_issuer_assertion_id", awards.c.issuer, awards.c.assertion_id, unique=True)

# Which user an address of a badge belongs to: two people with one address are one person to the provider.
recipients = Table(
    "recipients",
    metadata,
    Column("badge_id", Id, nullable=False),
    Column("recipient", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    PrimaryKeyConstraint("badge_id", "recipient"),
)
Index("ix_recipients_user_id", recipients.c.user_id)  # of whom is forgotten, while nobody else may decide

award_history = Table(
    "award_history",
    metadata,
    Column("user_id", Id, nullable=False),
    Column("badge_id", Id, nullable=False),
    Column("entry", BigInteger, nullable=False, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("what", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", Json, nullable=False),
    PrimaryKeyConstraint("user_id", "badge_id", "entry"),
)

badges = Table(
    "badges",
    metadata,
    Column("id", Id, nullable=False),
    Column("definition", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("issuer", Id),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("admitted_at", Instant, nullable=False),  # whose turn it is (design.md section 3: fair)
    PrimaryKeyConstraint("id"),
)

issuers = Table(
    "issuers",
    metadata,
    Column("id", Id, nullable=False),
    Column("definition", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("revocations_admitted_at", Instant),  # when revocations had their last turn
    PrimaryKeyConstraint("id"),
)

# Up to which change our awards were compared with what a provider holds, and nothing was left to mend.
reconciliations = Table(
    "reconciliations",
    metadata,
    Column("issuer", Id, nullable=False),
    Column("changed_to", Instant, nullable=False),  # by the provider's clock
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("issuer"),
)

# One row: the version of the rules, the instant up to which account ages are decided, and what consumers must
# know beside them.
rulebook = Table(
    "rulebook",
    metadata,
    Column("only", Integer, nullable=False, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("swept_to", Instant, nullable=False),
    Column("forgotten", Integer, nullable=False, server_default=text("0")),  # how many people were
    PrimaryKeyConstraint("only"),
)

# What is kept of people who were forgotten, so that later news of them is recognised: a keyed hash of the
# user id. The hash of the empty one, which nobody has, is among them: it tells a wrong key.
forgotten = Table(
    "forgotten",
    metadata,
    Column("hash", Id, nullable=False),
    PrimaryKeyConstraint("hash"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Id, nullable=False),  # SHA-256 of the body, in hex
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("replayed_at", Instant),
    PrimaryKeyConstraint("id"),
)
Index("ix_dead_letters_received_at", dead_letters.c.received_at)

# Everybody's evaluation for one version of a badge: why, how far it came and what it found.
evaluations = Table(
    "evaluations",
    metadata,
    Column("badge_id", Id, nullable=False),
    Column("version", Integer, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("'rules'")),
    Column("position", Id, nullable=False),  # the last user who is in a part
    Column("people", Integer, nullable=False, server_default=text("0")),  # how many there were at its start
    Column("looked_at", Integer, nullable=False, server_default=text("0")),
    Column("found", Integer, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    PrimaryKeyConstraint("badge_id", "version"),
)

# Parts of evaluations that somebody works on: everybody after `after` up to `upto`.
evaluation_parts = Table(
    "evaluation_parts",
    metadata,
    Column("badge_id", Id, nullable=False),
    Column("version", Integer, nullable=False),
    Column("after", Id, nullable=False),
    Column("upto", Id, nullable=False),
    Column("people", Integer, nullable=False),
    Column("found", Integer, nullable=False),
    Column("worked_on_by", BigInteger, nullable=False),  # the lock that its worker holds while it lives
    PrimaryKeyConstraint("badge_id", "version", "after"),
)
