"""`badgr …`: an issuer's own service from the command line, against the sandbox."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support import commands
from tests.support.ground import Ground, badge, definitions, read
from worker.adapters.queues import RedisStreamQueue
from worker.applying import apply
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

POSTS = {"social_engagement": {"threshold": 2}}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
ANN = "ann@example.org"
CLASS = "class-one"
DASHED = ("-y29IK8RS6ercwkpeFOn-Q", "--h9IK8RS6ercwkpeFOn-Q")


class Service:
    """The sandbox that the only issuer is at, and what commands say of it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.image = folder / "badge.png"
        self.image.write_bytes(PIXEL)

    def told(self, *words: str | Path, code: int = 0) -> Any:
        """Return the one JSON document of a command that ends with this code."""
        ended = commands.run("badgr", *words, "--json")
        assert ended.code == code, ended.err
        return ended.json

    def issuer(self) -> str:
        """Make an issuer of our own and return its id."""
        about = ("--name", "Academy", "--email", "badges@example.org", "--url", "https://example.org")
        return str(self.told("issuers", "create", *about)["entity_id"])

    def badgeclass(self, *more: str, name: str = "First steps") -> dict[str, Any]:
        about = ("--name", name, "--description", "A start", "--image", self.image)
        made: dict[str, Any] = self.told(
            "badgeclasses", "create", "--of-issuer", self.issuer(), *about, *more
        )
        return made

    def award(self, *more: str, recipient: str = ANN) -> str:
        return str(self.told("assertions", "create", CLASS, recipient, *more)["entity_id"])

    def ids(self, *words: str) -> list[str]:
        return [each["entity_id"] for each in self.told(*words)]

    def ask(self, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.url + path, content)) as answer:  # noqa: S310 - ours
            return json.load(answer)


@pytest.fixture
def service(
    ground: Ground, queue: RedisStreamQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    del queue
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME", "us@example.org")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_PASSWORD", "any")
    seeded = [SeedBadgeClass(CLASS, "One", "seeded"), *(SeedBadgeClass(each, each, each) for each in DASHED)]
    with running(SandboxOptions(rate_limit=None, badgeclasses=seeded)) as url:
        put_in_force(ground, academy={"provider": "badgr", "url": url})
        yield Service(url, tmp_path)


def put_in_force(ground: Ground, **issuers: dict[str, Any]) -> None:
    document = definitions({"one": badge(POSTS)}, **issuers)
    apply(ground.database, read(document))


# issuers


def test_an_issuer_is_made_shown_changed_and_deleted(service: Service) -> None:
    made = service.issuer()

    changed = service.told("issuers", "update", made, "--description", "We teach", "--image", service.image)
    shown = service.told("issuers", "get", made)
    listed = service.ids("issuers", "list")
    deleted = service.told("issuers", "delete", made, "--yes")

    assert (shown["name"], shown["email"], shown["description"]) == (
        "Academy",
        "badges@example.org",
        "We teach",
    )
    assert changed == shown
    assert [each["role"] for each in shown["staff"]] == ["owner"]
    assert made in listed
    assert deleted == {"done": "deleted", "id": f"issuer {made}"}
    assert made not in service.ids("issuers", "list")


def test_staff_is_given_by_user_and_role(service: Service) -> None:
    made = service.issuer()
    (me,) = (each["user"] for each in service.told("issuers", "get", made)["staff"])

    kept = service.told("issuers", "update", made, "--staff", f"{me}=editor")
    wrong = commands.run("badgr", "issuers", "update", made, "--staff", me)
    unknown = commands.run("badgr", "issuers", "update", made, "--staff", f"{me}=king")

    assert [(each["user"], each["role"]) for each in kept["staff"]] == [(me, "owner")]
    assert (wrong.code, "USER=ROLE" in wrong.err) == (2, True)
    assert (unknown.code, "staff.0.role" in unknown.err) == (2, True)


# badge classes


def test_a_badge_class_is_made_from_a_picture_in_a_file_with_all_it_can_have(service: Service) -> None:
    made = service.badgeclass(
        *("--criteria", "**Go on**", "--criteria-url", "https://example.org/criteria", "--tag", "steps"),
        *("--alignment", "Counting=https://example.org/counting?a=b", "--expires", "2 years"),
        *("--achievement-type", "Course", "--image-alt-text", "A pixel"),
    )

    shown = service.told("badgeclasses", "get", made["entity_id"])

    assert shown == made
    assert (shown["name"], shown["criteria_narrative"], shown["tags"]) == (
        "First steps",
        "**Go on**",
        ["steps"],
    )
    assert shown["alignments"][0]["target_url"] == "https://example.org/counting?a=b"
    assert shown["expires"] == {"amount": 2, "duration": "years"}
    assert (shown["achievement_type"], shown["image_alt_text"]) == ("Course", "A pixel")
    assert shown["image"].startswith(service.url)


def test_an_update_changes_what_is_given_and_nothing_else(service: Service) -> None:
    made = service.badgeclass("--tag", "steps", "--expires", "2 years")

    changed = service.told("badgeclasses", "update", made["entity_id"], "--name", "First step")

    assert changed == made | {"name": "First step"}


@pytest.mark.parametrize("by_url", [False, True])
def test_a_badge_class_is_archived_and_brought_back(service: Service, by_url: bool) -> None:
    made = service.badgeclass()
    entity = made["entity_id"]
    name = made["open_badge_id"] if by_url else entity

    service.told("badgeclasses", "archive", name, "--note", "old")
    hidden = service.ids("badgeclasses", "list", "--of-issuer", made["issuer"])
    listed = service.told("badgeclasses", "list", "--of-issuer", made["issuer"], "--archived")
    service.told("badgeclasses", "reactivate", name)

    assert hidden == []
    assert [(each["entity_id"], each["archived"], each["archival_note"]) for each in listed] == [
        (entity, True, "old")
    ]
    assert service.told("badgeclasses", "get", name)["archived"] is False


def test_a_badge_class_is_copied_and_deleted(service: Service) -> None:
    made = service.badgeclass()

    copy = service.told("badgeclasses", "duplicate", made["entity_id"], "Second steps")
    service.told("badgeclasses", "delete", made["entity_id"], "--yes")
    left = service.told("badgeclasses", "list", "--of-issuer", made["issuer"], "--archived")

    assert [(each["entity_id"], each["name"]) for each in left] == [(copy["entity_id"], "Second steps")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--name", "x" * 1025], "name: ", id="name"),
        pytest.param(["--description", "x" * 16385], "description: ", id="description"),
        pytest.param(["--criteria-url", "nowhere"], "criteria_url: a URL", id="url"),
        pytest.param(["--criteria", "![x](y)"], "criteria_narrative: no images", id="markdown"),
        pytest.param(["--expires", "soon"], "--expires", id="expiry"),
        pytest.param(["--expires", "0 days"], "expires.amount", id="amount"),
        pytest.param(["--alignment", "Counting"], "--alignment", id="alignment"),
        pytest.param(["--image", "none.png"], "--image none.png: cannot be read", id="no-file"),
        pytest.param(["--image", "notes.txt"], "neither a PNG nor an SVG", id="no-picture"),
        pytest.param([], "nothing to change", id="nothing"),
    ],
)
def test_what_cannot_be_right_is_wrong_usage_before_any_call(
    service: Service, bare: Path, words: list[str], says: str
) -> None:
    (bare / "notes.txt").write_text("no picture")

    ended = commands.run("badgr", "badgeclasses", "update", CLASS, *words)

    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert [each for each in service.ask("/sandbox/calls") if each["method"] == "PUT"] == []


# claim codes


def test_a_claim_code_goes_through_its_life(service: Service) -> None:
    made = service.told(
        "claim-codes",
        "create",
        CLASS,
        *("--label", "Conference", "--uses", "30", "--until", "2030-01-31T12:00:00+01:00"),
    )
    code = made["code"]

    changed = service.told("claim-codes", "update", CLASS, code, "--label", "Meeting")
    disabled = service.told("claim-codes", "disable", CLASS, code)
    enabled = service.told("claim-codes", "enable", CLASS, code)
    listed = service.told("claim-codes", "list", CLASS, "--counts")
    service.told("claim-codes", "archive", CLASS, code)

    assert (made["limit"], made["expiration_date"]) == (30, "2030-01-31T11:00:00Z")
    assert (changed["label"], changed["limit"]) == ("Meeting", 30)
    assert (disabled["enabled"], enabled["enabled"]) == (False, True)
    assert [(each["code"], each["claim_count"]) for each in listed] == [(code, 0)]
    assert service.told("claim-codes", "list", CLASS) == []


# assertions


def test_an_assertion_is_made_shown_changed_and_listed(service: Service) -> None:
    made = service.award("--narrative", "Good", "--evidence", "https://example.org/a", "--evidence", "Told")

    changed = service.told("assertions", "update", made, "--narrative", "Better")
    shown = service.told("assertions", "get", made)

    assert (shown["narrative"], shown["recipient"]["plaintext_identity"]) == ("Better", ANN)
    assert [(each["url"], each["narrative"]) for each in shown["evidence"]] == [
        ("https://example.org/a", None),
        (None, "Told"),
    ]
    assert changed["image"] == shown["image"]
    assert service.ids("assertions", "list", "--badgeclass", CLASS) == [made]
    assert service.ids("assertions", "list", "--of-issuer", "seeded", "--recipient", "Bob@example.org") == []
    assert service.ids("assertions", "changed") == [made]


def test_the_same_assertion_is_not_made_twice_unless_it_is_meant(service: Service) -> None:
    service.award()

    again = commands.run("badgr", "assertions", "create", CLASS, ANN.upper())
    meant = service.award("--again")

    assert again.code == 1
    assert "A previous award of this badge already exists" in again.err
    assert meant in service.ids("assertions", "list", "--badgeclass", CLASS)


def test_lists_can_come_in_pages_and_can_be_cut_short(service: Service) -> None:
    made = [service.award(recipient=f"learner-{number}@example.org") for number in range(5)]
    where = ("assertions", "list", "--badgeclass", CLASS)

    whole = service.ids(*where)
    paged = service.ids(*where, "--pages", "2")
    first = service.ids(*where, "--limit", "2")

    assert whole == made
    assert paged == made[::-1]
    assert first == made[:2]


def test_several_are_revoked_at_once_and_each_is_told_of(service: Service) -> None:
    made = service.award()

    told = service.told("assertions", "revoke", made, "unknown", "--reason", "mistake", "--yes", code=1)
    shown = service.told("assertions", "list", "--badgeclass", CLASS, "--revoked")

    assert [(each["entity_id"], each["revoked"], each["reason"]) for each in told] == [
        (made, True, None),
        ("unknown", False, "permission denied or object not found"),
    ]
    assert [(each["revoked"], each["revocation_reason"]) for each in shown] == [(True, "mistake")]


@pytest.mark.parametrize("dashed", DASHED)
def test_an_id_may_begin_with_a_dash(service: Service, dashed: str) -> None:
    shown = service.told("badgeclasses", "get", dashed)
    listed = service.ids("badgeclasses", "list", "--of-issuer", dashed)
    code = service.told("claim-codes", "create", dashed, "--label", dashed)
    again = service.told("claim-codes", "update", dashed, code["code"], "--label", "x")
    revoked = service.told("assertions", "revoke", dashed, "x", "--reason", "y", "-y", code=1)

    assert (shown["entity_id"], listed) == (dashed, [dashed])
    assert (code["label"], again["label"]) == (dashed, "x")
    assert [each["entity_id"] for each in revoked] == [dashed, "x"]


def test_a_mistyped_option_is_still_wrong_usage() -> None:
    assert commands.run("badgr", "issuers", "list", "--no-such-option-at-all").code == 2


@pytest.mark.parametrize("words", [[], ["--badgeclass", CLASS, "--of-issuer", "seeded"]])
def test_a_list_of_assertions_is_of_one_thing(service: Service, words: list[str]) -> None:
    del service

    assert commands.run("badgr", "assertions", "list", *words).code == 2


def test_a_time_that_is_none_is_wrong_usage(service: Service) -> None:
    del service

    ended = commands.run("badgr", "assertions", "changed", "--since", "yesterday")

    assert (ended.code, "--since" in ended.err) == (2, True)


# tokens


def test_tokens_are_listed_shown_made_for_an_issuer_and_revoked(service: Service) -> None:
    made = service.issuer()

    (own,) = service.told("tokens", "list")
    (of_issuer,) = service.told("tokens", "create", made)
    shown = service.told("tokens", "get", own["entity_id"])
    service.told("tokens", "revoke", own["entity_id"], "--yes")
    after = service.told("tokens", "list")

    assert own["application"]["client_id"] == "public"
    assert shown == own
    assert (of_issuer["issuer"], bool(of_issuer["token"])) == (made, True)
    assert own["entity_id"] not in [each["entity_id"] for each in after]


# which connection, asking, and what goes wrong


def test_one_of_several_issuers_must_be_chosen(service: Service, ground: Ground) -> None:
    put_in_force(
        ground,
        academy={"provider": "badgr", "url": service.url},
        other={"provider": "badgr", "url": service.url},
    )

    neither = commands.run("badgr", "issuers", "list")
    one = commands.run("badgr", "issuers", "list", "--issuer", "academy")
    unknown = commands.run("badgr", "issuers", "list", "--issuer", "nobody")
    without = commands.run("badgr", "issuers", "list", "--issuer", "other")

    assert [neither.code, one.code, unknown.code, without.code] == [2, 0, 2, 2]
    assert "academy, other" in neither.err
    assert "BADGE_WORKER_ISSUER_OTHER_USERNAME" in without.err


def test_without_a_badgr_issuer_there_is_nothing_to_connect_to(
    ground: Ground, queue: RedisStreamQueue
) -> None:
    del ground, queue

    ended = commands.run("badgr", "issuers", "list")

    assert (ended.code, "badges apply" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["issuers", "delete", "x"],
        ["badgeclasses", "delete", CLASS],
        ["assertions", "revoke", "x", "--reason", "y"],
        ["tokens", "revoke", "x"],
    ],
)
def test_nothing_is_done_for_good_where_nobody_can_be_asked(service: Service, words: list[str]) -> None:
    ended = commands.run("badgr", *words)

    assert (ended.code, "--yes" in ended.err) == (2, True)
    assert service.ask("/sandbox/calls") == []


@pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, True), (b"y\n", 0, False)])
def test_who_is_asked_decides(service: Service, answer: bytes, code: int, left: bool) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*commands.PROGRAM, "badgr", "badgeclasses", "delete", CLASS],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as asked:
        os.write(ours, answer)
        _, err = asked.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)

    assert asked.returncode == code
    assert b"for good?" in err
    assert (CLASS in service.ids("badgeclasses", "list")) is left


def test_what_the_service_refuses_is_told_in_its_words(service: Service) -> None:
    service.award()

    live = commands.run("badgr", "badgeclasses", "delete", CLASS, "--yes")
    unknown = commands.run("badgr", "badgeclasses", "get", "nowhere")

    assert (live.code, unknown.code) == (1, 1)
    assert "may only be deleted if all BadgeInstances have been revoked" in live.err
    assert "badge class nowhere is unknown to the provider" in unknown.err


def test_people_get_tables(service: Service) -> None:
    service.award()

    listed = commands.run("badgr", "badgeclasses", "list")
    shown = commands.run("badgr", "badgeclasses", "get", CLASS)
    awarded = commands.run("badgr", "assertions", "list", "--badgeclass", CLASS)
    revoked = commands.run("badgr", "assertions", "revoke", "unknown", "--reason", "x", "--yes")

    assert listed.out.startswith("Badge classes: 3 ")
    assert CLASS in listed.out
    assert "One" in shown.out
    assert ANN in awarded.out
    assert (revoked.code, "permission denied" in revoked.out) == (1, True)


def test_a_command_waits_for_room_in_the_rate_limit(
    ground: Ground, queue: RedisStreamQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    del queue
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_TOKEN", "ready-made")
    monkeypatch.setattr("worker.adapters.badgr.calls.PERMIT_WAIT", 0.01)
    options = SandboxOptions(rate_limit="1/1s", tokens={"ready-made": "us@example.org"})
    with running(options) as url:
        put_in_force(
            ground,
            academy={"provider": "badgr", "url": url, "rate_limit": "1/1s", "timeout": "5s"},
        )
        codes = [commands.run("badgr", "issuers", "list").code for _ in range(2)]

    assert codes == [0, 0]
