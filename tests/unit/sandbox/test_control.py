"""What the sandbox tells about itself (contract section 6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from worker.sandbox.views import control

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandboxes, Tried


def test_every_assertion_is_listed_whoever_made_it(tried: Tried) -> None:
    award = tried.award("Ann@Example.org", issuedOn="2026-11-20T00:00:00Z", notify=True)
    tried.result("DELETE", f"/v2/assertions/{award['entityId']}", json={"revocation_reason": "x"})
    body = {"recipient": {"identity": "bob@example.org"}}
    tried.result("POST", f"/v2/badgeclasses/{tried.badgeclass}/assertions", "you", json=body)

    one, two = tried.client.get("/sandbox/assertions").json()

    assert one == {
        "entityId": award["entityId"],
        "badgeclass": tried.badgeclass,
        "issuer": tried.issuer,
        "recipient": "ann@example.org",
        "issuedOn": "2026-11-20T00:00:00Z",
        "expires": None,
        "revoked": True,
        "revocationReason": "x",
        "notify": True,
        "createdAt": "2026-11-22T01:00:50Z",
        "url": award["openBadgeId"],
        "account": "me",
        "provider": "badgr",
    }
    assert (two["recipient"], two["account"]) == ("bob@example.org", "you")


def test_long_lists_are_whole_and_in_order(tried: Tried) -> None:
    people = [f"{number}@example.org" for number in range(1234)]
    body = {"assertions": [{"recipient": {"identity": person}} for person in people]}
    tried.result("POST", f"/v2/badgeclasses/{tried.badgeclass}/issue", json=body)

    assert [each["recipient"] for each in tried.client.get("/sandbox/assertions").json()] == people


def test_a_long_list_lets_others_have_their_turn_between_its_slices() -> None:
    turns: list[str] = []

    def fetch(after: int) -> list[tuple[int, dict[str, Any]]]:
        turns.append(f"slice {after + 1}")
        return [(after + 1, {})] if after < 2 else []

    async def call() -> None:
        for number in (1, 2):
            turns.append(f"call {number}")
            await asyncio.sleep(0)

    async def both() -> None:
        calls = asyncio.create_task(call())
        async for _ in control._array(fetch):
            pass
        await calls

    asyncio.run(both())
    assert turns == ["slice 1", "call 1", "slice 2", "call 2", "slice 3"]


def test_empty_lists_are_lists(tried: Tried) -> None:
    assert tried.client.get("/sandbox/assertions").json() == []
    assert tried.client.get("/sandbox/calls").json() == []


def test_every_call_is_listed_with_its_time_and_whose_it_was(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="1/60s") as tried:
        tried.clock.wait(0.25)
        tried.awards(recipient="ann@example.org")
        tried.call("GET", "/v2/issuers")
        tried.call("POST", "/v2/nonsense", None)

        calls = tried.client.get("/sandbox/calls").json()

    path = f"/v2/badgeclasses/{tried.badgeclass}/assertions"
    assert [(each["method"], each["path"], each["status"]) for each in calls] == [
        ("GET", path, 200),
        ("GET", "/v2/issuers", 429),
        ("POST", "/v2/nonsense", 404),
    ]
    assert [(each["account"], each["counted"]) for each in calls] == [
        ("me", True),
        ("me", False),
        (None, False),
    ]
    assert (calls[0]["time"], calls[0]["at"]) == (1795309250.25, "2026-11-22T01:00:50.250000+00:00")


def test_no_address_stands_in_the_list_of_calls(tried: Tried) -> None:
    tried.awards(recipient="ann@example.org")

    assert "ann" not in tried.client.get("/sandbox/calls").text


def test_calls_are_listed_from_a_time_on(tried: Tried) -> None:
    tried.awards()
    tried.clock.wait(10)
    tried.awards()
    since = tried.clock.now

    calls = tried.client.get("/sandbox/calls", params={"since": since}).json()

    assert [each["time"] for each in calls] == [since]


def test_a_time_that_is_none_is_refused(tried: Tried) -> None:
    assert tried.client.get("/sandbox/calls?since=yesterday").status_code == 400


def test_looking_does_not_show_up_among_the_calls(tried: Tried) -> None:
    tried.client.get("/sandbox/calls")
    tried.client.get("/sandbox/assertions")
    tried.client.get("/health")

    assert tried.client.get("/sandbox/calls").json() == []


def test_a_defect_of_the_sandbox_is_answered_like_one_of_the_service(tried: Tried) -> None:
    answer = tried.call("POST", "/v2/auth/forgot-password", None, json={"email": ["unhashable"]})

    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
