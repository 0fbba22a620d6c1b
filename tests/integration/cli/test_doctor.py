"""`doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from tests.support import bodies, commands
from tests.support.ground import Ground, badge, definitions, read
from tests.support.ports import free_port
from worker.adapters.database import schema
from worker.adapters.queues import RedisStreamQueue
from worker.applying import apply
from worker.cli import diagnosis
from worker.errors import NoPermit
from worker.sandbox import SandboxOptions, SeedBadgeClass, SeedTemplate, running

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}
COMPLETED = {"lp_complete": {"learning_path_id": "40"}}
OPTIONS = SandboxOptions(
    rate_limit=None,
    badgeclasses=[SeedBadgeClass("class-one", "One", "academy")],
    refuse_sign_in=frozenset({"nobody"}),
)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A provider that knows the class of badge `one`; `nobody` cannot sign in."""
    with running(OPTIONS) as url:
        yield url


@pytest.fixture
def whole(ground: Ground, queue: RedisStreamQueue, provider: str, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """All that doctor looks at, in order: one badge is issued at `academy`, another is disabled."""
    del queue
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME", "us")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_PASSWORD", "any")
    badges = {"one": badge(ENROLLED, issued=True), "off": badge(COMPLETED, issued=True, status="disabled")}
    _apply(ground, provider, badges)
    return ground


def _apply(ground: Ground, url: str, badges: dict[str, Any]) -> None:
    document = definitions(badges, academy={"provider": "badgr", "url": url})
    apply(ground.database, read(document))


def _examine() -> tuple[int, dict[str, Any]]:
    """Return the exit code, and each finding by what it is about."""
    ended = commands.run("doctor", "--json")
    assert ended.json["ok"] == (ended.code == 0)
    return ended.code, {each["what"]: each for each in ended.json["checks"]}


def test_a_whole_deployment_is_all_right(whole: Ground) -> None:
    del whole

    code, found = _examine()

    assert code == 0
    assert list(found) == [
        "configuration",
        "database",
        "event queue",
        "task broker",
        "Redis",
        "issuer academy",
        "badge one",
    ]
    assert {(each["ok"], each["mend"]) for each in found.values()} == {(True, None)}


def test_people_get_a_table(whole: Ground, provider: str) -> None:
    _apply(whole, provider, {"unknown": badge(ENROLLED, issued=True)})

    ended = commands.run("doctor")

    assert ended.code == 1
    rows = {line.split("│")[1].strip(): line for line in ended.out.splitlines() if line.startswith("│")}
    assert " ok " in rows["issuer academy"]
    assert " wrong " in rows["badge unknown"]
    assert "badges file" in rows["badge unknown"]


def test_a_badge_class_that_is_not_there_is_named(whole: Ground, provider: str) -> None:
    _apply(whole, provider, {"one": badge(ENROLLED, issued=True), "unknown": badge(COMPLETED, issued=True)})

    code, found = _examine()

    assert code == 1
    assert [what for what, each in found.items() if not each["ok"]] == ["badge unknown"]
    assert "class-unknown" in found["badge unknown"]["detail"]
    assert "`badgeclass`" in found["badge unknown"]["mend"]


def test_credentials_that_are_refused_are_named_by_their_variables(
    whole: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    del whole
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME", "nobody")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_PASSWORD", "s3cr3t")

    code, found = _examine()

    assert code == 1
    assert found["issuer academy"]["ok"] is False
    assert "BADGE_WORKER_ISSUER_ACADEMY_" in found["issuer academy"]["mend"]
    assert "s3cr3t" not in str(found)
    assert "badge one" not in found


def test_credentials_that_are_missing_are_named_by_their_variables(
    whole: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    del whole
    monkeypatch.delenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME")
    monkeypatch.delenv("BADGE_WORKER_ISSUER_ACADEMY_PASSWORD")

    code, found = _examine()

    assert code == 1
    assert "no credentials" in found["issuer academy"]["detail"]


def test_a_provider_that_is_not_there_is_named_by_its_address(whole: Ground) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    _apply(whole, nowhere, {"one": badge(ENROLLED, issued=True)})

    code, found = _examine()

    assert code == 1
    assert found["issuer academy"]["ok"] is False
    assert nowhere in found["issuer academy"]["mend"]


@pytest.mark.parametrize(
    ("variable", "what"),
    [("EVENTS_URL", "event queue"), ("BROKER_URL", "task broker"), ("REDIS_URL", "Redis")],
)
@pytest.mark.parametrize("how", ["missing", "away", "nonsense"])
def test_each_server_that_is_missing_is_named(
    whole: Ground, monkeypatch: pytest.MonkeyPatch, variable: str, what: str, how: str
) -> None:
    del whole
    name = f"BADGE_WORKER_{variable}"
    match how:
        case "missing":
            monkeypatch.delenv(name)
        case "away":
            monkeypatch.setenv(name, f"redis://:s3cr3t@127.0.0.1:{free_port()}/0")
        case _:
            monkeypatch.setenv(name, "nonsense://:s3cr3t@host")

    code, found = _examine()

    assert code == 1
    assert [what for what, each in found.items() if not each["ok"]] == [what]
    assert found[what]["mend"]
    assert "s3cr3t" not in str(found)


def test_a_database_without_a_schema_is_wrong(
    whole: Ground, bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del whole
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", f"sqlite:///{bare}/other.db")

    code, found = _examine()

    assert code == 1
    assert found["database"]["ok"] is False
    assert found["database"]["mend"] == "run `badge-worker db upgrade`"
    assert "issuer academy" not in found


def test_a_database_without_rules_says_where_they_come_from(ground: Ground, queue: RedisStreamQueue) -> None:
    del ground, queue

    code, found = _examine()

    assert code == 0
    assert "badge-worker badges apply" in found["issuers"]["detail"]


def test_settings_that_cannot_be_read_are_all_there_is_to_say(
    whole: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    del whole
    monkeypatch.setenv("BADGE_WORKER_BATCH_SIZE", "many")

    code, found = _examine()

    assert code == 1
    assert list(found) == ["configuration"]
    assert found["configuration"]["detail"].startswith("BADGE_WORKER_BATCH_SIZE: ")


# Awards whose issuer or badge is there no more


def _award(ground: Ground, state: str) -> None:
    """Let Ada have badge `one` of issuer `academy`, which was called before."""
    commands.run("doctor")
    ground.ingest(bodies.enrolled(1, "ada"))
    ground.set_awards(state=state, assertion_id="A1")


def _forget(ground: Ground, *tables: Table) -> None:
    """Take issuers or badges out of force behind everybody's back."""
    with ground.engine.begin() as connection:
        for table in tables:
            connection.execute(table.delete())


@pytest.mark.parametrize("state", ["waiting", "pending", "issuing", "failed", "revoking"])
def test_awards_that_wait_for_an_issuer_that_is_gone_are_wrong(whole: Ground, state: str) -> None:
    _award(whole, state)
    _forget(whole, schema.issuers)

    code, found = _examine()

    assert code == 1
    told = found["awards of issuer academy"]
    assert (told["ok"], told["warning"]) == (False, False)
    assert told["detail"] == "not in force, and 1 award cannot be issued or revoked without it"
    assert "badge-worker badges apply" in told["mend"]


@pytest.mark.parametrize(("state", "warned"), [("issued", True), ("revoked", False)])
def test_settled_awards_of_an_issuer_that_is_gone_are_worth_a_warning(
    whole: Ground, state: str, warned: bool
) -> None:
    _award(whole, state)
    _forget(whole, schema.issuers)

    code, found = _examine()

    assert code == 0
    told = found.get("awards of issuer academy")
    assert (told is not None and told["warning"]) == warned


def test_awards_of_a_badge_that_is_gone_are_wrong(whole: Ground) -> None:
    _award(whole, "issued")
    _forget(whole, schema.badges)

    code, found = _examine()

    assert code == 1
    assert found["awards of badge one"]["detail"] == "1 award of a badge that is not in the database"


def test_what_the_badges_file_does_not_have_any_more_is_warned_of(
    whole: Ground, provider: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _award(whole, "issued")
    file = bare / "badges.json"
    other = {"provider": "badgr", "url": provider}
    file.write_text(json.dumps({"issuers": {"other": other}, "badges": {"new": badge(COMPLETED)}}))
    monkeypatch.setenv("BADGE_WORKER_BADGES_FILE", str(file))

    code, found = _examine()
    table = commands.run("doctor")

    assert code == 0
    warned = {what: each for what, each in found.items() if each["warning"]}
    assert list(warned) == ["awards of issuer academy", "awards of badge one"]
    assert {each["ok"] for each in warned.values()} == {True}
    assert all("does not have it any more" in each["detail"] for each in warned.values())
    assert table.out.count(" warning ") == 2


def test_what_the_badges_file_has_is_not_warned_of(
    whole: Ground, provider: str, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _award(whole, "issued")
    file = bare / "badges.json"
    academy = {"provider": "badgr", "url": provider}
    file.write_text(json.dumps(definitions({"one": badge(ENROLLED, issued=True)}, academy=academy)))
    monkeypatch.setenv("BADGE_WORKER_BADGES_FILE", str(file))

    code, found = _examine()

    assert (code, [what for what, each in found.items() if each["warning"]]) == (0, [])


def test_a_badges_file_that_cannot_be_read_is_warned_of(
    whole: Ground, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del whole
    file = bare / "badges.yaml"
    file.write_text("badges: {one: {}}")
    monkeypatch.setenv("BADGE_WORKER_BADGES_FILE", str(file))

    code, found = _examine()

    assert (code, found["badges file"]["warning"]) == (0, True)
    assert found["badges file"]["mend"] == f"run `badge-worker badges check {file}`"


# The rate limit


def test_a_rate_limit_without_room_is_waited_for() -> None:
    refusals = [NoPermit("academy", 0.01), NoPermit("academy", 0.01)]

    def call() -> bool:
        if refusals:
            raise refusals.pop()
        return True

    assert diagnosis._patiently(call) is True


def test_a_rate_limit_that_has_no_room_for_long_is_not_waited_for() -> None:
    def call() -> bool:
        raise NoPermit("academy", 3600)

    with pytest.raises(NoPermit):
        diagnosis._patiently(call)


@pytest.fixture
def credly(whole: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """Four badges that Credly issues, by templates in each state and by one that is not there."""
    monkeypatch.setenv("BADGE_WORKER_ISSUER_PARTNER_TOKEN", "s3cr3t")
    states = ("active", "archived", "draft")
    templates = [SeedTemplate(f"t-{state}", state, "org-1", {"state": state}) for state in states]
    with running(SandboxOptions(rate_limit=None, templates=templates)) as url:
        badges = {
            state: badge(ENROLLED, issue={"issuer": "partner", "template": f"t-{state}"})
            for state in (*states, "missing")
        }
        issuer = {"provider": "credly", "url": f"{url}/v1", "organization": "org-1"}
        apply(whole.database, read({"issuers": {"partner": issuer}, "badges": badges}))
        yield whole


def test_templates_that_are_not_active_are_named(credly: Ground) -> None:
    del credly

    code, found = _examine()

    assert code == 1
    assert found["issuer partner"]["ok"] is True
    assert found["badge active"]["ok"] is True
    for state in ("archived", "draft"):
        assert found[f"badge {state}"]["ok"] is False
        assert found[f"badge {state}"]["detail"].startswith(f"template t-{state} is {state}")
        assert found[f"badge {state}"]["mend"].startswith("activate it at Credly")
    assert "template t-missing is not there" in found["badge missing"]["detail"]
    assert "`template`" in found["badge missing"]["mend"]


def test_credly_wants_a_token(credly: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    del credly
    monkeypatch.delenv("BADGE_WORKER_ISSUER_PARTNER_TOKEN")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_PARTNER_USERNAME", "us")

    code, found = _examine()

    assert code == 1
    assert "no credentials" in found["issuer partner"]["detail"]
    assert "set BADGE_WORKER_ISSUER_PARTNER_TOKEN" in found["issuer partner"]["detail"]
