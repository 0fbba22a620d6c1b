"""Sign-in, tokens and their lives (facts/badgr-api.md sections 2 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandboxes, Tried


def works(tried: Tried, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return tried.call("GET", f"/v2/badgeclasses/{tried.badgeclass}", None, headers=headers).is_success


def test_any_credentials_sign_in(tried: Tried) -> None:
    answer = tried.sign_in(username="somebody", password="anything")

    assert works(tried, answer.json()["access_token"])


@pytest.mark.parametrize("missing", ["username", "password"])
def test_empty_credentials_do_not_sign_in(tried: Tried, missing: str) -> None:
    answer = tried.sign_in(**{"username": "a", "password": "b", missing: ""})

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


def test_a_new_sign_in_leaves_older_tokens_alive(tried: Tried) -> None:
    first = tried.sign_in(username="a", password="b").json()["access_token"]
    second = tried.sign_in(username="a", password="b").json()["access_token"]

    assert first != second
    assert works(tried, first)
    assert works(tried, second)


def test_a_refresh_kills_the_old_access_token_at_once(tried: Tried) -> None:
    old = tried.sign_in(username="a", password="b").json()

    new = tried.sign_in(grant_type="refresh_token", refresh_token=old["refresh_token"]).json()

    assert not works(tried, old["access_token"])
    assert works(tried, new["access_token"])


def test_an_old_refresh_token_is_refused_and_throttles_its_address(tried: Tried) -> None:
    old = tried.sign_in(username="a", password="b").json()
    new = tried.sign_in(grant_type="refresh_token", refresh_token=old["refresh_token"]).json()

    again = tried.sign_in(grant_type="refresh_token", refresh_token=old["refresh_token"])
    other = tried.sign_in(grant_type="refresh_token", refresh_token=new["refresh_token"])

    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    assert (other.status_code, other.json()["expires"]) == (429, 2)


def test_a_token_ends_with_its_lifetime(sandboxes: Sandboxes) -> None:
    with sandboxes(token_lifetime=100) as tried:
        token = tried.sign_in(username="a", password="b").json()

        tried.clock.wait(100)

        assert token["expires_in"] == 100
        assert not works(tried, token["access_token"])


def test_a_late_use_gives_a_token_its_whole_life_again(sandboxes: Sandboxes) -> None:
    with sandboxes(token_lifetime=100) as tried:
        token = tried.sign_in(username="a", password="b").json()["access_token"]

        tried.clock.wait(60)
        used = works(tried, token)
        tried.clock.wait(99)

        assert used
        assert works(tried, token)


def test_an_early_use_does_not_lengthen_a_token(sandboxes: Sandboxes) -> None:
    with sandboxes(token_lifetime=100) as tried:
        token = tried.sign_in(username="a", password="b").json()["access_token"]

        tried.clock.wait(40)
        used = works(tried, token)
        tried.clock.wait(60)

        assert used
        assert not works(tried, token)


def test_each_failed_sign_in_doubles_the_wait(sandboxes: Sandboxes) -> None:
    with sandboxes(refuse_sign_in=frozenset({"mallory"})) as tried:
        waits = []
        for _ in range(4):
            tried.sign_in(username="mallory", password="x")
            waits.append(tried.sign_in(username="mallory", password="x").json()["expires"])
            tried.clock.wait(waits[-1])

        assert waits == [2, 4, 8, 16]


def test_the_wait_never_exceeds_an_hour(sandboxes: Sandboxes) -> None:
    with sandboxes(refuse_sign_in=frozenset({"mallory"})) as tried:
        for _ in range(15):
            tried.sign_in(username="mallory", password="x")
            tried.clock.wait(3600)
        tried.sign_in(username="mallory", password="x")

        assert tried.sign_in(username="mallory", password="x").json()["expires"] == 3600


def test_a_success_clears_the_wait(sandboxes: Sandboxes) -> None:
    with sandboxes() as tried:
        tried.sign_in(username="a", password="")
        tried.clock.wait(2)

        right = tried.sign_in(username="a", password="b")
        wrong = tried.sign_in(username="a", password="")
        throttled = tried.sign_in(username="a", password="b")

        assert [right.status_code, wrong.status_code] == [200, 400]
        assert throttled.json()["expires"] == 2


def test_the_wait_is_of_the_name_or_else_of_the_first_forwarded_address(tried: Tried) -> None:
    tried.sign_in(username="a", password="")
    form = {"grant_type": "refresh_token", "refresh_token": "junk"}
    tried.client.post("/o/token", data=form, headers={"X-Forwarded-For": "10.0.0.1, 10.0.0.2"})

    same = tried.client.post("/o/token", data=form, headers={"X-Forwarded-For": "10.0.0.1"})
    elsewhere = tried.client.post("/o/token", data=form, headers={"X-Forwarded-For": "10.0.0.9"})

    assert tried.sign_in(username="a", password="b").status_code == 429
    assert tried.sign_in(username="b", password="b").status_code == 200
    assert [same.status_code, elsewhere.status_code] == [429, 400]


def test_client_credentials_come_by_basic_too(tried: Tried) -> None:
    answer = tried.client.post("/o/token", data={"grant_type": "client_credentials"}, auth=("app", "secret"))

    assert works(tried, answer.json()["access_token"])
    assert "refresh_token" not in answer.json()


def test_a_narrow_scope_still_awards_but_does_not_list_issuers(tried: Tried) -> None:
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "s"}
    tried.tokens["app"] = tried.sign_in(**form).json()["access_token"]

    listed = tried.call("GET", "/v2/issuers", "app")
    body = {"recipient": {"identity": "ann@example.org"}}
    awarded = tried.call("POST", f"/v2/badgeclasses/{tried.badgeclass}/assertions", "app", json=body)

    assert [listed.status_code, awarded.status_code] == [404, 201]


def test_a_revoked_token_is_dead_and_so_is_its_refresh_token(tried: Tried) -> None:
    mine = tried.sign_in(username="me", password="x").json()
    newest = tried.result("GET", "/v2/auth/tokens")[-1]["entityId"]

    answer = tried.call("DELETE", f"/v2/auth/tokens/{newest}")

    refresh = {"grant_type": "refresh_token", "refresh_token": mine["refresh_token"]}
    assert answer.status_code == 204
    assert not works(tried, mine["access_token"])
    assert tried.sign_in(**refresh).status_code == 400


def test_listed_tokens_keep_their_secrets(tried: Tried) -> None:
    listed = tried.call("GET", "/v2/auth/tokens").text

    assert "token-of-me" not in listed


def test_an_unknown_token_id_breaks_the_service(tried: Tried) -> None:
    assert tried.call("GET", "/v2/auth/tokens/junk").status_code == 500


def test_the_legacy_key_signs_in_until_it_is_replaced(tried: Tried) -> None:
    key = tried.result("GET", "/v2/auth/token")[0]["token"]
    headers = {"Authorization": f"Token {key}"}
    path = f"/v2/badgeclasses/{tried.badgeclass}"

    before = tried.call("GET", path, None, headers=headers)
    tried.result("PUT", "/v2/auth/token")
    after = tried.call("GET", path, None, headers=headers)

    assert [before.status_code, after.status_code] == [200, 401]


def test_basic_credentials_open_nothing_but_sign_in(tried: Tried) -> None:
    answer = tried.client.get(f"/v2/badgeclasses/{tried.badgeclass}", auth=("me", "x"))

    assert answer.status_code == 401


def test_an_issuer_token_is_the_same_again_and_opens_that_issuer_alone(tried: Tried) -> None:
    body = {"issuers": [tried.issuer]}
    first, again = (tried.result("POST", "/v2/tokens/issuers", json=body)[0]["token"] for _ in range(2))
    tried.tokens["issuer"] = first

    answers = {
        "class": tried.call("GET", f"/v2/badgeclasses/{tried.badgeclass}", "issuer"),
        "issuer": tried.call("GET", f"/v2/issuers/{tried.issuer}", "issuer"),
        "other class": tried.call("GET", f"/v2/badgeclasses/{tried.other_class}", "issuer"),
        "issuers": tried.call("GET", "/v2/issuers", "issuer"),
        "changes": tried.call("GET", "/v2/assertions/changed", "issuer"),
    }

    assert first == again
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "class": 200,
        "issuer": 200,
        "other class": 404,
        "issuers": 404,
        "changes": 404,
    }


def test_asking_for_issuer_tokens_breaks_the_service(tried: Tried) -> None:
    assert tried.call("GET", "/v2/tokens/issuers").status_code == 500
