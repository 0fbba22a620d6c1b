"""Lists, pages, feeds of changes, updates and revoking (facts/badgr-api.md sections 7 and 8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.unit.sandbox.conftest import Tried


def people(answer: httpx.Response) -> list[str]:
    return [row["recipient"]["plaintextIdentity"][0] for row in answer.json()["result"]]


def link(answer: httpx.Response, relation: str) -> str | None:
    match = re.search(rf'<([^>]+)>; rel="{relation}"', answer.headers.get("Link", ""))
    return match and match[1]


def award_five(tried: Tried) -> None:
    for letter in "abcde":
        tried.award(f"{letter}@example.org")
        tried.clock.wait(1)


def test_a_list_is_whole_and_oldest_first(tried: Tried) -> None:
    award_five(tried)

    answer = tried.call("GET", f"/v2/issuers/{tried.issuer}/assertions")

    assert people(answer) == list("abcde")
    assert "Link" not in answer.headers


def test_pages_come_newest_first_and_lead_there_and_back(tried: Tried) -> None:
    award_five(tried)
    path = f"/v2/badgeclasses/{tried.badgeclass}/assertions?num=2"

    first = tried.call("GET", path)
    second = tried.call("GET", link(first, "next") or "")
    third = tried.call("GET", link(second, "next") or "")
    back = tried.call("GET", link(third, "prev") or "")

    assert [people(page) for page in (first, second, third, back)] == [
        ["e", "d"],
        ["c", "b"],
        ["a"],
        ["c", "b"],
    ]
    assert link(first, "prev") is None
    assert link(third, "next") is None
    assert people(tried.call("GET", link(back, "prev") or "")) == ["e", "d"]


def test_pages_keep_their_filters(tried: Tried) -> None:
    for _ in range(3):
        tried.award("a@example.org")
        tried.award("b@example.org")

    first = tried.call(
        "GET", f"/v2/badgeclasses/{tried.badgeclass}/assertions?num=2&recipient=a%40example.org"
    )
    second = tried.call("GET", link(first, "next") or "")

    assert people(first) + people(second) == ["a", "a", "a"]


@pytest.mark.parametrize(
    ("number", "seen"), [("0", "e"), ("-1", "e"), ("abc", "abcde"), ("600", "edcba"), ("", "abcde")]
)
def test_odd_page_sizes_mean_what_they_mean_there(tried: Tried, number: str, seen: str) -> None:
    award_five(tried)

    answer = tried.call("GET", f"/v2/badgeclasses/{tried.badgeclass}/assertions", params={"num": number})

    assert "".join(people(answer)) == seen


def test_badge_classes_come_in_pages_too(tried: Tried) -> None:
    first = tried.call("GET", "/v2/badgeclasses?num=3")
    second = tried.call("GET", link(first, "next") or "")
    back = tried.call("GET", link(second, "prev") or "")

    names = [[row["name"] for row in page.json()["result"]] for page in (first, second, back)]
    assert names[0] == names[2] == ["Elsewhere", "PNG badge", "PNG badge"]
    assert names[1] == ["First steps"]


def test_a_recipient_is_found_by_the_plain_lower_case_address_alone(tried: Tried) -> None:
    tried.award("Ann+1@Example.org")

    assert tried.awards(recipient="ann+1@example.org") == ["ann+1@example.org"]
    assert tried.awards(recipient="Ann+1@Example.org") == []


def test_several_recipients_are_asked_for_in_one_call(tried: Tried) -> None:
    award_five(tried)

    assert tried.awards(recipient=["a@example.org", "d@example.org"]) == ["a@example.org", "d@example.org"]


@pytest.mark.parametrize("on", ["1", "true"])
def test_revoked_ones_are_listed_if_asked_for(tried: Tried, on: str) -> None:
    award = tried.award("ann@example.org")["entityId"]
    tried.result("DELETE", f"/v2/assertions/{award}", json={"revocation_reason": "x"})

    assert tried.awards() == []
    assert tried.awards(include_revoked=on) == ["ann@example.org"]
    assert tried.awards(include_revoked="0") == []


def feed(tried: Tried, **query: Any) -> tuple[list[str], dict[str, Any]]:
    answer = tried.call("GET", "/v2/assertions/changed", params=query).json()
    return [row["recipient"]["plaintextIdentity"][0] for row in answer["result"]], answer


def test_the_feed_goes_on_from_its_own_timestamp(tried: Tried) -> None:
    award_five(tried)

    seen, answer = feed(tried)
    tried.clock.wait(1)
    tried.award("f@example.org")
    later, _ = feed(tried, since=answer["timestamp"])

    assert seen == list("abcde")
    assert later == ["f"]


def test_the_feed_tells_of_revoked_and_expired_ones_in_the_order_of_their_changes(tried: Tried) -> None:
    first = tried.award("a@example.org")["entityId"]
    tried.clock.wait(1)
    tried.award("b@example.org", expires="2020-01-01T00:00:00Z")
    tried.clock.wait(1)
    tried.result("DELETE", f"/v2/assertions/{first}", json={"revocation_reason": "x"})

    assert feed(tried)[0] == ["b", "a"]


def test_the_feed_comes_in_pages_there_and_back(tried: Tried) -> None:
    award_five(tried)

    _, first = feed(tried, num=2)
    second = tried.call("GET", first["pagination"]["nextResults"])
    third = tried.call("GET", second.json()["pagination"]["nextResults"])
    back = tried.call("GET", third.json()["pagination"]["previousResults"])

    assert [people(page) for page in (second, third, back)] == [["c", "d"], ["e"], ["c", "d"]]
    assert third.json()["pagination"]["hasNext"] is False
    assert back.json()["pagination"]["hasPrevious"] is True


@pytest.mark.parametrize("since", ["2026-11-22", "2026-11-22T01:00:51.5", "2026-11-22T01:00:51.500Z"])
def test_the_feed_takes_naive_times_and_dates(tried: Tried, since: str) -> None:
    award_five(tried)

    seen, _ = feed(tried, since=since)

    assert seen == (list("cde") if "T" in since else list("abcde"))


def test_issuers_and_badge_classes_have_feeds_of_their_own(tried: Tried) -> None:
    tried.clock.wait(1)
    body = {"name": "New name", "description": "x"}
    tried.result("PUT", f"/v2/badgeclasses/{tried.badgeclass}", json=body)

    classes = tried.result("GET", "/v2/badgeclasses/changed", params={"since": "2026-11-22T01:00:50Z"})
    issuers = tried.result("GET", "/v2/issuers/changed", params={"num": 1})

    assert [row["name"] for row in classes] == ["New name"]
    assert [row["entityId"] for row in issuers] == [tried.issuer]


def test_an_update_changes_facts_but_not_the_badge_class(tried: Tried) -> None:
    before = tried.award("ann@example.org", narrative="Old")
    body = {
        "badgeclass": tried.other_class,
        "issuedOn": "2026-01-01T00:00:00Z",
        "expires": "2027-01-01T00:00:00Z",
        "evidence": [{"narrative": "See"}],
        "recipient": {"identity": "Bob@Example.org"},
    }

    after = tried.result("PUT", f"/v2/assertions/{before['entityId']}", json=body)[0]

    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"issuedOn", "expires", "evidence", "recipient", "image"}
    assert after["recipient"]["plaintextIdentity"] == "bob@example.org"


def test_an_update_leaves_the_old_picture_behind(tried: Tried) -> None:
    before = tried.award("ann@example.org")
    assert tried.call("GET", before["image"], None).headers["content-type"] == "image/png"

    after = tried.result("PUT", f"/v2/assertions/{before['entityId']}", json={})[0]

    assert tried.call("GET", before["image"], None).status_code == 404
    assert tried.call("GET", after["image"], None).status_code == 200


@pytest.mark.parametrize("body", [{"issuedOn": "2126-01-01T00:00:00Z"}, {"recipient": {"identity": "x"}}, []])
def test_a_wrong_update_changes_nothing(tried: Tried, body: object) -> None:
    before = tried.award("ann@example.org")

    answer = tried.call("PUT", f"/v2/assertions/{before['entityId']}", json=body)

    assert answer.status_code == 400
    assert tried.result("GET", f"/v2/assertions/{before['entityId']}") == [before]


def test_a_reason_may_come_as_a_form(tried: Tried) -> None:
    award = tried.award("ann@example.org")["entityId"]

    answer = tried.result("DELETE", f"/v2/assertions/{award}", data={"revocation_reason": "x"})

    assert answer[0]["revoked"] is True


@pytest.mark.parametrize("body", [{"entityId": "x"}, ["x"]])
def test_revoking_many_out_of_shape_breaks_the_service(tried: Tried, body: object) -> None:
    assert tried.call("POST", "/v2/assertions/revoke", json=body).status_code == 500
