"""The stream that is measured: 25 % enrolments, 15 % completions, 40 % posts, 20 % connections.

On top of these 5 % redeliveries and 1 % removals; 20,000 users, 500 learning paths, 100 badges of all six
criteria.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

USERS, PATHS, BADGES = 20_000, 500, 100
START = datetime(2025, 1, 1, tzinfo=UTC)


def definitions(badges: int = BADGES, out_of_reach: int = 0) -> dict[str, Any]:
    """Return so many badges over all six criteria, none of them issued anywhere.

    Those `out_of_reach` come on top, and nobody in the mix earns one: they are about other learning paths and
    larger numbers than there are.
    """
    reachable = {
        f"badge-{number}": _badge(number, str(number % PATHS), number // 6) for number in range(badges)
    }
    others = {
        f"beyond-{number}": _badge(number, f"beyond-{number}", 100_000 + number // 6)
        for number in range(out_of_reach)
    }
    return {"badges": reachable | others}


def _badge(number: int, learning_path_id: str, step: int) -> dict[str, Any]:
    path = {"learning_path_id": learning_path_id}
    criteria: list[dict[str, Any]] = [
        {"lp_enroll": path},
        {"lp_complete": path},
        {"lp_passed": path},
        {"social_connection": {"threshold": 3 + step, "period": 86_400 * (1 + step)}},
        {"social_engagement": {"threshold": 5 * (1 + step)}},
        {"registered_for": {"threshold": 86_400 * 365 * (1 + step % 1000)}},
    ]
    return {
        "title": f"Badge {number}",
        "picture": "https://example.org/badge.png",
        "criteria": criteria[number % 6],
    }


def events(count: int, seed: int = 0, *, removals: bool = True) -> list[bytes]:
    """Return so many bodies of the mix."""
    rng = random.Random(seed)
    made: list[bytes] = []
    while len(made) < count:
        what = rng.random()
        if what < 0.05 and made:
            made.append(rng.choice(made[-5000:]))
        else:
            made.append(_event(rng, len(made), removal=removals and what > 0.99))
    return made


def _event(rng: random.Random, number: int, *, removal: bool) -> bytes:
    at = START + timedelta(seconds=number, microseconds=rng.randrange(10**6))
    user = str(rng.randrange(USERS))
    if removal:
        return _body(
            number, at, "post.deleted.v1", {"user_id": user, "post_id": f"p{rng.randrange(number + 1)}"}
        )
    kind = rng.random()
    path = str(rng.randrange(PATHS))
    if kind < 0.25:
        return _body(number, at, "learning_path.enrolled.v1", {"user_id": user, "learning_path_id": path})
    if kind < 0.40:
        data = {"user_id": user, "learning_path_id": path, "passed": rng.random() < 0.7}
        return _body(number, at, "learning_path.completed.v1", data)
    if kind < 0.80:
        return _body(number, at, "post.created.v1", {"user_id": user, "post_id": f"p{number}"})
    other = str((int(user) + rng.randrange(1, USERS)) % USERS)
    return _body(number, at, "connection.established.v1", {"user_ids": [user, other]})


def _body(number: int, at: datetime, kind: str, data: dict[str, Any]) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "https://lms.example.org",
        "type": kind,
        "time": at.isoformat(),
        "data": data,
    }
    return json.dumps(event).encode()
