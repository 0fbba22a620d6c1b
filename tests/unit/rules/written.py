"""Definitions as an operator writes them, whole and broken, and the problems that are found in them."""

from __future__ import annotations

from typing import Any

from worker.rules.criteria import CRITERIA, GROUPS
from worker.rules.definitions import read_definitions

ISSUER: dict[str, Any] = {"provider": "badgr", "url": "https://api.badgr.io"}
BADGE: dict[str, Any] = {
    "title": "First steps",
    "picture": "https://example.org/first-steps.png",
    "criteria": {"lp_enroll": {"learning_path_id": "40"}},
}
MISSING = object()
A_MAPPING = "a mapping, please"
IDS = "a mapping of ids to definitions, please"
A_STRING = "Input should be a valid string"
A_NUMBER = "Input should be a valid integer"
NOT_EMPTY = "String should have at least 1 character"
A_URL = "a URL, please, such as https://example.org/badge.png"
A_RATE = "calls per seconds, please, such as 100/60s"
A_TIME = "a time in seconds, please, such as 60s"
ONE_OF = ", ".join([*CRITERIA, *GROUPS])


def without_missing(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not MISSING}


def problems(document: object) -> dict[str, str]:
    """Return every problem by its place."""
    _, found = read_definitions(document)
    places = [".".join(str(step) for step in problem.path) for problem in found]
    assert len(set(places)) == len(places)
    return dict(zip(places, (problem.text for problem in found), strict=True))


def about_badge(**fields: Any) -> dict[str, str]:
    document = {"issuers": {"academy": ISSUER}, "badges": {"b": without_missing(BADGE | fields)}}
    return {place.removeprefix("badges.b."): text for place, text in problems(document).items()}


def about_issuer(**fields: Any) -> dict[str, str]:
    document = {"badges": {}, "issuers": {"i": without_missing(ISSUER | fields)}}
    return {place.removeprefix("issuers.i."): text for place, text in problems(document).items()}


def issued(issuer: str = "academy", badgeclass: str = "c1") -> dict[str, Any]:
    return BADGE | {"issue": {"issuer": issuer, "badgeclass": badgeclass}}
