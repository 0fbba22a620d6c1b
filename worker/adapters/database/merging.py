"""Merging a batch's news of activities: what design.md section 1 says of a row, as SQL.

The users are locked by an earlier statement, so what is read here of their activities and counts is what
nobody else can change, and what is missing nobody else can insert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects import postgresql

from worker.activities import KINDS, Kind
from worker.adapters.database.arrays import INSTANT, TEXT, Rows
from worker.adapters.database.merging_on_sqlite import merge_on_sqlite, written_on_sqlite
from worker.adapters.database.statements import statement
from worker.news import ActivityNews
from worker.ports import Moved, Written
from worker.rules.rulebook import Marks

_NEWS = Rows(
    "n",
    user_id=TEXT,
    kind=TEXT,
    object_id=TEXT,
    first_at=INSTANT,
    last_at=INSTANT,
    removed_at=INSTANT,
    source=TEXT,
    event_id=TEXT,
)
_COLUMNS = "user_id, kind, object_id, first_at, last_at, removed_at, counted_at, source, event_id"
_NEVER = 2**31 - 1


def written(dialect: Dialect, news: Sequence[ActivityNews]) -> Written:
    """Return the news, which have each key once and are sorted, as `merge` takes them."""
    if dialect.name == "sqlite":
        return written_on_sqlite(news)
    columns: list[Sequence[Any]] = list(zip(*news, strict=True)) or [()] * len(_NEWS.columns)
    firsts, lasts = columns[3:5]
    # An activity is mostly seen once: then its last time is its first, and need not be written twice.
    columns[4] = [None if last is first else last for first, last in zip(firsts, lasts, strict=True)]
    return _NEWS.bind_columns(columns)


def merge(connection: Connection, news: Written, marks: Mapping[Kind, Marks]) -> list[Moved]:
    """Merge the news into `activities`, move `counts`, and return the counts that may decide something.

    Every count is returned that passed a mark; others may be too.
    """
    if connection.dialect.name == "sqlite":
        return merge_on_sqlite(connection, news, marks)
    found = connection.execute(statement(_POSTGRESQL), news | _parameters(marks)).all()
    return [Moved(user_id, KINDS[kind], *rest) for user_id, kind, *rest in found]


def _parameters(marks: Mapping[Kind, Marks]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for kind in _COUNTED:
        marked = marks.get(kind, Marks())
        parameters[f"{kind}_thresholds"] = f"{{{','.join(map(str, marked.thresholds))}}}"
        parameters[f"{kind}_enough"] = _NEVER if marked.enough is None else marked.enough
    return parameters


# The kinds of which a criterion counts.
_COUNTED = (Kind.POST, Kind.CONNECTED)

_LIVE_SINCE = (
    "CASE WHEN first_at IS NULL THEN NULL "
    "WHEN removed_at IS NULL OR kind IN ('enrolled', 'completed', 'passed') THEN first_at "
    "WHEN kind = 'post' OR last_at <= removed_at THEN NULL "
    "WHEN first_at > removed_at THEN first_at ELSE last_at END"
)


# The news said it first; ties are settled as in Activity.merged, by code point in whatever language.
_IS_FIRST = (
    "(n.first_at IS NOT NULL AND (o.first_at IS NULL OR n.first_at < o.first_at "
    "OR n.first_at = o.first_at "
    'AND (n.source COLLATE "C", n.event_id COLLATE "C") < (o.source, o.event_id)))'
)

# Each row of news (called n), merged with what is stored of it (called o).
_SETTLED = (
    f"SELECT *, {_LIVE_SINCE} AS counted_at FROM ("
    "SELECT n.user_id, n.kind, n.object_id, LEAST(o.first_at, n.first_at) AS first_at, "
    "GREATEST(o.last_at, n.last_at, n.first_at) AS last_at, "
    "GREATEST(o.removed_at, n.removed_at) AS removed_at, "
    f"CASE WHEN o.user_id IS NULL OR {_IS_FIRST} THEN n.source ELSE o.source END AS source, "
    f"CASE WHEN o.user_id IS NULL OR {_IS_FIRST} THEN n.event_id ELSE o.event_id END AS event_id, "
    "o.ctid AS place, o.counted_at AS was, o.user_id IS NULL AS fresh, "
    f"o.user_id IS NOT NULL AND ({_IS_FIRST} "
    "OR coalesce(n.last_at, n.first_at) > o.last_at OR o.last_at IS NULL AND n.first_at IS NOT NULL "
    "OR n.removed_at > o.removed_at OR o.removed_at IS NULL AND n.removed_at IS NOT NULL) AS changed "
    f"FROM {_NEWS.source(postgresql.dialect())} "  # type: ignore[no-untyped-call]  # SQLAlchemy's own
    "LEFT JOIN activities o ON o.user_id = n.user_id AND o.kind = n.kind AND o.object_id = n.object_id) AS m"
)


def _may_decide(kind: Kind) -> str:
    """Return the condition that a count passed one of this kind's marks."""
    thresholds = f"CAST(:{kind}_thresholds AS integer[])"
    passed = f"width_bucket(old, {thresholds}) < width_bucket(old + delta, {thresholds})"
    return f"WHEN '{kind}' THEN {passed} OR since IS NOT NULL AND old + delta >= :{kind}_enough"


# One statement: the rows that are merged are read, written, counted and filtered where they are. What is new
# is inserted and what is known updated, instead of ON CONFLICT, which looks each row up once more; updated
# in its place, where it still is since nobody else can change it. Two partitions may have the same place: the
# key says which of them is meant.
_POSTGRESQL = (
    f"WITH settled AS MATERIALIZED ({_SETTLED}), "
    f"inserted AS (INSERT INTO activities ({_COLUMNS}) SELECT {_COLUMNS} FROM settled WHERE fresh), "
    "updated AS (UPDATE activities a SET first_at = s.first_at, last_at = s.last_at, "
    "removed_at = s.removed_at, counted_at = s.counted_at, source = s.source, event_id = s.event_id "
    "FROM settled s WHERE s.changed AND a.ctid = s.place "
    "AND a.user_id = s.user_id AND a.kind = s.kind AND a.object_id = s.object_id), "
    "moved AS MATERIALIZED ("
    "SELECT d.*, coalesce(c.value, 0) AS old, c.user_id IS NULL AS fresh, c.ctid AS place FROM ("
    "SELECT user_id, kind, CAST(count(counted_at) - count(was) AS integer) AS delta, "
    "min(counted_at) AS since, max(counted_at) AS until "
    "FROM settled WHERE counted_at IS DISTINCT FROM was GROUP BY user_id, kind ORDER BY user_id, kind"
    ") AS d LEFT JOIN counts c ON c.user_id = d.user_id AND c.kind = d.kind), "
    "begun AS (INSERT INTO counts (user_id, kind, value) "
    "SELECT user_id, kind, delta FROM moved WHERE fresh AND delta <> 0), "
    "counted AS (UPDATE counts c SET value = c.value + m.delta FROM moved m "
    "WHERE NOT m.fresh AND m.delta <> 0 AND c.ctid = m.place AND c.user_id = m.user_id AND c.kind = m.kind) "
    "SELECT user_id, kind, old, old + delta, since, until FROM moved "
    f"WHERE CASE kind {' '.join(map(_may_decide, _COUNTED))} ELSE false END"
)
