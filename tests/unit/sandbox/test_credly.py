"""The Credly side of the sandbox: what a client that does it wrongly would get to see."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from worker.sandbox import SeedTemplate
from worker.sandbox.gate import ConnectionCut

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.unit.sandbox.conftest import Sandboxes, Tried

ORG = "3978643a-fbf7-423c-865e-d011dd2428d8"
BADGES, TEMPLATES = f"/v1/organizations/{ORG}/badges", f"/v1/organizations/{ORG}/badge_templates"
BODY = {
    "recipient_email": "Ann@Example.org",
    "issued_to_first_name": "Ann",
    "issued_to_last_name": "Lee",
    "badge_template_id": "archery",
    "issued_at": "2014-04-01 09:41:00 -0500",
    "issuer_earner_id": "ann",
}
SEEDS = (
    SeedTemplate("archery", "Archery", ORG, {"description": "Bows"}),
    SeedTemplate("chess", "Chess", ORG, {"allow_duplicate_badges": True}),
    SeedTemplate("old", "Old", ORG, {"state": "archived"}),
)


@pytest.fixture
def credly(sandboxes: Sandboxes) -> Iterator[Tried]:
    with sandboxes(templates=SEEDS, people={"ann@home.example": "ann@example.org"}) as one:
        yield one


def basic(text: str = "partner:") -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def ask(tried: Tried, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
    headers = {"Authorization": basic(), **more.pop("headers", {})}
    return tried.client.request(method, path, json=body, headers=headers, **more)


def issue(tried: Tried, **fields: Any) -> httpx.Response:
    return ask(tried, "POST", BADGES, BODY | fields)


def refused(answer: httpx.Response) -> dict[str, list[str]]:
    assert answer.status_code == 422
    return {each["attribute"]: each["messages"] for each in answer.json()["data"].get("errors", [])}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer token-of-me", basic("partner"), basic(":"), basic("partner:password"), "Basic !"],
    ids=["none", "a-bearer", "without-its-colon", "no-token", "with-a-password", "not-base64"],
)
def test_a_token_is_a_user_name_without_a_password(credly: Tried, authorization: str) -> None:
    answer = ask(credly, "GET", TEMPLATES, headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.json()["data"]["message"]


def test_a_token_that_is_refused_is_answered_401(sandboxes: Sandboxes) -> None:
    with sandboxes(templates=SEEDS, refuse_sign_in=frozenset({"partner"})) as tried:
        assert ask(tried, "GET", TEMPLATES).status_code == 401


def test_a_fault_refuses_tokens(credly: Tried) -> None:
    credly.client.post("/sandbox/faults", json={"fault": "refuse_sign_in", "times": 1})

    statuses = [ask(credly, "GET", TEMPLATES).status_code for _ in range(2)]

    assert statuses == [401, 200]


@pytest.mark.parametrize(
    "path", ["/v1/organizations/other/badges", f"{TEMPLATES}/nothing", f"{BADGES}/nothing"]
)
def test_what_is_not_there_is_a_404(credly: Tried, path: str) -> None:
    answer = ask(credly, "GET", path)

    assert (answer.status_code, "message" in answer.json()["data"]) == (404, True)


def test_another_method_is_a_405(credly: Tried) -> None:
    answer = ask(credly, "PATCH", BADGES)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_badge_is_pending_with_the_instant_of_its_issue_in_utc(credly: Tried) -> None:
    answer = issue(credly, suppress_badge_notification_email=True)

    badge = answer.json()["data"]
    assert answer.status_code == 201
    assert badge["state"] == "pending"
    assert badge["recipient_email"] == "ann@example.org"
    assert (badge["issued_at"], badge["expires_at"]) == ("2014-04-01T14:41:00.000Z", None)
    assert (badge["issued_to"], badge["issuer_earner_id"]) == ("Ann Lee", "ann")
    assert badge["badge_template"]["badges_count"] == 0
    assert ask(credly, "GET", f"{BADGES}/{badge['id']}").json()["data"]["badge_template"]["badges_count"] == 1


@pytest.mark.parametrize("name", [name for name in BODY if name != "issuer_earner_id"])
@pytest.mark.parametrize("value", [None, " "])
def test_five_fields_are_required(credly: Tried, name: str, value: str | None) -> None:
    assert refused(issue(credly, **{name: value})) == {name: ["can't be blank"]}


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"recipient_email": "nobody"}, {"recipient_email": ["is invalid"]}),
        ({"issued_at": "soon"}, {"issued_at": ["is not a valid date"]}),
        ({"expires_at": "later"}, {"expires_at": ["is not a valid date"]}),
        ({"locale": "tlh"}, {"locale": ["is not included in the list"]}),
        ({"evidence": [{"type": "UrlEvidence", "value": "here"}]}, {"evidence": ["is invalid"]}),
        ({"evidence": "here"}, {"evidence": ["is invalid"]}),
        ({"badge_template_id": "old"}, {"badge_template_id": ["must be active"]}),
    ],
)
def test_each_wrong_field_is_named(credly: Tried, fields: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert refused(issue(credly, **fields)) == wrong


def test_an_unknown_template_is_refused(credly: Tried) -> None:
    answer = issue(credly, badge_template_id="nothing")

    assert answer.status_code == 422
    assert answer.json()["data"]["message"] == "Invalid or missing Badge Template ID: nothing"


@pytest.mark.parametrize("body", ["[]", "{", ""])
def test_a_body_that_is_no_object_is_refused(credly: Tried, body: str) -> None:
    answer = ask(credly, "POST", BADGES, content=body)

    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"issuer_earner_id": "bob"}, id="same-address"),
        pytest.param({"recipient_email": "bob@example.org"}, id="same-earner"),
        pytest.param({"recipient_email": "ann@home.example", "issuer_earner_id": None}, id="same-person"),
    ],
)
def test_a_duplicate_is_refused(credly: Tried, other: dict[str, Any]) -> None:
    issue(credly)

    answer = issue(credly, **other)

    assert answer.status_code == 422
    assert answer.json()["data"]["message"] == "User already has this badge"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"recipient_email": "bob@example.org", "issuer_earner_id": None}, id="somebody-else"),
        pytest.param({"badge_template_id": "chess"}, id="another-template"),
    ],
)
def test_another_badge_is_no_duplicate(credly: Tried, other: dict[str, Any]) -> None:
    issue(credly, issuer_earner_id=None)

    assert issue(credly, **other).status_code == 201


def test_a_template_may_allow_duplicates(credly: Tried) -> None:
    statuses = [issue(credly, badge_template_id="chess").status_code for _ in range(2)]

    assert statuses == [201, 201]


def test_what_was_revoked_or_ran_out_is_no_duplicate(credly: Tried) -> None:
    badge = issue(credly).json()["data"]
    ask(credly, "PUT", f"{BADGES}/{badge['id']}/revoke", {"reason": "x"})

    first = issue(credly, expires_at="2015-01-01 00:00:00 +0000")

    assert first.status_code == 201
    assert issue(credly).status_code == 201


def test_a_badge_is_revoked_once_and_with_a_reason(credly: Tried) -> None:
    path = f"{BADGES}/{issue(credly).json()['data']['id']}/revoke"

    nameless = ask(credly, "PUT", path, {"reason": " "})
    revoked = ask(credly, "PUT", path, {"reason": "mistake"})
    again = ask(credly, "PUT", path, {"reason": "mistake"})

    assert refused(nameless) == {"reason": ["can't be blank"]}
    assert (revoked.status_code, again.status_code) == (200, 422)
    assert revoked.json()["data"]["state"] == "revoked"
    assert revoked.json()["data"]["revocation_reason"] == "mistake"


def test_a_deleted_badge_is_gone(credly: Tried) -> None:
    path = f"{BADGES}/{issue(credly).json()['data']['id']}"

    assert [ask(credly, method, path).status_code for method in ("DELETE", "GET")] == [204, 404]


@pytest.mark.parametrize("query", ["filter=colour::red", "sort=colour"])
def test_an_unknown_key_of_a_list_is_refused(credly: Tried, query: str) -> None:
    assert ask(credly, "GET", f"{TEMPLATES}?{query}").status_code == 422


def test_the_control_shows_badges_of_both_sides(credly: Tried) -> None:
    credly.award("ann@example.org")
    badge = issue(credly).json()["data"]

    badgr, ours = credly.client.get("/sandbox/assertions").json()

    assert (badgr["provider"], ours["provider"]) == ("badgr", "credly")
    assert ours == {
        "entityId": badge["id"],
        "badgeclass": "archery",
        "issuer": ORG,
        "recipient": "ann@example.org",
        "issuedOn": "2014-04-01T14:41:00Z",
        "expires": None,
        "revoked": False,
        "revocationReason": None,
        "notify": True,
        "createdAt": "2026-11-22T01:00:50Z",
        "url": badge["badge_url"],
        "account": "partner",
        "provider": "credly",
        "earner": "ann",
        "names": ["Ann", "Lee"],
    }


def test_everybody_may_see_a_badge_but_not_whose_it_is(credly: Tried) -> None:
    badge = issue(credly).json()["data"]

    page, accepting = (credly.client.get(badge[name]) for name in ("badge_url", "accept_badge_url"))

    assert page.json()["id"] == badge["id"]
    assert page.content == accepting.content
    assert b"ann" not in page.content
    assert credly.client.get("/badges/nothing").status_code == 404


def test_calls_above_the_limit_are_held_back_in_credlys_words(sandboxes: Sandboxes) -> None:
    with sandboxes(templates=SEEDS, rate_limit="2/60s") as tried:
        answers = [ask(tried, "GET", TEMPLATES) for _ in range(3)]

        calls = tried.client.get("/sandbox/calls").json()

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "60"
    assert answers[2].json()["data"]["message"]
    assert [(call["account"], call["counted"]) for call in calls] == [("partner", True)] * 2 + [
        ("partner", False)
    ]


def test_faults_befall_credly_too(credly: Tried) -> None:
    rules: list[dict[str, Any]] = [
        {"fault": "throttle", "seconds": 7},
        {"fault": "error_after"},
        {"fault": "drop_after"},
    ]
    statuses: list[int | None] = []
    for rule in rules:
        credly.client.delete("/sandbox/faults")
        credly.client.post("/sandbox/faults", json=rule | {"times": 1})
        try:
            answer = issue(credly, badge_template_id="chess")
        except ConnectionCut:
            statuses.append(None)
        else:
            statuses.append(answer.status_code)

    assert statuses == [429, 500, None]
    assert len(credly.client.get("/sandbox/assertions").json()) == 2


def test_what_is_kept_survives_a_restart(sandboxes: Sandboxes, tmp_path: Any) -> None:
    with sandboxes(templates=SEEDS, data=tmp_path / "sandbox.db") as tried:
        badge = issue(tried).json()["data"]
        tried.sandbox.shelf.change_template("archery", tried.clock(), state="archived")

    with sandboxes(templates=SEEDS, data=tmp_path / "sandbox.db") as tried:
        kept = ask(tried, "GET", f"{BADGES}/{badge['id']}").json()["data"]

    assert kept["id"] == badge["id"]
    assert kept["badge_template"]["state"] == "archived"
