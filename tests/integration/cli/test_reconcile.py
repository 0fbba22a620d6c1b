"""`reconcile`: what differs from the provider, in a table or as JSON, and mended if that is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import bodies, commands
from tests.support.ground import Ground, badge, definitions, now, read
from worker.adapters.queues import RedisStreamQueue
from worker.adapters.redis_connection import connect
from worker.applying import apply
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}


@pytest.fixture
def provider() -> Iterator[str]:
    classes = [SeedBadgeClass("class-one", "One", "academy")]
    with running(SandboxOptions(rate_limit=None, badgeclasses=classes)) as url:
        yield url


@pytest.fixture
def issued(ground: Ground, queue: RedisStreamQueue, provider: str, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Ada has badge `one`, and so the provider says."""
    del queue
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME", "us")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_PASSWORD", "any")
    document = definitions(
        {"one": badge(ENROLLED, issued=True)}, academy={"provider": "badgr", "url": provider}
    )
    apply(ground.database, read(document))
    ground.ingest(bodies.registered(0, "ada", email="ada@example.org"), bodies.enrolled(1, "ada"))
    commands.run("doctor")  # an issuer with awards of which Redis knows no call is left alone for a while
    made = award(provider, "ada")
    sent = {"recipient": "ada@example.org", "badgeclass": "class-one", "issued_at": now()}
    ground.set_awards(state="issued", assertion_id=made, **sent)
    return ground


def over_there(url: str, method: str, path: str, body: Any) -> Any:
    """Do something at the provider, as somebody else."""
    account = {"username": "us", "password": "any"}
    token = httpx.post(f"{url}/o/token", data=account).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, url + path, json=body, headers=headers).raise_for_status().json()


def award(url: str, user: str) -> str:
    body = {"recipient": {"identity": f"{user}@example.org"}}
    (made,) = over_there(url, "POST", "/v2/badgeclasses/class-one/assertions", body)["result"]
    return str(made["entityId"])


def revoke_there(ground: Ground, url: str) -> None:
    (assertion,) = ground.column("assertion_id").values()
    over_there(url, "DELETE", f"/v2/assertions/{assertion}", {"revocation_reason": "by hand"})


def test_where_nothing_differs_the_answer_is_yes(issued: Ground) -> None:
    del issued

    said, told = commands.run("reconcile"), commands.run("reconcile", "--json")

    assert (said.code, said.err) == (0, "")
    assert said.out == "issuer academy: 1 assertion compared, by changes; 0 differences left\n"
    assert (told.code, told.json["ok"]) == (0, True)
    (issuer,) = told.json["issuers"]
    assert (issuer["issuer"], issuer["differences"], issuer["problems"]) == ("academy", [], [])
    assert issuer["since"] is not None


def test_a_difference_is_told_and_the_answer_is_no(issued: Ground, provider: str) -> None:
    revoke_there(issued, provider)

    told = commands.run("reconcile", "--json")

    assert (told.code, told.json["ok"]) == (1, False)
    (found,) = told.json["issuers"][0]["differences"]
    assert found == {
        "issuer": "academy",
        "kind": "revoked_there",
        "badge_id": "one",
        "user_id": "ada",
        "assertion_id": issued.column("assertion_id")["ada"],
        "detail": "by hand",
        "mended": False,
    }
    assert issued.states() == {"ada": "issued"}


def test_people_get_a_table(issued: Ground, provider: str) -> None:
    revoke_there(issued, provider)
    award(provider, "stranger")

    ended = commands.run("reconcile", "--fix")

    assert ended.code == 1
    rows = [line for line in ended.out.splitlines() if line.startswith("│")]
    assert [("revoked_there" in row, "unknown" in row, "mended" in row) for row in rows] == [
        (True, False, True),
        (False, True, False),
    ]
    assert ended.out.endswith("issuer academy: 2 assertions compared, by changes; 1 difference left\n")


def test_mending_ends_with_a_yes_and_wakes_the_dispatcher(
    issued: Ground, provider: str, redis_url: str
) -> None:
    revoke_there(issued, provider)

    mended = commands.run("reconcile", "--fix", "--json")
    again = commands.run("reconcile")

    assert (mended.code, again.code) == (0, 0)
    assert issued.states() == {"ada": "revoked"}
    with connect(redis_url) as client:
        assert client.llen("badge-worker:celery:dispatch") == 1


def test_no_address_is_told(issued: Ground, provider: str) -> None:
    del issued
    award(provider, "stranger")

    said, told = commands.run("reconcile"), commands.run("reconcile", "--json")

    assert said.code == told.code == 1
    assert [text for text in (said.out, said.err, told.out, told.err) if "@" in text] == []


def test_everything_is_compared_again_if_that_is_wanted(issued: Ground) -> None:
    del issued
    commands.run("reconcile")

    since = commands.run("reconcile", "--json").json["issuers"][0]["since"]
    full = commands.run("reconcile", "--full", "--json").json["issuers"][0]

    assert since is not None
    assert (full["since"], full["compared"]) == (None, 1)


def test_an_issuer_that_cannot_be_read_is_a_no_and_the_others_are_compared(
    issued: Ground, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_OTHER_TOKEN", "any")
    both = {name: {"provider": "badgr", "url": provider} for name in ("academy", "other")}
    apply(issued.database, read(definitions({"one": badge(ENROLLED, issued=True)}, **both)))

    ended = commands.run("reconcile", "--json")

    assert ended.code == 1
    assert ended.err.startswith("badge-worker: issuer academy: ")
    assert ended.json["issuers"][0]["problems"] != []
    assert [each["issuer"] for each in ended.json["issuers"]] == ["academy", "other"]


def test_one_issuer_alone_may_be_compared(issued: Ground) -> None:
    del issued

    one, none = commands.run("reconcile", "--issuer", "academy"), commands.run("reconcile", "--issuer", "x")

    assert one.code == 0
    assert (none.code, none.err) == (2, "badge-worker: reconcile: no issuer x; known: academy\n")
