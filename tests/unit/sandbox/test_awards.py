"""Awarding (facts/badgr-api.md sections 1, 5 and 6)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandboxes, Tried

ANN = {"recipient": {"identity": "ann@example.org"}}


def once(identity: str) -> dict[str, Any]:
    return {"recipient": {"identity": identity}, "allowDuplicateAwards": False}


def path(tried: Tried, what: str = "assertions") -> str:
    return f"/v2/badgeclasses/{tried.badgeclass}/{what}"


def test_the_same_award_twice_makes_two(tried: Tried) -> None:
    tried.award("ann@example.org")
    tried.award("ann@example.org")

    assert tried.awards() == ["ann@example.org"] * 2


def test_duplicates_are_refused_if_told(tried: Tried) -> None:
    tried.award("ann@example.org")

    again = tried.call("POST", path(tried), json=once("ann@example.org"))
    other = tried.call("POST", path(tried), json=once("bob@example.org"))

    assert [again.status_code, other.status_code] == [400, 201]


def test_an_address_in_upper_case_slips_past_the_check_for_duplicates(tried: Tried) -> None:
    tried.award("ann@example.org")

    answer = tried.call("POST", path(tried), json=once("Ann@Example.org"))

    assert answer.status_code == 201
    assert tried.awards() == ["ann@example.org"] * 2


def test_revoked_and_expired_awards_do_not_make_duplicates(tried: Tried) -> None:
    revoked = tried.award("ann@example.org")["entityId"]
    tried.result("DELETE", f"/v2/assertions/{revoked}", json={"revocation_reason": "x"})
    tried.award("bob@example.org", expires="2020-01-01T00:00:00Z")

    answers = [
        tried.call("POST", path(tried), json=once(who)) for who in ("ann@example.org", "bob@example.org")
    ]

    assert [answer.status_code for answer in answers] == [201, 201]


def test_the_same_person_twice_in_one_batch_gets_two(tried: Tried) -> None:
    body = {"assertions": [once("ann@example.org"), once("ann@example.org")]}

    answer = tried.call("POST", path(tried, "issue"), json=body)

    assert answer.status_code == 201
    assert tried.awards() == ["ann@example.org"] * 2


def test_eight_posts_at_once_all_pass_the_check_for_duplicates(sandboxes: Sandboxes) -> None:
    with sandboxes(gap=0.05) as tried:

        async def post_eight() -> list[int]:
            transport = httpx.ASGITransport(tried.app)
            headers = {"Authorization": "Bearer token-of-me"}
            async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as client:
                posts = [client.post(path(tried), json=once("ann@example.org")) for _ in range(8)]
                return [answer.status_code for answer in await asyncio.gather(*posts)]

        assert asyncio.run(post_eight()) == [201] * 8


def test_the_identity_is_hashed_with_its_own_salt(tried: Tried) -> None:
    one, two = (tried.award("ann@example.org")["recipient"] for _ in range(2))

    digest = hashlib.sha256(f"ann@example.org{one['salt']}".encode()).hexdigest()
    assert one["identity"] == f"sha256${digest}"
    assert one["salt"] != two["salt"]


@pytest.mark.parametrize(
    ("sent", "kind", "hashed", "shown"),
    [
        pytest.param(" Ann@Example.org ", "email", True, "ann@example.org", id="email"),
        pytest.param("https://Example.ORG/Ann", "url", False, "https://example.org/Ann", id="url"),
        pytest.param("https://example.org/Ann", "openBadgeId", False, "https://example.org/Ann", id="id"),
        pytest.param("+491701234567", "telephone", True, "+491701234567", id="telephone"),
    ],
)
def test_each_kind_of_recipient_is_kept_in_its_own_way(
    tried: Tried, sent: str, kind: str, hashed: bool, shown: str
) -> None:
    body = {"recipient": {"identity": sent, "type": kind}}

    recipient = tried.result("POST", path(tried), json=body)[0]["recipient"]

    assert recipient["plaintextIdentity"] == shown
    assert recipient["hashed"] is hashed
    assert ("salt" in recipient) is hashed


def test_a_recipient_can_ask_not_to_be_hashed(tried: Tried) -> None:
    body = {"recipient": {"identity": "ann@example.org", "hashed": False}}

    recipient = tried.result("POST", path(tried), json=body)[0]["recipient"]

    assert recipient["identity"] == "ann@example.org"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param("2026-11-20T10:00:00.25+02:00", "2026-11-20T08:00:00.250000Z", id="offset"),
        pytest.param("2026-11-20T10:00", "2026-11-20T10:00:00Z", id="naive"),
        pytest.param("2026-11-22T01:00:49.999999Z", "2026-11-22T01:00:49.999999Z", id="just-before-now"),
    ],
)
def test_times_are_answered_in_utc(tried: Tried, sent: str, shown: str) -> None:
    assert tried.award("ann@example.org", issuedOn=sent)["issuedOn"] == shown


def test_an_award_is_issued_now_unless_told(tried: Tried) -> None:
    assert tried.award("ann@example.org")["issuedOn"] == "2026-11-22T01:00:50Z"


@pytest.mark.parametrize("when", ["2026-11-22T01:00:50Z", "2026-11-22T01:00:50.000001Z"])
def test_issued_on_must_lie_strictly_before_the_clock(tried: Tried, when: str) -> None:
    answer = tried.call("POST", path(tried), json={**ANN, "issuedOn": when})

    assert answer.json()["fieldErrors"] == {"issuedOn": ["Only issuedOn dates in the past are acceptable."]}


@pytest.mark.parametrize("when", ["1582-12-31T00:00:00Z", "2026-13-01T00:00:00Z", "soon", 5, ""])
def test_other_wrong_times_are_refused(tried: Tried, when: object) -> None:
    answer = tried.call("POST", path(tried), json={**ANN, "issuedOn": when})

    assert answer.status_code == 400
    assert list(answer.json()["fieldErrors"]) == ["issuedOn"]


def test_an_award_may_have_expired_before_it_was_made(tried: Tried) -> None:
    tried.award("ann@example.org", expires="2020-01-01T00:00:00Z")

    assert tried.awards() == []
    assert tried.awards(include_expired="1") == ["ann@example.org"]


def test_tags_are_stripped_from_a_narrative(tried: Tried) -> None:
    assert tried.award("ann@example.org", narrative="<b>hi</b>")["narrative"] == "hi"


def test_a_badge_class_that_expires_leaves_its_awards_alone(tried: Tried) -> None:
    body = {"name": "x", "description": "x", "expires": {"amount": 2, "duration": "weeks"}}
    tried.result("PUT", f"/v2/badgeclasses/{tried.badgeclass}", json=body)

    assert tried.award("ann@example.org")["expires"] is None


def test_unknown_fields_are_ignored(tried: Tried) -> None:
    assert tried.award("ann@example.org", create_notification=True, nonsense=[])["revoked"] is False


def test_a_form_is_as_good_as_json(tried: Tried) -> None:
    form = {"recipient.identity": "ann@example.org", "narrative": "Well done"}

    by_form = tried.result("POST", path(tried), data=form)[0]
    by_parts = tried.result("POST", path(tried), files={name: (None, form[name]) for name in form})[0]

    for award in (by_form, by_parts):
        assert award["narrative"] == "Well done"
        assert award["recipient"]["plaintextIdentity"] == "ann@example.org"


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"badgeclassName": "first STEPS"}, id="name-in-any-case"),
        pytest.param(
            {"badgeclassOpenBadgeId": "http://127.0.0.1:8800/public/badges/9VPPaFpgSJKp0l34XkNA3Q"}, id="url"
        ),
    ],
)
def test_the_issuer_url_takes_the_badge_class_by(tried: Tried, named: dict[str, str]) -> None:
    award = tried.result("POST", f"/v2/issuers/{tried.issuer}/assertions", json={**ANN, **named})[0]

    assert award["badgeclass"] == tried.badgeclass


def test_five_hundred_at_once_come_back_in_order(tried: Tried) -> None:
    people = [f"person-{number}@example.org" for number in range(500)]
    body = {"assertions": [{"recipient": {"identity": person}} for person in people]}

    awards = tried.result("POST", path(tried, "issue"), json=body)

    assert [award["recipient"]["plaintextIdentity"] for award in awards] == people
    assert len({award["entityId"] for award in awards}) == 500


def test_a_batch_with_one_bad_item_saves_nothing(tried: Tried) -> None:
    body = {"assertions": [ANN, {"recipient": {"identity": "nonsense"}}]}

    answer = tried.call("POST", path(tried, "issue"), json=body)

    assert answer.status_code == 400
    assert tried.awards() == []


@pytest.mark.parametrize("body", [{}, {"assertions": "x"}, {"assertions": ["x"]}])
def test_a_batch_out_of_shape_breaks_the_service(tried: Tried, body: object) -> None:
    assert tried.call("POST", path(tried, "issue"), json=body).status_code == 500


def test_awards_and_batches_need_a_known_issuer(tried: Tried) -> None:
    answer = tried.call("POST", "/v2/issuers/nobody/assertions", json=ANN)

    assert answer.status_code == 404
