"""A population of any size, made inside PostgreSQL: what a consumer would have written, without the events.

Ids lie as events bring them: a person's rows are spread over the tables, in no order of the ids.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

DAYS = 90
_PEOPLE = """
INSERT INTO users (user_id, registered_at, email, email_at)
SELECT md5(n::text), now() - random() * interval '1000 days', n || '@example.org', now()
FROM generate_series(0, :people - 1) n
"""
# Of ten activities four are connections, three are posts and three are about learning paths, of which each
# has a tenth of the people. Who connects and writes is left to chance, so that some do much and some nothing.
_ACTIVITIES = """
INSERT INTO activities (user_id, kind, object_id, first_at, last_at, counted_at, source, event_id)
SELECT md5(who::text), kind, object_id, at, at, at, 'https://lms.example.org', 'event-' || n
FROM (
    SELECT n, now() - random() * make_interval(days => :days) AS at,
        CASE n % 10 WHEN 7 THEN 'enrolled' WHEN 8 THEN 'completed' WHEN 9 THEN 'passed'
            WHEN 0 THEN 'post' WHEN 1 THEN 'post' WHEN 2 THEN 'post' ELSE 'connected' END AS kind,
        CASE WHEN n % 10 >= 7 THEN 'path-' || (n / 10 / 10 + n / 10 / :people) % 10
            ELSE 'object-' || n END AS object_id,
        CASE WHEN n % 10 >= 7 THEN (n / 10) % :people ELSE floor(random() * :people)::bigint END AS who
    FROM generate_series(0::bigint, :activities - 1) n
) made
"""
_COUNTS = """
INSERT INTO counts (user_id, kind, value)
SELECT user_id, kind, count(*) FROM activities GROUP BY user_id, kind
"""
_BUILT_AFTERWARDS = ("activities", "counts")  # their indexes: one by one they take far longer


def settle(engine: Engine, people: int, activities: int) -> None:
    """Fill an empty database with so many people and activities."""
    with engine.begin() as connection:
        again = indexes_off(connection)
        connection.execute(text("SELECT setseed(0.5)"))
        connection.execute(text(_PEOPLE), {"people": people})
        connection.execute(text(_ACTIVITIES), {"people": people, "activities": activities, "days": DAYS})
        connection.execute(text(_COUNTS))
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        for statement in again:
            connection.exec_driver_sql(statement)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does by and by


def indexes_off(connection: Connection) -> list[str]:
    """Drop the indexes of these tables; return what makes them again."""
    found = connection.execute(
        text(
            "SELECT i.indexrelid::regclass AS name, i.indrelid::regclass AS owner, c.conname AS key, "
            "coalesce(pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid)) AS definition "
            "FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'p' "
            "WHERE i.indrelid::regclass::text = ANY(:tables)"
        ),
        {"tables": list(_BUILT_AFTERWARDS)},
    ).all()
    for each in found:
        of_table = f"ALTER TABLE {each.owner} DROP CONSTRAINT {each.key}"
        connection.exec_driver_sql(of_table if each.key else f"DROP INDEX {each.name}")
    return [
        f"ALTER TABLE {each.owner} ADD CONSTRAINT {each.key} {each.definition}"
        if each.key
        else each.definition
        for each in found
    ]
