"""Issuers and badge classes, and who may touch them (facts/badgr-api.md section 4 and 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.conftest import Sandboxes, Tried

SVG = "data:image/svg+xml;base64,PHN2Zy8+"
PNG = b"\x89PNG\r\n\x1a\n rest"
NEW_ISSUER = {"name": "Academy", "email": "badges@example.org", "url": "https://example.org"}
NEW_CLASS = {"name": "New", "description": "Something new", "image": SVG}


def own_issuer(tried: Tried, **more: Any) -> dict[str, Any]:
    return tried.result("POST", "/v2/issuers", json={**NEW_ISSUER, **more})[0]


def own_class(tried: Tried, **more: Any) -> dict[str, Any]:
    issuer = own_issuer(tried)["entityId"]
    return tried.result("POST", f"/v2/issuers/{issuer}/badgeclasses", json={**NEW_CLASS, **more})[0]


def my_id(tried: Tried, account: str = "me") -> str:
    entity: str = tried.result("GET", "/v2/users/self", account)[0]["entityId"]
    return entity


def test_the_badge_classes_told_at_the_start_are_open_to_everybody(tried: Tried) -> None:
    for account in ("me", "you"):
        rows = tried.result("GET", "/v2/badgeclasses", account)
        assert [row["name"] for row in rows] == ["First steps", "PNG badge", "PNG badge", "Elsewhere"]
        assert rows[0]["issuer"] == tried.issuer


def test_who_makes_an_issuer_owns_it_and_nobody_else_sees_it(tried: Tried) -> None:
    issuer = own_issuer(tried)

    assert [(member["user"], member["role"]) for member in issuer["staff"]] == [(my_id(tried), "owner")]
    assert tried.result("GET", f"/v2/issuers/{issuer['entityId']}") == [issuer]
    assert tried.call("GET", f"/v2/issuers/{issuer['entityId']}", "you").status_code == 404
    assert issuer["entityId"] not in tried.call("GET", "/v2/issuers", "you").text


def test_an_issuer_is_shown_with_the_fields_of_the_real_one(tried: Tried) -> None:
    assert list(own_issuer(tried)) == [
        "entityType",
        "entityId",
        "openBadgeId",
        "createdAt",
        "createdBy",
        "image",
        "description",
        "extensions",
        "name",
        "email",
        "url",
        "staff",
        "badgrDomain",
    ]


def test_a_badge_class_is_shown_with_the_fields_of_the_real_one(tried: Tried) -> None:
    shown = own_class(tried)

    assert set(shown) == {
        "entityType",
        "entityId",
        "openBadgeId",
        "createdAt",
        "createdBy",
        "issuer",
        "issuerOpenBadgeId",
        "name",
        "image",
        "description",
        "criteriaUrl",
        "criteriaNarrative",
        "alignments",
        "tags",
        "expires",
        "extensions",
        "archived",
        "archivedDate",
        "archivalNote",
    }
    assert shown["image"].startswith("http://127.0.0.1:8800/media/uploads/badges/issuer_badgeclass_")


@pytest.mark.parametrize("missing", ["name", "email", "url"])
def test_an_issuer_needs_name_address_and_url(tried: Tried, missing: str) -> None:
    issuer = own_issuer(tried)["entityId"]
    body = {name: value for name, value in NEW_ISSUER.items() if name != missing}

    made = tried.call("POST", "/v2/issuers", json=body)
    changed = tried.call("PUT", f"/v2/issuers/{issuer}", json=body)

    for answer in (made, changed):
        assert answer.status_code == 400
        assert answer.json()["fieldErrors"] == {missing: ["This field is required."]}


def test_staff_may_award_but_not_revoke_nor_make_classes(tried: Tried) -> None:
    badgeclass = own_class(tried)
    staff = [{"user": my_id(tried), "role": "owner"}, {"user": my_id(tried, "you"), "role": "staff"}]
    tried.result("PUT", f"/v2/issuers/{badgeclass['issuer']}", json={**NEW_ISSUER, "staff": staff})
    award = {"recipient": {"identity": "ann@example.org"}}

    made = tried.result("POST", f"/v2/badgeclasses/{badgeclass['entityId']}/assertions", "you", json=award)[0]
    refused = [
        tried.call("DELETE", f"/v2/assertions/{made['entityId']}", "you", json={"revocation_reason": "x"}),
        tried.call("PUT", f"/v2/badgeclasses/{badgeclass['entityId']}", "you", json=NEW_CLASS),
        tried.call("POST", f"/v2/issuers/{badgeclass['issuer']}/badgeclasses", "you", json=NEW_CLASS),
        tried.call("DELETE", f"/v2/issuers/{badgeclass['issuer']}", "you"),
    ]

    assert [answer.status_code for answer in refused] == [404] * 4


def test_the_role_of_one_who_stays_does_not_change(tried: Tried) -> None:
    issuer = own_issuer(tried)["entityId"]
    mine = {"user": my_id(tried), "role": "owner"}
    yours = {"user": my_id(tried, "you"), "role": "staff"}

    for role in ("staff", "owner"):
        body = {**NEW_ISSUER, "staff": [mine, {**yours, "role": role}]}
        shown = tried.result("PUT", f"/v2/issuers/{issuer}", json=body)[0]
    gone = tried.result("PUT", f"/v2/issuers/{issuer}", json={**NEW_ISSUER, "staff": [mine]})[0]

    assert [member["role"] for member in shown["staff"]] == ["owner", "staff"]
    assert [member["role"] for member in gone["staff"]] == ["owner"]


def test_unknown_staff_is_refused(tried: Tried) -> None:
    answer = tried.call("POST", "/v2/issuers", json={**NEW_ISSUER, "staff": [{"user": "x", "role": "owner"}]})

    assert answer.json()["fieldErrors"] == {
        "staff": [{"user": ['Invalid entity_id "x" - object does not exist.']}]
    }


def test_an_issuer_goes_with_its_unused_classes(tried: Tried) -> None:
    badgeclass = own_class(tried)

    answer = tried.call("DELETE", f"/v2/issuers/{badgeclass['issuer']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert tried.call("GET", f"/v2/badgeclasses/{badgeclass['entityId']}").status_code == 404


def test_staff_can_be_left_out_of_the_list_of_issuers(tried: Tried) -> None:
    rows = tried.result("GET", "/v2/issuers", params={"include_staff": "false"})

    assert all("staff" not in row for row in rows)


def test_a_class_of_nobody_cannot_be_made(tried: Tried) -> None:
    answer = tried.call("POST", "/v2/badgeclasses", json={**NEW_CLASS, "issuer": "nobody"})

    assert answer.json()["fieldErrors"] == {"issuer": ['Invalid entity_id "nobody" - object does not exist.']}


def test_path_and_body_must_name_the_same_issuer(tried: Tried) -> None:
    body = {**NEW_CLASS, "issuer": "0therIssuer12345678900"}

    answer = tried.call("POST", f"/v2/issuers/{tried.issuer}/badgeclasses", json=body)

    assert (answer.status_code, list(answer.json()["fieldErrors"])) == (400, ["issuer"])


def test_the_issuer_of_a_class_never_changes(tried: Tried) -> None:
    body = {**NEW_CLASS, "issuer": "0therIssuer12345678900"}

    shown = tried.result("PUT", f"/v2/badgeclasses/{tried.badgeclass}", json=body)[0]

    assert shown["issuer"] == tried.issuer


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 1025),
        ("description", "x" * 16385),
        ("criteriaUrl", "nonsense"),
        ("criteriaNarrative", "![x](y)"),
        ("tags", "x"),
        ("expires", {"amount": 0, "duration": "days"}),
        ("expires", {"amount": 1, "duration": "moons"}),
        ("alignments", [{"targetName": "x"}]),
        ("extensions", []),
        ("image", "aGVsbG8="),
        ("image", "data:image/png;base64,aGVsbG8="),
    ],
)
def test_wrong_fields_of_a_class_are_named(tried: Tried, field: str, value: object) -> None:
    answer = tried.call("PUT", f"/v2/badgeclasses/{tried.badgeclass}", json={**NEW_CLASS, field: value})

    assert answer.status_code == 400
    assert list(answer.json()["fieldErrors"]) == [field]


def test_a_web_address_leaves_the_picture_of_a_class_as_it_is(tried: Tried) -> None:
    before = own_class(tried)

    after = tried.result("PUT", f"/v2/badgeclasses/{before['entityId']}", json=before)[0]

    assert after["image"] == before["image"]


def test_a_picture_may_come_as_a_file(tried: Tried) -> None:
    parts = {"name": (None, "New"), "description": (None, "x"), "image": ("new.png", PNG, "image/png")}

    shown = tried.result("POST", f"/v2/issuers/{tried.issuer}/badgeclasses", files=parts)[0]

    assert shown["image"].endswith(".png")


@pytest.mark.parametrize(("rebake", "same"), [(False, True), (True, False)])
def test_a_changed_class_bakes_its_awards_anew_only_if_told(
    sandboxes: Sandboxes, rebake: bool, same: bool
) -> None:
    with sandboxes(rebake_on_update=rebake) as tried:
        before = tried.award("ann@example.org")
        tried.result("PUT", f"/v2/badgeclasses/{tried.badgeclass}", json=NEW_CLASS)

        after = tried.result("GET", f"/v2/assertions/{before['entityId']}")[0]

        assert (after["image"] == before["image"]) is same
        assert {**after, "image": before["image"]} == before


def test_a_class_goes_once_all_its_awards_are_revoked(tried: Tried) -> None:
    award = tried.award("ann@example.org")["entityId"]
    tried.result("DELETE", f"/v2/assertions/{award}", json={"revocation_reason": "x"})

    answer = tried.call("DELETE", f"/v2/badgeclasses/{tried.badgeclass}")

    assert answer.status_code == 204
    assert tried.call("GET", f"/v2/assertions/{award}").status_code == 404


def test_everything_survives_a_restart(sandboxes: Sandboxes, tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db"
    with sandboxes(data=data) as tried:
        badgeclass = own_class(tried)
        award = tried.award("ann@example.org", badgeclass["entityId"])
        token = tried.sign_in(username="me", password="x").json()["access_token"]
    with sandboxes(data=data) as tried:
        tried.tokens["again"] = token

        assert tried.result("GET", f"/v2/badgeclasses/{badgeclass['entityId']}", "again") == [badgeclass]
        assert tried.result("GET", f"/v2/assertions/{award['entityId']}", "again") == [award]
        assert len(tried.result("GET", "/v2/badgeclasses", "again")) == 5
        assert len(tried.client.get("/sandbox/calls").json()) == 7


def test_a_public_url_stands_in_everything_that_is_shown(sandboxes: Sandboxes) -> None:
    with sandboxes(public_url="https://badges.example.org") as tried:
        award = tried.award("ann@example.org")

        assert award["openBadgeId"].startswith("https://badges.example.org/public/assertions/")
        assert award["image"].startswith("https://badges.example.org/media/")
