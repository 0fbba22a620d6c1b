"""What everybody may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Tried


def shown(tried: Tried, path: str) -> dict[str, Any]:
    document: dict[str, Any] = tried.call("GET", path, None).json()
    return document


def test_an_assertion_is_an_open_badge(tried: Tried) -> None:
    award = tried.award("ann@example.org", expires="2028-01-01T00:00:00Z", narrative="Well done")

    document = shown(tried, award["openBadgeId"])

    assert document == {
        "@context": "https://w3id.org/openbadges/v2",
        "type": "Assertion",
        "id": award["openBadgeId"],
        "recipient": {
            "type": "email",
            "identity": award["recipient"]["identity"],
            "hashed": True,
            "salt": award["recipient"]["salt"],
        },
        "badge": award["badgeclassOpenBadgeId"],
        "image": award["openBadgeId"] + "/image",
        "issuedOn": "2026-11-22T01:00:50+00:00",
        "verification": {"type": "HostedBadge"},
        "narrative": "Well done",
        "expires": "2028-01-01T00:00:00+00:00",
    }


def test_the_address_of_the_recipient_is_nowhere_in_it(tried: Tried) -> None:
    award = tried.award("ann@example.org")

    assert "ann@example.org" not in tried.call("GET", award["openBadgeId"], None).text


def test_class_and_issuer_are_shown_with_links_to_each_other(tried: Tried) -> None:
    badgeclass = shown(tried, f"/public/badges/{tried.badgeclass}")
    issuer = shown(tried, badgeclass["issuer"])

    assert (badgeclass["name"], issuer["type"]) == ("First steps", "Issuer")


def test_pictures_are_found_by_redirects(tried: Tried) -> None:
    award = tried.award("ann@example.org")

    for url in (f"{award['openBadgeId']}/image", f"/public/badges/{tried.badgeclass}/image"):
        answer = tried.call("GET", url, None)
        assert answer.status_code == 302
        assert tried.call("GET", answer.headers["location"], None).headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "path", ["assertions/x", "assertions/x/image", "badges/x", "badges/x/image", "issuers/x"]
)
def test_what_is_not_there_is_a_page(tried: Tried, path: str) -> None:
    answer = tried.call("GET", f"/public/{path}", None)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_health_is_ok(tried: Tried) -> None:
    assert shown(tried, "/health") == {"overall_status": "OK"}
