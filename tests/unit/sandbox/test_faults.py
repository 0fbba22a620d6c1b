"""Faults on request (contract section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from worker.sandbox.gate import ConnectionCut

if TYPE_CHECKING:
    import httpx

    from tests.unit.sandbox.conftest import Tried


def told(tried: Tried, *rules: dict[str, Any], **more: Any) -> None:
    answer = tried.client.post("/sandbox/faults", json={"rules": list(rules), **more})
    assert answer.status_code == 201, answer.text


def post(tried: Tried, identity: str = "ann@example.org") -> httpx.Response:
    body = {"recipient": {"identity": identity}}
    return tried.call("POST", f"/v2/badgeclasses/{tried.badgeclass}/assertions", json=body)


def held(tried: Tried) -> list[str]:
    return [each["recipient"] for each in tried.client.get("/sandbox/assertions").json()]


@pytest.mark.parametrize(
    ("fault", "saved"),
    [("error_before", []), ("error_after", ["ann@example.org"])],
)
def test_an_error_comes_before_or_after_saving(tried: Tried, fault: str, saved: list[str]) -> None:
    told(tried, {"fault": fault, "times": 1})

    answer = post(tried)

    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert held(tried) == saved


@pytest.mark.parametrize(
    ("fault", "saved"),
    [("drop_before", []), ("drop_after", ["ann@example.org"])],
)
def test_the_connection_is_dropped_before_or_after_saving(tried: Tried, fault: str, saved: list[str]) -> None:
    told(tried, {"fault": fault, "times": 1})

    with pytest.raises(ConnectionCut):
        post(tried)

    assert held(tried) == saved
    assert tried.client.get("/sandbox/calls").json()[-1]["status"] is None


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_a_batch_breaks_off_with_a_prefix_saved(tried: Tried, fault: str) -> None:
    told(tried, {"fault": fault, "times": 1, "path": "/issue$", "saved": 2})
    body = {"assertions": [{"recipient": {"identity": f"{letter}@example.org"}} for letter in "abcd"]}

    try:
        status = tried.call("POST", f"/v2/badgeclasses/{tried.badgeclass}/issue", json=body).status_code
    except ConnectionCut:
        status = None

    assert status == (500 if fault == "error_after" else None)
    assert held(tried) == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize(("seconds", "header"), [(7, "7"), (2.5, "3"), ([4, 4], "4"), (None, None)])
def test_a_throttled_call_says_how_long_if_told(tried: Tried, seconds: object, header: str | None) -> None:
    told(tried, {"fault": "throttle", "seconds": seconds})

    answer = post(tried)

    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, header)
    assert answer.json()["status"]["description"] == "miscellaneous error"
    assert held(tried) == []


def test_tokens_expire_and_a_new_sign_in_helps(tried: Tried) -> None:
    told(tried, {"fault": "expire_tokens", "times": 1})
    first = tried.sign_in(username="me", password="x")

    expired, still = post(tried), post(tried)
    tried.tokens["me"] = tried.sign_in(username="me", password="x").json()["access_token"]

    assert first.status_code == 200
    assert [expired.status_code, still.status_code, post(tried).status_code] == [401, 401, 201]


def test_an_expired_token_can_be_refreshed(tried: Tried) -> None:
    pair = tried.sign_in(username="me", password="x").json()
    told(tried, {"fault": "expire_tokens", "times": 1})
    post(tried)

    answer = tried.sign_in(grant_type="refresh_token", refresh_token=pair["refresh_token"])

    assert answer.status_code == 200


def test_a_sign_in_is_refused_for_one_account_alone(tried: Tried) -> None:
    told(tried, {"fault": "refuse_sign_in", "account": "me"})

    mine, yours = tried.sign_in(username="me", password="x"), tried.sign_in(username="you", password="x")

    assert (mine.status_code, mine.json()["error"], yours.status_code) == (400, "invalid_grant", 200)


def test_maintenance_answers_posts_with_a_redirect(tried: Tried) -> None:
    told(tried, {"fault": "maintenance"})

    answer = post(tried)

    assert (answer.status_code, answer.headers["location"]) == (302, "/maintenance")
    assert tried.awards() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_slow_call_is_answered_all_the_same(tried: Tried, when: str) -> None:
    told(tried, {"fault": "slow", "seconds": [0.001, 0.002], "when": when})

    assert post(tried).status_code == 201
    assert tried.client.get("/sandbox/faults").json()[0]["applied"] == 1


def test_a_rule_is_used_up_after_its_times(tried: Tried) -> None:
    told(tried, {"fault": "error_before", "times": 2})

    assert [post(tried).status_code for _ in range(3)] == [500, 500, 201]


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"path": "assertions$"}, 500),
        ({"path": "/issue"}, 201),
        ({"method": "post"}, 500),
        ({"method": "GET"}, 201),
        ({"account": "me"}, 500),
        ({"account": "you"}, 201),
        ({"rate": 1}, 500),
        ({"rate": 0}, 201),
    ],
)
def test_a_rule_befalls_the_calls_that_it_names(tried: Tried, rule: dict[str, Any], status: int) -> None:
    told(tried, {"fault": "error_before", **rule})

    assert post(tried).status_code == status


def test_the_same_seed_makes_the_same_calls_go_wrong(tried: Tried) -> None:
    rows = []
    for _ in range(2):
        tried.client.delete("/sandbox/faults")
        told(tried, {"fault": "error_before", "rate": 0.5}, seed=7)
        rows.append([post(tried).status_code for _ in range(20)])

    assert rows[0] == rows[1]
    assert set(rows[0]) == {201, 500}


def test_the_error_may_have_another_number(tried: Tried) -> None:
    told(tried, {"fault": "error_after", "status": 503})

    assert post(tried).status_code == 503


def test_rules_are_taken_away(tried: Tried) -> None:
    told(tried, {"fault": "error_before"})

    assert tried.client.delete("/sandbox/faults").status_code == 204
    assert tried.client.get("/sandbox/faults").json() == []
    assert post(tried).status_code == 201


def test_rules_may_come_alone_or_as_a_list(tried: Tried) -> None:
    tried.client.post("/sandbox/faults", json={"fault": "error_before", "times": 1})
    rules = tried.client.post("/sandbox/faults", json=[{"fault": "throttle"}]).json()

    assert [rule["fault"] for rule in rules] == ["error_before", "throttle"]


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b'{"fault": "sulk"}',
        b'{"fault": "slow"}',
        b'{"fault": "error_before", "rate": 2}',
        b'{"fault": "error_before", "times": 0}',
        b'{"fault": "error_before", "path": "("}',
        b'{"fault": "error_before", "unknown": 1}',
        b'{"rules": 1}',
        b"5",
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_with_the_reason(tried: Tried, body: bytes) -> None:
    answer = tried.client.post("/sandbox/faults", content=body)

    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert tried.client.get("/sandbox/faults").json() == []


def test_a_fault_counts_in_the_rate_limit_like_any_call(tried: Tried) -> None:
    told(tried, {"fault": "error_before"})
    post(tried)

    assert tried.client.get("/sandbox/calls").json()[-1]["counted"] is True
