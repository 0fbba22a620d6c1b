"""What is sent to Badgr and read from it: what is refused before any call, and what is borne in an answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from worker.adapters.badgr.http import Answer
from worker.adapters.badgr.models.assertions import (
    AssertionChangeIn,
    AssertionIn,
    AssertionOut,
    EvidenceIn,
    RecipientIn,
)
from worker.adapters.badgr.models.backpack import CollectionIn, ImportIn
from worker.adapters.badgr.models.badgeclasses import AlignmentIn, BadgeClassIn, BadgeClassOut, ExpiresIn
from worker.adapters.badgr.models.base import read_all, read_one
from worker.adapters.badgr.models.claim_codes import ClaimCodeIn
from worker.adapters.badgr.models.fields import picture_of
from worker.adapters.badgr.models.issuers import IssuerIn, IssuerOut, StaffIn
from worker.adapters.badgr.models.users import UserIn, UserOut
from worker.errors import InvalidDefinition, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

PNG = "data:image/png;base64,iVBORw0KGgo="
SVG = "data:image/svg+xml;base64,PHN2Zy8+"
BadgeClass = partial(BadgeClassIn, name="A", description="B")
Assertion = partial(AssertionIn, recipient={"identity": "ann@example.org"})
Change: Any = AssertionChangeIn
Issuer = partial(IssuerIn, name="A", email="a@example.org", url="https://example.org")
URL = "a URL, please, such as https://example.org/badge"
WHOM = "recipient: the identity is none of the kind email"


# What is refused


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(
            partial(BadgeClass, name=""), "name: String should have at least 1 character", id="S1-22-none"
        ),
        pytest.param(
            partial(BadgeClass, name="x" * 1025), "name: String should have at most 1024", id="S1-22"
        ),
        pytest.param(
            partial(BadgeClass, description=" "), "description: String should have", id="S1-23-blank"
        ),
        pytest.param(
            partial(BadgeClass, description="x" * 16385), "description: String should have", id="S1-23"
        ),
        pytest.param(partial(BadgeClassIn, description="B"), "name: Field required", id="S1-22-missing"),
        pytest.param(
            partial(BadgeClass, image="iVBORw0KGgo="), "image: a URL, please, or a PNG", id="base64-alone"
        ),
        pytest.param(
            partial(BadgeClass, image="data:image/jpeg;base64,/9j/"), "image: a PNG or an SVG", id="jpeg"
        ),
        pytest.param(
            partial(BadgeClass, image="data:image/png;base64,/9j/"), "image: a PNG, please", id="no-png"
        ),
        pytest.param(partial(BadgeClass, image="data:image/png;base64,/9j"), "image: a data URI", id="half"),
        pytest.param(partial(BadgeClass, image="https://"), f"image: {URL}", id="no-url"),
        pytest.param(partial(BadgeClass, criteria_url="x"), f"criteria_url: {URL}", id="S1-26"),
        pytest.param(
            partial(BadgeClass, criteria_url="https://[x"), f"criteria_url: {URL}", id="S1-26-broken"
        ),
        pytest.param(partial(BadgeClass, criteria_narrative="![a](b)"), "criteria_narrative: no", id="S1-27"),
        pytest.param(partial(BadgeClass, tags=["a", ""]), "tags.1: String should", id="S1-28"),
        pytest.param(
            partial(BadgeClass, alignments=[{"target_url": "https://x.org"}]),
            "alignments.0.target_name",
            id="S1-31",
        ),
        pytest.param(partial(AlignmentIn, target_name="x", target_url="x"), f"target_url: {URL}", id="alone"),
        pytest.param(
            partial(BadgeClass, expires={"amount": 0, "duration": "days"}),
            "expires.amount: Input",
            id="amount",
        ),
        pytest.param(
            partial(ExpiresIn, amount=1, duration="day"), "duration: Input should be 'days'", id="period"
        ),
        pytest.param(partial(BadgeClass, issuers="x"), "issuers: Extra inputs", id="mistyped"),
        pytest.param(partial(ClaimCodeIn, limit=0), "limit: Input should be greater than 0", id="S1-33"),
        pytest.param(partial(ClaimCodeIn, limit=2**63), "limit: Input should be less", id="S1-33-int64"),
        pytest.param(partial(ClaimCodeIn, expiration_date="soon"), "expiration_date: Input", id="S1-34"),
        pytest.param(partial(AssertionIn), "recipient: Field required", id="S1-41"),
        pytest.param(partial(Assertion, recipient={"identity": "ann"}), WHOM, id="no-address"),
        pytest.param(partial(Assertion, recipient={"identity": "ann@bücher.example"}), WHOM, id="idn"),
        pytest.param(partial(Assertion, recipient={"identity": "a@b c.org"}), WHOM, id="blank-in-address"),
        pytest.param(
            partial(Assertion, recipient={"identity": "sha256$0"}), "recipient: a plain identity", id="hash"
        ),
        pytest.param(partial(RecipientIn, identity="x", type="id"), "type: Input should be", id="type"),
        pytest.param(
            partial(RecipientIn, identity="0151", type="telephone"), "the identity is none", id="E.164"
        ),
        pytest.param(partial(RecipientIn, identity="x", type="url"), "the identity is none", id="url"),
        pytest.param(
            partial(Assertion, badgeclass_open_badge_id="x"), f"badgeclass_open_badge_id: {URL}", id="S1-36"
        ),
        pytest.param(
            partial(Assertion, issued_on="1582-10-15T00:00Z"), "issued_on: a time of the", id="year"
        ),
        pytest.param(
            partial(Assertion, issued_on="9999-12-31T23:59:59-05:00"), "issued_on: a time", id="far"
        ),
        pytest.param(partial(Assertion, narrative="![a](b)"), "narrative: no images", id="S1-39"),
        pytest.param(partial(Assertion, evidence=[{}]), "evidence.0: a url or a narrative", id="evidence"),
        pytest.param(partial(EvidenceIn, url="x"), f"url: {URL}", id="evidence-url"),
        pytest.param(partial(Change, badgeclass="x"), "badgeclass: Extra inputs", id="S3-42"),
        pytest.param(partial(Issuer, email="x"), "email: an e-mail address in ASCII", id="S3-08"),
        pytest.param(partial(StaffIn, user="x", role="king"), "role: Input should be 'owner'", id="role"),
        pytest.param(partial(Issuer, staff=[{"user": "x"}]), "staff.0.role: Field required", id="no-role"),
        pytest.param(partial(UserIn, emails=[{"email": "x"}]), "emails.0.email: an e-mail", id="S3-40"),
        pytest.param(partial(ImportIn), "exactly one of url, image and assertion", id="S3-28-none"),
        pytest.param(partial(ImportIn, url="https://x.org", image="x"), "exactly one of", id="S3-28-two"),
        pytest.param(partial(CollectionIn, name=""), "name: String should have", id="S3-07"),
    ],
)
def test_what_the_provider_refuses_is_refused_here_by_its_field(
    make: Callable[[], Any], problem: str
) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        make()

    assert caught.value.problems[0].startswith(problem)
    assert len(caught.value.problems) == 1
    assert "ann" not in str(caught.value)
    assert caught.value.__context__ is None


def test_every_problem_is_named() -> None:
    with pytest.raises(InvalidDefinition) as caught:
        BadgeClassIn(name="", tags=[""])

    assert [each.partition(":")[0] for each in caught.value.problems] == ["name", "description", "tags.0"]


@pytest.mark.parametrize("image", [PNG, SVG, "https://example.org/a.png"])
@pytest.mark.parametrize(("name", "description"), [("x" * 1024, "x" * 16384)])
def test_what_is_just_right_passes(image: str, name: str, description: str) -> None:
    assert BadgeClassIn(name=name, description=description, image=image).body()["image"] == image


@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        ("email", "o'neil+a@mail.example.org"),
        ("email", "root@localhost"),
        ("telephone", "+4915112345678"),
        ("url", "https://example.org/~Ann"),
        ("openBadgeId", "https://example.org/Ann"),
    ],
)
def test_every_kind_of_recipient_goes_as_it_is(kind: str, identity: str) -> None:
    body = Assertion(recipient={"identity": identity, "type": kind}).body()

    assert body["recipient"] == {"identity": identity, "type": kind}


# What is sent


def test_what_is_not_set_is_not_sent_and_what_is_set_to_none_is_null() -> None:
    assert AssertionChangeIn().body() == {}
    assert AssertionChangeIn(expires=None).body() == {"expires": None}
    assert BadgeClass(expires=None).body() == {"name": "A", "description": "B", "expires": None}


def test_duplicates_are_not_asked_for_unless_they_are_meant() -> None:
    assert Assertion().body()["allowDuplicateAwards"] is False
    assert Assertion(allow_duplicate_awards=True).body()["allowDuplicateAwards"] is True


def test_addresses_are_sent_in_lower_case() -> None:
    body = Assertion(recipient={"identity": " Ann@Example.ORG "}).body()

    assert body["recipient"]["identity"] == "ann@example.org"


@pytest.mark.parametrize(
    "written", ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00", 1769860800]
)
def test_times_are_sent_in_utc(written: Any) -> None:
    assert Assertion(expires=written).body()["expires"] == "2026-01-31T12:00:00.000000Z"


def test_no_address_and_no_picture_stands_in_a_repr() -> None:
    assert "@" not in repr(Assertion())
    assert "base64" not in repr(BadgeClass(image=PNG))
    assert "@" not in repr(Issuer())


@pytest.mark.parametrize(
    ("data", "begins"),
    [
        (b"\x89PNG\r\n\x1a\n...", "data:image/png;base64,iVBOR"),
        (b"<?xml version='1.0'?>\n<SVG xmlns='x'/>", "data:image/svg+xml;base64,"),
        (b"\xff\xd8\xff\xe0", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_content(data: bytes, begins: str | None) -> None:
    found = picture_of(data)

    assert found is None if begins is None else str(found).startswith(begins)


# What is read


def answer(*result: Any, **envelope: Any) -> Answer:
    body = {"status": {"success": True, "description": "ok"}, "result": list(result), **envelope}
    return Answer(200, {}, json.dumps(body).encode())


def test_the_hosted_service_s_envelope_and_fields_are_borne() -> None:
    hosted = {
        "id": "65a0",
        "entityId": "K829IK8RS6ercwkpeFOn-Q",
        "name": "First steps",
        "image": {"id": "https://example.org/a.png", "caption": "A pixel"},
        "expires": {"amount": "30", "duration": "days"},
        "tags": None,
        "alignments": None,
        "archived": False,
        "ob3Properties": {"creditHours": 3},
        "preferences": {"x": [1]},
    }
    more: dict[str, Any] = {
        "errorCode": None,
        "warnings": {"image": ["small"]},
        "latestTermsVersion": 3,
        "nonFieldErrors": [],
    }

    found = read_one(answer(hosted, **more), BadgeClassOut)

    assert (found.entity_id, found.image) == ("K829IK8RS6ercwkpeFOn-Q", "https://example.org/a.png")
    assert (found.tags, found.alignments) == ([], [])
    assert found.expires is not None
    assert found.expires.amount == 30


@pytest.mark.parametrize("entity_id", [{}, {"entityId": None}, {"entityId": ""}])
def test_an_entity_may_have_but_the_other_id(entity_id: dict[str, Any]) -> None:
    assert read_one(answer({"id": "65a0", **entity_id}), UserOut).entity_id == "65a0"


@pytest.mark.parametrize(
    ("image", "url"),
    [
        ("https://example.org/a.png", "https://example.org/a.png"),
        ({"url": "https://example.org/a.png"}, "https://example.org/a.png"),
        ({}, None),
        (None, None),
    ],
)
def test_a_picture_is_a_url_or_an_object(image: Any, url: str | None) -> None:
    assert read_one(answer({"entityId": "a", "image": image}), IssuerOut).image == url


def test_a_time_without_a_zone_is_utc() -> None:
    found = read_one(answer({"entityId": "a", "createdAt": "2026-01-31T12:00:00"}), IssuerOut)

    assert found.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"result": {}}', b'{"result": [{}]}', b'{"result": [{"entityId": ""}]}'],
)
def test_what_cannot_be_read_tells_nothing(body: bytes) -> None:
    with pytest.raises(NoAnswer) as caught:
        read_all(Answer(200, {}, body), AssertionOut)

    assert caught.value.__context__ is None


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_one_result_is_one(names: list[str]) -> None:
    with pytest.raises(NoAnswer):
        read_one(answer(*({"entityId": name} for name in names)), UserOut)


# What is read and sent again


def test_a_badge_class_is_sent_whole_with_what_changes() -> None:
    shown: dict[str, Any] = {
        "entityId": "a",
        "issuer": "i",
        "name": "A",
        "description": "B",
        "image": "https://example.org/a.png",
        "alignments": [{"targetName": "C", "targetUrl": "https://example.org/c", "targetCode": None}],
        "tags": ["t"],
        "expires": {},
        "extensions": None,
        "createdAt": "2026-01-31T12:00:00Z",
    }

    body = read_one(answer(shown), BadgeClassOut).changed(name="New").body()

    assert body["alignments"] == [
        {
            "targetName": "C",
            "targetUrl": "https://example.org/c",
            "targetDescription": None,
            "targetFramework": None,
            "targetCode": None,
        }
    ]
    assert {
        name: body[name] for name in ("name", "description", "image", "tags", "expires", "extensions")
    } == {
        "name": "New",
        "description": "B",
        "image": "https://example.org/a.png",
        "tags": ["t"],
        "expires": None,
        "extensions": {},
    }
    assert not {"issuer", "entityId", "createdAt"} & set(body)


def test_a_badge_class_without_a_picture_is_sent_without_one() -> None:
    shown = read_one(answer({"entityId": "a", "name": "A", "description": "B"}), BadgeClassOut)

    assert "image" not in shown.changed(name="New").body()


def test_an_issuer_is_sent_whole_with_what_changes() -> None:
    shown = {
        "entityId": "a",
        "name": "A",
        "email": "a@example.org",
        "url": "https://example.org",
        "image": None,
    }

    body = read_one(answer(shown), IssuerOut).changed(name="New").body()

    assert body == {"name": "New", "email": "a@example.org", "url": "https://example.org"}
