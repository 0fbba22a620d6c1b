"""What only the hosted service has (seed 001: S1-01 to S1-21)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandboxes, Tried

CHANGED = {"name": "Changed", "description": "x"}


def ref(tried: Tried) -> str:
    url = f"http://127.0.0.1:8800/public/badges/{tried.badgeclass}"
    return base64.b64encode(url.encode()).decode()


def path(tried: Tried, more: str = "") -> str:
    return f"/v2/badgeclasses/{tried.badgeclass}{more}"


def status(tried: Tried, method: str, path: str, **more: Any) -> int:
    return tried.call(method, path, **more).status_code


@pytest.mark.parametrize("query", ["?archivalNote=old", "?hard_delete=false"])
def test_archived_classes_are_hidden_unless_asked_for(tried: Tried, query: str) -> None:
    assert status(tried, "DELETE", path(tried, query)) == 204

    shown = tried.result("GET", path(tried, "?include_archived=true"))[0]
    names = [row["name"] for row in tried.result("GET", "/v2/badgeclasses")]
    everything = tried.result("GET", f"/v2/issuers/{tried.issuer}/badgeclasses?include_archived=true")

    assert status(tried, "GET", path(tried)) == 404
    assert (shown["archived"], shown["archivedDate"]) == (True, "2026-11-22T01:00:50Z")
    assert "First steps" not in names
    assert len(everything) == 3


def test_the_note_of_archiving_is_shown(tried: Tried) -> None:
    tried.call("DELETE", path(tried, "?archivalNote=old"))

    assert tried.result("GET", path(tried, "?include_archived=1"))[0]["archivalNote"] == "old"


def test_an_archived_class_cannot_be_awarded_but_its_awards_stay(tried: Tried) -> None:
    award = tried.award("ann@example.org")
    tried.call("DELETE", path(tried, "?archivalNote=old"))

    body = {"recipient": {"identity": "bob@example.org"}}
    assert status(tried, "POST", path(tried, "/assertions"), json=body) == 404
    assert tried.result("GET", path(tried, "/assertions")) == [award]


@pytest.mark.parametrize("by_ref", [False, True])
def test_an_archived_class_comes_back(tried: Tried, by_ref: bool) -> None:
    tried.call("DELETE", path(tried, "?archivalNote=old"))
    where = f"ref/{ref(tried)}" if by_ref else tried.badgeclass

    shown = tried.result("POST", f"/v2/badgeclasses/reactivate/{where}")[0]

    assert (shown["archived"], shown["archivalNote"]) == (False, None)
    assert status(tried, "GET", path(tried)) == 200


def test_hard_delete_deletes_for_good(tried: Tried) -> None:
    assert status(tried, "DELETE", path(tried, "?hard_delete=true")) == 204
    assert status(tried, "GET", path(tried, "?include_archived=true")) == 404


def test_hard_delete_is_refused_while_awards_are_alive(tried: Tried) -> None:
    tried.award("ann@example.org")

    assert status(tried, "DELETE", path(tried, "?hard_delete=true")) == 400


def test_delete_archives_if_the_sandbox_is_told_to_be_hosted(sandboxes: Sandboxes) -> None:
    with sandboxes(archive_on_delete=True) as tried:
        tried.call("DELETE", path(tried))

        assert tried.result("GET", path(tried, "?include_archived=true"))[0]["archived"] is True


def test_a_class_is_reached_by_its_open_badge_id(tried: Tried) -> None:
    by_ref = f"/v2/badgeclasses/ref/{ref(tried)}"

    before = tried.result("GET", by_ref)[0]["entityId"]
    changed = tried.result("PUT", by_ref, json=CHANGED)[0]["name"]
    gone = status(tried, "DELETE", by_ref)

    assert (before, changed, gone) == (tried.badgeclass, "Changed", 204)
    assert status(tried, "GET", by_ref) == 404


@pytest.mark.parametrize("junk", ["!", "AAA", "bm9uc2Vuc2U="])
def test_a_junk_reference_is_not_found(tried: Tried, junk: str) -> None:
    assert status(tried, "GET", f"/v2/badgeclasses/ref/{junk}") == 404


def test_a_class_is_copied_under_a_new_name(tried: Tried) -> None:
    answer = tried.call("POST", path(tried, "/duplicate"), json={"newName": "Copy"})

    copy, original = answer.json()["result"][0], tried.result("GET", path(tried))[0]
    assert answer.status_code == 201
    assert copy["entityId"] != original["entityId"]
    own = {name: copy[name] for name in ("name", "entityId", "openBadgeId", "createdAt", "createdBy")}
    assert copy == {**original, **own}


def test_a_copy_needs_a_name(tried: Tried) -> None:
    answer = tried.call("POST", path(tried, "/duplicate"), json={})

    assert answer.json()["fieldErrors"] == {"newName": ["This field is required."]}


def test_claim_codes_are_made_changed_switched_and_archived(tried: Tried) -> None:
    body = {"label": "Event", "limit": 10, "expirationDate": "2027-01-01T00:00:00Z"}
    made = tried.result("POST", path(tried, "/claim-codes"), json=body)[0]
    code = path(tried, f"/claim-codes/{made['code']}")

    changed = tried.result("PUT", code, json={"label": "Other", "limit": None})[0]
    disabled = tried.result("PATCH", f"{code}/disable")[0]
    enabled = tried.result("PATCH", f"{code}/enable")[0]
    archived = status(tried, "DELETE", code)

    assert {name: made[name] for name in body} == body
    assert (changed["label"], changed["limit"], changed["expirationDate"]) == (
        "Other",
        None,
        body["expirationDate"],
    )
    assert (disabled["enabled"], enabled["enabled"], archived) == (False, True, 204)
    assert tried.result("GET", path(tried, "/claim-codes")) == []
    assert status(tried, "PATCH", f"{code}/enable") == 404


def test_claim_codes_are_counted_if_asked_for(tried: Tried) -> None:
    tried.result("POST", path(tried, "/claim-codes"), json={})

    plain = tried.result("GET", path(tried, "/claim-codes"))[0]
    counted = tried.result("GET", path(tried, "/claim-codes?includeClaimCodeCount=true"))[0]

    assert "claimCount" not in plain
    assert counted["claimCount"] == 0


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": "many"}, {"expirationDate": "soon"}])
def test_wrong_claim_codes_are_refused(tried: Tried, body: dict[str, Any]) -> None:
    answer = tried.call("POST", path(tried, "/claim-codes"), json=body)

    assert list(answer.json()["fieldErrors"]) == list(body)
