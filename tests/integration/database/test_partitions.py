"""Tables that are parted by user, as docs/scaling.md tells, lead to the same counts and awards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from benchmarks import mix
from tests.support.bodies import enrolled, met, parted, posted, unposted
from tests.support.ground import badge

if TYPE_CHECKING:
    from tests.support.ground import Ground

ROWS = (
    "SELECT user_id, kind, object_id, first_at, last_at, removed_at, counted_at, source, event_id "
    "FROM activities ORDER BY 1, 2, 3"
)
PARTED = ("activities", "counts")


def part(ground: Ground, table: str) -> None:
    """Put four partitions in a table's place."""
    whole = f"{table}_as_it_was"
    steps = [
        f"ALTER TABLE {table} RENAME TO {whole}",
        f"CREATE TABLE {table} (LIKE {whole} INCLUDING DEFAULTS) PARTITION BY HASH (user_id)",
        *(
            f"CREATE TABLE {table}_{each} PARTITION OF {table} "
            f"FOR VALUES WITH (MODULUS 4, REMAINDER {each}) WITH (fillfactor = 70)"
            for each in range(4)
        ),
        f"ALTER TABLE {table} ADD PRIMARY KEY "
        + ("(user_id, kind, object_id)" if table == "activities" else "(user_id, kind)"),
    ]
    with ground.engine.begin() as connection:
        for step in steps:
            connection.execute(text(step))


def rows(ground: Ground) -> list[tuple[object, ...]]:
    with ground.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(ROWS))]


def test_parted_by_user_every_row_is_still_its_own(own_postgres: Ground) -> None:
    for table in PARTED:
        part(own_postgres, table)
    people = [f"user-{number}" for number in range(40)]
    first = [body for at, user in enumerate(people) for body in (posted(at, user, "p"), enrolled(at, user))]

    own_postgres.ingest(*first)
    before = rows(own_postgres)
    own_postgres.ingest(unposted(100, "user-7", "p"), posted(-5, "user-9", "p"))
    after = rows(own_postgres)

    changed = {(new[0], new[1]) for old, new in zip(before, after, strict=True) if old != new}
    assert changed == {("user-7", "post"), ("user-9", "post")}
    assert {user: own_postgres.counts().get((user, "post"), 0) for user in people} == {
        user: int(user != "user-7") for user in people
    }


def test_parted_by_user_the_mix_leads_to_the_same(own_postgres: Ground, sqlite: Ground) -> None:
    rules = {
        "posts": badge({"social_engagement": {"threshold": 2}}),
        "week": badge({"social_connection": {"threshold": 2, "period": 604800}}),
    }
    bodies = [*mix.events(3000), met(1, "ada", "bob"), parted(2, "ada", "bob"), met(3, "ada", "bob")]
    for table in PARTED:
        part(own_postgres, table)

    for ground in (own_postgres, sqlite):
        ground.apply(**rules)
        ground.ingest(*bodies, *bodies[:500], size=300)

    assert own_postgres.counts() == sqlite.counts()
    assert own_postgres.database.count_awards() == sqlite.database.count_awards() != {}
