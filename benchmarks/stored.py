"""Activities in the shape of the mix, made inside PostgreSQL: what a consumer would have stored.

Of a hundred rows 19 are enrolments, 11 completions, 8 passed ones, 30 posts and 32 the two sides of 16
connections; they happened at the mix's pace, until the mix begins. Keys are spread by multiplication, so that
none comes twice and they lie in no order.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text

from benchmarks.mix import PATHS, START, USERS
from benchmarks.population import indexes_off
from benchmarks.stored_awards import awards

_ROWS_A_SECOND = 1.305  # one event a second, some of which are facts about two people, or two facts
_SHARES = {"enrolled": 19, "completed": 11, "passed": 8, "post": 30, "connected": 32}
_PAIRS = USERS * (USERS // 2 - 1)  # of people: each with the next so many
_SPREAD = 7_368_787  # a prime

_USERS = "INSERT INTO users (user_id) SELECT n::text FROM generate_series(0, :users - 1) n"
_ACTIVITIES = f"""
INSERT INTO activities (user_id, kind, object_id, first_at, last_at, counted_at, source, event_id)
SELECT CASE WHEN kind = 'connected' AND nth % 2 = 1 THEN other ELSE one END, kind,
    CASE kind WHEN 'post' THEN 'h' || nth WHEN 'connected' THEN CASE nth % 2 WHEN 1 THEN one ELSE other END
        ELSE path END,
    at, at, at, 'https://lms.example.org', 'h' || n
FROM (
    SELECT n, kind, nth, spread, at,
        CASE kind WHEN 'post' THEN spread % {USERS} WHEN 'connected' THEN spread % {_PAIRS} % {USERS}
            ELSE spread / {PATHS} % {USERS} END::text AS one,
        ((spread % {_PAIRS} % {USERS} + 1 + spread % {_PAIRS} / {USERS}) % {USERS})::text AS other,
        (spread % {PATHS})::text AS path
    FROM (
        SELECT n, kind, nth,
            timestamptz '{START}' - (:rows - n / 2 * 2) / {_ROWS_A_SECOND} * interval '1 second' AS at,
            CASE kind WHEN 'connected' THEN nth / 2 ELSE nth END * {_SPREAD} AS spread
        FROM (
            SELECT n, kind, n / 100 * share + n % 100 - before AS nth
            FROM generate_series(0::bigint, :rows - 1) n
            JOIN (VALUES {{shares}}) AS shares (kind, before, share)
            ON n % 100 >= before AND n % 100 < before + share
        ) numbered
    ) spread_out
) made
"""  # noqa: S608 # our own numbers
_COUNTS = """
INSERT INTO counts (user_id, kind, value)
SELECT user_id, kind, count(*) FROM activities GROUP BY user_id, kind ORDER BY user_id, kind
"""


def store(engine: Engine, rows: int, definitions: dict[str, Any]) -> None:
    """Fill an empty database with the mix's users, so many activities, and the awards they earned."""
    with engine.begin() as connection:
        again = indexes_off(connection)
        connection.execute(text(_USERS), {"users": USERS})
        connection.execute(text(_ACTIVITIES.format(shares=_shares())), {"rows": rows})
        connection.execute(text(_COUNTS))
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        for statement in again:
            connection.exec_driver_sql(statement)
        for statement in awards(definitions):
            connection.exec_driver_sql(statement)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _shares() -> str:
    found, before = [], 0
    for kind, share in _SHARES.items():
        found.append(f"('{kind}', {before}, {share})")
        before += share
    return ", ".join(found)
