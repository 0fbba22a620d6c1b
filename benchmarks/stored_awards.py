"""The awards that stored activities earned, as SQL over all of them: what a backfill would find."""

# ruff: noqa: S608 # put together from our own names and numbers

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_COLUMNS = "user_id, badge_id, state, definition_version, earned_at, decided_at, due_at, because"
_DECIDED = "'earned', 1, now(), now(), now(), '[]'"
_KINDS = {"lp_enroll": "enrolled", "lp_complete": "completed", "lp_passed": "passed"}


def awards(definitions: dict[str, Any]) -> Iterator[str]:
    """Yield the statements that award the mix's badges."""
    paths, posts, windows = [], [], []
    for badge_id, badge in definitions["badges"].items():
        ((name, wanted),) = badge["criteria"].items()
        if name in _KINDS:
            paths.append(f"('{badge_id}', '{_KINDS[name]}', '{wanted['learning_path_id']}')")
        elif name == "social_engagement":
            posts.append(f"('{badge_id}', {wanted['threshold']})")
        elif name == "social_connection":
            windows.append((badge_id, wanted["threshold"], wanted["period"]))
    yield _insert(
        f"SELECT a.user_id, badge_id FROM (VALUES {', '.join(paths)}) AS b (badge_id, kind, path) "
        "JOIN activities a ON a.kind = b.kind AND a.object_id = b.path"
    )
    yield _insert(
        f"SELECT c.user_id, badge_id FROM (VALUES {', '.join(posts)}) AS b (badge_id, threshold) "
        "JOIN counts c ON c.kind = 'post' AND c.value >= b.threshold"
    )
    yield _insert(_windowed(windows))


def _windowed(windows: list[tuple[str, int, int]]) -> str:
    """Return who was ever connected with so many people within so many seconds, for every such badge."""
    numbers = range(len(windows))
    lags = ", ".join(
        f"counted_at - lag(counted_at, {threshold - 1}) OVER one_by_one AS span_{number}"
        for number, (_, threshold, _) in enumerate(windows)
    )
    shortest = ", ".join(f"min(span_{number}) AS span_{number}" for number in numbers)
    held = ", ".join(
        f"('{badge_id}', span_{number}, interval '{period} seconds')"
        for number, (badge_id, _, period) in enumerate(windows)
    )
    return (
        f"SELECT user_id, badge_id FROM (SELECT user_id, {shortest} FROM ("
        f"SELECT user_id, {lags} FROM activities WHERE kind = 'connected' "
        "WINDOW one_by_one AS (PARTITION BY user_id ORDER BY counted_at)) spans GROUP BY user_id) people "
        f"CROSS JOIN LATERAL (VALUES {held}) AS b (badge_id, span, period) WHERE span <= period"
    )


def _insert(earned: str) -> str:
    return f"INSERT INTO awards ({_COLUMNS}) SELECT user_id, badge_id, {_DECIDED} FROM ({earned}) AS earned"
