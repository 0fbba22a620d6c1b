"""A made-up population whose events lead to the same awards in any order: nothing is ever taken away.

For proofs from end to end: publish `Population.bodies` repeated and shuffled as you like, let
``examples.replay.replay(population.definitions, ...)`` say what must come of it, and compare.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime(2025, 2, 1, tzinfo=UTC)
DAYS = 90
DAY = 86400
TEN_YEARS = 3650 * DAY
WINDOW = 10 * DAY


@dataclass(frozen=True)
class Population:
    """A badges file, parsed, and one event document for each thing that happened."""

    definitions: dict[str, Any]
    bodies: list[dict[str, Any]]


def population(
    people: int, events: int, seed: int = 0, issuer_url: str = "https://api.badgr.io"
) -> Population:
    """Return so many people and so many events about them, registrations included; the same for a seed.

    Half of the people are old enough for the badge that needs ten years, the others will not be before 2035.
    Every fiftieth has no address. A pair is established once, and nobody studies the same thing twice.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    users = [f"user-{number}" for number in range(people)]
    each = max(1, (events - people) // people)
    bodies = [_registered(user_id, number) for number, user_id in enumerate(users)]
    paths = [f"path-{number}" for number in range(max(3, each // 5))]
    pairs: set[tuple[str, str]] = set()  # of people, and of a kind with who studied what
    while len(bodies) < events:
        bodies.append(_something(rng, users, paths, pairs, len(bodies)))
    return Population(_definitions(each, paths, issuer_url), bodies)


def encoded(bodies: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return the bodies as they stand on the queue."""
    return [json.dumps(body).encode() for body in bodies]


def untidied(bodies: Iterable[dict[str, Any]], seed: int = 0, repeated: float = 0.2) -> list[bytes]:
    """Return the bodies as they stand on the queue, this share of them twice, and all of them shuffled."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    lines = encoded(bodies)
    lines += rng.sample(lines, int(len(lines) * repeated))
    rng.shuffle(lines)
    return lines


def _event(number: int, kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "https://lms.example.org",
        "type": kind,
        "time": at.isoformat(),
        "data": data,
    }


def _registered(user_id: str, number: int) -> dict[str, Any]:
    at = datetime(2010 if number % 2 else 2024, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    data = {"user_id": user_id, "first_name": f"First{number}", "last_name": f"Last{number}"}
    if number % 50 != 49:
        data["email"] = f"{user_id}@Example.org" if number % 5 == 0 else f"{user_id}@example.org"
    return _event(number, "user.registered.v1", at, data)


def _something(
    rng: random.Random, users: list[str], paths: list[str], pairs: set[tuple[str, str]], number: int
) -> dict[str, Any]:
    """Return one more thing that happened."""
    at = START + timedelta(microseconds=rng.randrange(DAYS * DAY * 10**6))
    user_id = rng.choice(users)
    what = rng.random()
    if what < 0.35:
        parent = {"parent_post_id": f"post-{rng.randrange(number)}"} if rng.random() < 0.3 else {}
        return _event(
            number, "post.created.v1", at, {"user_id": user_id, "post_id": f"post-{number}", **parent}
        )
    if what < 0.6 and (pair := _new_pair(rng, users, pairs)):
        return _event(number, "connection.established.v1", at, {"user_ids": pair})
    kind = "learning_path.enrolled.v1" if what < 0.8 else "learning_path.completed.v1"
    path = rng.choice(paths)
    if (kind, f"{user_id} {path}") in pairs:  # once each: `earned_at` of a second one depends on the order
        return _event(number, "post.created.v1", at, {"user_id": user_id, "post_id": f"post-{number}"})
    pairs.add((kind, f"{user_id} {path}"))
    verdict = _verdict(rng) if kind == "learning_path.completed.v1" else {}
    return _event(number, kind, at, {"user_id": user_id, "learning_path_id": path, **verdict})


def _new_pair(rng: random.Random, users: list[str], pairs: set[tuple[str, str]]) -> list[str] | None:
    """Return two people who are not connected, or None if none were found quickly."""
    for _ in range(20):
        one, other = rng.sample(users, 2)
        pair = (one, other) if one < other else (other, one)
        if pair not in pairs:
            pairs.add(pair)
            return [one, other]
    return None


def _verdict(rng: random.Random) -> dict[str, Any]:
    verdicts: list[dict[str, Any]] = [
        {"passed": True},
        {"passed": False, "score": 90, "required_score": 80},
        {"passed": None, "score": rng.randint(60, 100), "required_score": 80},
        {"passed": None},
    ]
    return rng.choice(verdicts)


def _definitions(each: int, paths: list[str], issuer_url: str) -> dict[str, Any]:
    """Return badges that about half of the people earn, who have `each` events apart from registration."""
    posts, connections = max(2, round(0.35 * each)), max(2, round(0.5 * each))
    within = max(2, round(connections * WINDOW / (DAYS * DAY) * 2.2))
    criteria: dict[str, dict[str, Any]] = {
        "enrolled": {"lp_enroll": {"learning_path_id": paths[0]}},
        "completed": {"lp_complete": {"learning_path_id": paths[1]}},
        "passed": {"lp_passed": {"learning_path_id": paths[2]}},
        "connected": {"social_connection": {"threshold": connections}},
        "networked": {"social_connection": {"threshold": within, "period": WINDOW}},
        "engaged": {"social_engagement": {"threshold": posts}},
        "ten-years": {"registered_for": {"threshold": TEN_YEARS}},
    }
    issuer = {"provider": "badgr", "url": issuer_url, "rate_limit": "100/60s", "settle_after": "60s"}
    badges = {badge_id: _badge(badge_id, criterion) for badge_id, criterion in criteria.items()}
    return {"issuers": {"academy": issuer}, "badges": badges}


def _badge(badge_id: str, criterion: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": badge_id.capitalize(),
        "picture": f"https://example.org/{badge_id}.png",
        "issue": {"issuer": "academy", "badgeclass": badge_id.ljust(22, "0")},
        "criteria": criterion,
    }
