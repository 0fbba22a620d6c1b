"""The caller's profile and backpack (seed 003: S3-07, 11, 14, 15, 20 to 23, 28, 32 to 34, 40, 41, 44, 45)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.sandbox.conftest import Sandboxes, Tried

ANN = "ann@example.org"


@pytest.fixture
def ann(sandboxes: Sandboxes) -> Iterator[Tried]:
    with sandboxes() as tried:
        tried.tokens["ann"] = tried.sign_in(username=ANN, password="x").json()["access_token"]
        yield tried


def backpack(tried: Tried, more: str = "") -> list[dict[str, Any]]:
    return tried.result("GET", f"/v2/backpack/assertions{more}", "ann")


def test_a_profile_is_ones_own_to_change(ann: Tried) -> None:
    body = {"firstName": "Ann", "lastName": "Example", "badgrDomain": "ignored"}

    shown = ann.result("PUT", "/v2/users/self", "ann", json=body)[0]
    others = ann.result("GET", f"/v2/users/{shown['entityId']}", "me")[0]

    assert [email["email"] for email in shown["emails"]] == [ANN]
    assert (others["firstName"], others["emails"]) == ("Ann", [])
    assert ann.call("PUT", f"/v2/users/{shown['entityId']}", "me", json=body).status_code == 404
    assert ann.call("GET", "/v2/users/nobody").status_code == 404


def test_a_password_is_asked_for_once_in_five_minutes(ann: Tried) -> None:
    path, body = "/v2/auth/forgot-password", {"email": ANN}

    first, again = ann.call("POST", path, None, json=body), ann.call("POST", path, None, json=body)
    ann.clock.wait(300)
    later = ann.call("POST", path, None, json=body)

    assert [first.status_code, again.status_code, later.status_code] == [200, 429, 200]
    assert isinstance(again.json(), str)
    assert ann.call("PUT", path, None, json={"token": "x", "password": "y"}).status_code == 404


def test_the_token_of_a_mail_that_is_not_sent_is_good_for_one_new_password(ann: Tried) -> None:
    path = "/v2/auth/forgot-password"
    ann.call("POST", path, None, json={"email": ANN})
    (mail,) = ann.client.get("/sandbox/recoveries").json()

    def put(password: object) -> int:
        body = {"token": mail["token"], "password": password}
        return ann.call("PUT", path, None, json=body).status_code

    assert mail["email"] == ANN
    assert [put("short"), put(None), put("long enough"), put("long enough")] == [400, 400, 200, 404]
    assert ann.client.get("/sandbox/recoveries").json() == []


def test_the_backpack_holds_what_was_awarded_to_ones_address(ann: Tried) -> None:
    award = ann.award("Ann@Example.org")
    ann.award("bob@example.org")

    found = backpack(ann)

    assert [row["entityId"] for row in found] == [award["entityId"]]
    assert set(found[0]) == (set(award) | {"pending"}) - {"createdAt", "createdBy", "extensions"}
    assert "salt" not in found[0]["recipient"]


def test_revoked_and_expired_ones_are_shown_if_asked_for(ann: Tried) -> None:
    revoked = ann.award(ANN)["entityId"]
    ann.result("DELETE", f"/v2/assertions/{revoked}", json={"revocation_reason": "x"})
    ann.award(ANN, expires="2020-01-01T00:00:00Z")

    assert backpack(ann) == []
    assert len(backpack(ann, "?include_revoked=1")) == 1
    assert len(backpack(ann, "?include_revoked=1&include_expired=1")) == 2


def test_one_can_accept_and_reject(ann: Tried) -> None:
    award = ann.award(ANN)["entityId"]
    path = f"/v2/backpack/assertions/{award}"

    refused = ann.call("PUT", path, "ann", json={"acceptance": "Rejected"})
    accepted = ann.result("PUT", path, "ann", json={"acceptance": "Accepted"})[0]["acceptance"]
    rejected = ann.call("DELETE", path, "ann")

    assert (refused.status_code, accepted, rejected.status_code) == (400, "Accepted", 204)
    assert backpack(ann) == []
    assert ann.result("GET", f"/v2/assertions/{award}")[0]["acceptance"] == "Rejected"


def test_an_assertion_is_imported_once(ann: Tried) -> None:
    url = ann.award(ANN)["openBadgeId"]

    first = ann.call("POST", "/v2/backpack/import", "ann", json={"url": url})
    again = ann.call("POST", "/v2/backpack/import", "ann", json={"url": url})

    assert (first.status_code, again.status_code) == (201, 400)
    assert again.json()["validationErrors"][0]["name"] == "DUPLICATE_BADGE"


@pytest.mark.parametrize("body", [{}, {"url": "x", "image": "y"}, {"url": "https://elsewhere.example"}, []])
def test_other_imports_are_refused(ann: Tried, body: object) -> None:
    assert ann.call("POST", "/v2/backpack/import", "ann", json=body).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "assertions"), ("GET", "assertions/x/image"), ("POST", "collections")],
)
def test_what_breaks_the_service_breaks_the_sandbox(ann: Tried, method: str, path: str) -> None:
    body = {"name": "x", "assertions": ["x"]} if method == "POST" else None

    assert ann.call(method, f"/v2/backpack/{path}", "ann", json=body).status_code == 500


def test_collections_are_made_empty_and_filled_afterwards(ann: Tried) -> None:
    award = ann.award(ANN)["entityId"]
    made = ann.result("POST", "/v2/backpack/collections", "ann", json={"name": "Mine"})[0]
    path = f"/v2/backpack/collections/{made['entityId']}"

    filled = ann.result("PUT", path, "ann", json={"name": "Mine", "assertions": [award], "published": True})[
        0
    ]
    refused = ann.call("PUT", path, "ann", json={"name": "Mine", "assertions": ["nonsense"]})

    assert made["assertions"] == []
    assert (filled["assertions"], filled["published"]) == ([award], True)
    assert refused.status_code == 400
    assert ann.result("GET", "/v2/backpack/collections", "ann") == [filled]
    assert ann.call("GET", path, "me").status_code == 404
    assert ann.call("DELETE", path, "ann").status_code == 204
    assert ann.call("GET", path, "ann").status_code == 404
