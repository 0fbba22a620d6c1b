"""What every provider promises: the one in memory, and those of Badgr and Credly against the sandbox.

Where the environment names a Badgr server (`tests/support/badgr_server.py`), the client of Badgr keeps its
promises there. Only what needs a hand behind the server, to let it fail, stays with the sandbox.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.request import Request, urlopen

import pytest

from tests.support.badgr_server import Apart, Server, named_server, near
from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.credly import CredlyProvider
from worker.adapters.memory_provider import MemoryProvider
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Assertion, Grant, NotMade, Refusal, RefusalKind
from worker.errors import NoAnswer, Refused, SignInRefused, Throttled
from worker.sandbox import SandboxOptions, SeedBadgeClass, SeedTemplate, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.ports import Provider

CLASS, OTHER_CLASS = "K829IK8RS6ercwkpeFOn-Q", "-_starts-with-a-dash"
NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
ANN, BOB, CID = "ann+badges@example.org", "bob@example.org", "cid@example.org"


class World(Protocol):
    """A provider, and what can be seen of it."""

    @property
    def provider(self) -> Provider: ...

    @property
    def per_call(self) -> int:
        """Return how many awards a call takes."""

    def kept(self, instant: datetime) -> datetime:
        """Return an instant as exactly as the provider keeps it."""

    def holds(self, badgeclass: str = CLASS) -> list[str]:
        """Return the addresses of everything held, oldest first."""

    def live(self) -> list[str]:
        """Return the addresses of everything held that is not revoked, oldest first."""

    def revoke(self, assertion: Assertion) -> None:
        """Revoke an assertion over there."""


class Breakable(World, Protocol):
    """A world with a hand that can reach behind the provider."""

    def fail(self, method: str, how: str, saved: int = 0) -> None:
        """Let the next call of `method` be broken or cut (after `saved` grants), throttled, or not let in."""


class MemoryWorld:
    per_call = 50

    def __init__(self) -> None:
        self.provider = MemoryProvider({CLASS, OTHER_CLASS})

    def fail(self, method: str, how: str, saved: int = 0) -> None:
        errors = {
            "broken": NoAnswer("HTTP 500", 500),
            "cut": NoAnswer("cut"),
            "throttled": Throttled("slowly", 7),
            "sign-in": SignInRefused("no"),
        }
        self.provider.fail_next(method, errors[how], saving=saved)

    def kept(self, instant: datetime) -> datetime:
        return instant

    def holds(self, badgeclass: str = CLASS) -> list[str]:
        return [each.recipient for each in self.provider.assertions(badgeclass)]

    def live(self) -> list[str]:
        return [each.recipient for each in self.provider.assertions(CLASS) if not each.revoked]

    def revoke(self, assertion: Assertion) -> None:
        self.provider.revoke_there(assertion.assertion_id, "mistake")


class SandboxWorld:
    per_call = 50
    provider: Provider
    awarding, revoking = "^/v2/", "^/v2/assertions/"

    def __init__(self, url: str) -> None:
        self.url = url
        permits = MemoryPermits({"academy": RateLimit(1000, 60, 30)})
        credentials = Credentials(username="academy", password="any")
        self.provider = BadgrProvider("academy", url, credentials, permits, MemoryTokens(), 30)

    def fail(self, method: str, how: str, saved: int = 0) -> None:
        faults = {
            "broken": "error_after" if saved else "error_before",
            "cut": "drop_after" if saved else "drop_before",
            "throttled": "throttle",
            "sign-in": "refuse_sign_in",
        }
        where = {
            "issue": {"method": "POST", "path": self.awarding},
            "find": {"method": "GET"},
            "revoke": {"path": self.revoking},
            "check": {},
        }[method]
        rule = {"fault": faults[how], "times": 1, **where}
        rule |= {"saved": saved} if saved else {"seconds": 7} if how == "throttled" else {}
        self.ask("POST", "/sandbox/faults", rule)

    def kept(self, instant: datetime) -> datetime:
        return instant

    def holds(self, badgeclass: str = CLASS) -> list[str]:
        rows = self.ask("GET", "/sandbox/assertions")
        return [row["recipient"] for row in rows if row["badgeclass"] == badgeclass]

    def live(self) -> list[str]:
        rows = self.ask("GET", "/sandbox/assertions")
        return [row["recipient"] for row in rows if not row["revoked"]]

    def revoke(self, assertion: Assertion) -> None:
        key = self.ask("POST", "/o/token", form=b"username=academy&password=any")["access_token"]
        body = {"revocation_reason": "mistake"}
        self.ask("DELETE", f"/v2/assertions/{assertion.assertion_id}", body, token=key)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        form: bytes | None = None,
        token: str = "",
        authorization: str = "",
    ) -> Any:
        content = form if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Authorization": authorization or f"Bearer {token}"}
        headers |= {} if form else {"Content-Type": "application/json"}
        with urlopen(Request(self.url + path, content, headers, method=method)) as answer:  # noqa: S310 - ours
            return json.load(answer)


class CredlyWorld(SandboxWorld):
    """Issues one by one, and keeps whole seconds."""

    per_call = 1
    awarding, revoking = "^/v1/", "/revoke$"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        permits = MemoryPermits({"partner": RateLimit(1000, 60, 30)})
        self.provider = CredlyProvider("partner", f"{url}/v1", "org-1", "token", permits, 30)

    def kept(self, instant: datetime) -> datetime:
        return instant.replace(microsecond=0)

    def revoke(self, assertion: Assertion) -> None:
        path = f"/v1/organizations/org-1/badges/{assertion.assertion_id}/revoke"
        self.ask("PUT", path, {"reason": "mistake"}, authorization="Basic dG9rZW46")


class ServerWorld:
    """A Badgr server that is not ours, with others' awards in it."""

    per_call = 50

    def __init__(self, server: Server) -> None:
        self._server = server
        self.provider = Apart(server, {CLASS: server.badgeclass})

    def kept(self, instant: datetime) -> datetime:
        found: datetime = near(instant)
        return found

    def holds(self, badgeclass: str = CLASS) -> list[str]:
        return [each.recipient for each in self.provider.find(badgeclass, self.provider.addresses)]

    def live(self) -> list[str]:
        found = self.provider.find(CLASS, self.provider.addresses)
        return [each.recipient for each in found if not each.revoked]

    def revoke(self, assertion: Assertion) -> None:
        self._server.client.assertions.revoke(assertion.assertion_id, "mistake")


@contextmanager
def sandbox_world(kind: type[SandboxWorld] = SandboxWorld) -> Iterator[SandboxWorld]:
    classes = [
        SeedBadgeClass(CLASS, "First steps", "issuer-1"),
        SeedBadgeClass(OTHER_CLASS, "More", "issuer-1"),
    ]
    templates = [SeedTemplate(CLASS, "First steps", "org-1"), SeedTemplate(OTHER_CLASS, "More", "org-1")]
    with running(SandboxOptions("1000/60s", badgeclasses=classes, templates=templates)) as url:
        yield kind(url)


@contextmanager
def world_of(kind: str) -> Iterator[Breakable]:
    if kind == "memory":
        yield MemoryWorld()
        return
    with sandbox_world(CredlyWorld if kind == "credly" else SandboxWorld) as found:
        yield found


BADGR = "server" if named_server() else "sandbox"


@contextmanager
def any_world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "server":
        yield ServerWorld(request.getfixturevalue("named_badgr"))
        return
    with world_of(request.param) as found:
        yield found


@pytest.fixture(params=["memory", BADGR, "credly"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with any_world(request) as found:
        yield found


@pytest.fixture(params=["memory", BADGR])
def batching(request: pytest.FixtureRequest) -> Iterator[World]:
    """A provider that takes many awards in one call."""
    with any_world(request) as found:
        yield found


@pytest.fixture(params=["memory", "sandbox", "credly"])
def breakable(request: pytest.FixtureRequest) -> Iterator[Breakable]:
    """A provider that fails when it is told to, and has two badge classes."""
    with world_of(request.param) as found:
        yield found


@pytest.fixture(params=["memory", "sandbox"])
def fragile_batching(request: pytest.FixtureRequest) -> Iterator[Breakable]:
    """One that takes many awards in one call, and fails when it is told to."""
    with world_of(request.param) as found:
        yield found


def nothing() -> None:
    """Have no last word before the call."""


def grant(recipient: str, minutes: int = 0, issued_on: datetime = NOON, **more: Any) -> Grant:
    person = {"user_id": recipient.lower(), "first_name": "Ann", "last_name": "Lee"}
    return Grant(recipient, issued_on + timedelta(minutes=minutes), **person | more)


def issue(world: World, *recipients: str) -> list[Assertion]:
    grants = [grant(each) for each in recipients]
    calls = [grants[start : start + world.per_call] for start in range(0, len(grants), world.per_call)]
    outcomes = [each for call in calls for each in world.provider.issue(CLASS, call, nothing)]
    made = [each for each in outcomes if isinstance(each, Assertion)]
    assert len(made) == len(recipients)
    return made


def kinds(outcomes: Sequence[object]) -> list[object]:
    return [each.kind if isinstance(each, Refusal) else type(each) for each in outcomes]


def test_one_grant_becomes_one_assertion(world: World) -> None:
    (made,) = issue(world, ANN)

    assert made.recipient == ANN
    assert made.issued_on == world.kept(NOON)
    assert made.assertion_id
    assert made.assertion_id in made.url
    assert not made.revoked
    assert world.holds() == [ANN]


def test_many_grants_become_assertions_in_their_order(world: World) -> None:
    made = issue(world, BOB, ANN, CID)

    assert [each.recipient for each in made] == [BOB, ANN, CID]
    assert len({each.assertion_id for each in made}) == 3


def test_everything_of_a_grant_arrives(world: World) -> None:
    evidence = ({"url": "https://example.org/a", "narrative": "Seen"}, {"narrative": "Told"})
    ends = NOON + timedelta(days=10_000)
    whole = grant(ANN, narrative="**Well done**", evidence=evidence, expires=ends, notify=True)

    (made,) = world.provider.issue(CLASS, [whole], nothing)

    assert isinstance(made, Assertion)
    assert made.expires == world.kept(ends)


def test_times_of_other_zones_are_the_same_instants(world: World) -> None:
    elsewhere = NOON.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)

    (made,) = world.provider.issue(CLASS, [grant(ANN, issued_on=elsewhere)], nothing)

    assert isinstance(made, Assertion)
    assert made.issued_on == world.kept(NOON)


def test_addresses_are_lower_case(world: World) -> None:
    (made,) = issue(world, "Bob@Example.ORG")

    assert made.recipient == BOB
    assert [each.recipient for each in world.provider.find(CLASS, ["BOB@example.org"])] == [BOB]


def test_the_last_word_comes_before_the_call(world: World) -> None:
    seen: list[list[str]] = []

    world.provider.issue(CLASS, [grant(ANN)], lambda: seen.append(world.holds()))

    assert seen == [[]]


def test_what_the_last_word_raises_ends_the_call_unsent(world: World) -> None:
    def refuse() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.provider.issue(CLASS, [grant(ANN)], refuse)

    assert world.holds() == []


def test_a_second_award_is_refused_as_a_duplicate(world: World) -> None:
    issue(world, BOB)

    outcomes = world.provider.issue(CLASS, [grant("Bob@example.org", minutes=5)], nothing)

    assert kinds(outcomes) == [RefusalKind.DUPLICATE]
    assert world.holds() == [BOB]


def test_a_batch_with_refused_grants_makes_none_and_tells_them_apart(batching: World) -> None:
    issue(batching, BOB)
    ahead = Grant("dan@example.org", datetime.now(UTC) + timedelta(days=1))

    outcomes = batching.provider.issue(
        CLASS, [grant(ANN), grant(BOB), ahead, grant("nobody"), grant(CID)], nothing
    )

    assert kinds(outcomes) == [
        NotMade,
        RefusalKind.DUPLICATE,
        RefusalKind.TOO_EARLY,
        RefusalKind.PERMANENT,
        NotMade,
    ]
    assert batching.holds() == [BOB]


@pytest.mark.parametrize(
    ("recipient", "ahead", "kind", "words"),
    [
        (ANN, timedelta(hours=1), RefusalKind.TOO_EARLY, "issuedOn"),
        ("nobody", timedelta(0), RefusalKind.PERMANENT, "Enter a valid email address."),
    ],
)
def test_a_refused_grant_keeps_the_provider_s_words(
    batching: World, recipient: str, ahead: timedelta, kind: RefusalKind, words: str
) -> None:
    issued_on = datetime.now(UTC) + ahead if ahead else NOON

    (outcome,) = batching.provider.issue(CLASS, [Grant(recipient, issued_on)], nothing)

    assert isinstance(outcome, Refusal)
    assert outcome.kind is kind
    assert words in outcome.words


def test_an_address_that_comes_twice_in_a_call_gets_one_assertion(batching: World) -> None:
    outcomes = batching.provider.issue(CLASS, [grant(BOB), grant(ANN), grant("BOB@example.org")], nothing)

    assert kinds(outcomes) == [Assertion, Assertion, NotMade]
    assert sorted(batching.holds()) == [ANN, BOB]


def test_what_a_call_has_no_room_for_is_not_made(world: World) -> None:
    outcomes = world.provider.issue(CLASS, [grant(ANN), grant(BOB)], nothing)

    assert kinds(outcomes) == [Assertion, Assertion if world.per_call > 1 else NotMade]


def test_a_revoked_or_expired_award_does_not_stand_in_the_way(world: World) -> None:
    (revoked,) = issue(world, ANN)
    world.revoke(revoked)
    world.provider.issue(CLASS, [grant(BOB, expires=NOON + timedelta(days=1))], nothing)

    assert len(issue(world, ANN, BOB)) == 2


def test_an_unknown_badge_class_is_refused_by_its_name(world: World) -> None:
    with pytest.raises(Refused, match="nowhere") as of_issue:
        world.provider.issue("nowhere", [grant(ANN)], nothing)
    with pytest.raises(Refused, match="nowhere") as of_find:
        world.provider.find("nowhere", [ANN])

    assert of_issue.value.status == of_find.value.status == 404


def test_only_the_addresses_asked_for_are_found(world: World) -> None:
    made = issue(world, ANN, BOB, CID)

    found = world.provider.find(CLASS, [ANN, CID, "dan@example.org"])

    assert sorted(found, key=lambda each: each.recipient) == [made[0], made[2]]


def test_another_badge_class_has_awards_of_its_own(breakable: Breakable) -> None:
    issue(breakable, ANN)

    assert breakable.provider.find(OTHER_CLASS, [ANN]) == []
    assert list(breakable.provider.held(OTHER_CLASS)) == []
    assert breakable.provider.badgeclass_exists(OTHER_CLASS)


def test_revoked_and_expired_assertions_are_found(world: World) -> None:
    (revoked,) = issue(world, ANN)
    world.revoke(revoked)
    world.provider.issue(CLASS, [grant(BOB, expires=NOON + timedelta(days=1))], nothing)

    found = {each.recipient: each for each in world.provider.find(CLASS, [ANN, BOB])}

    assert found[ANN].revoked
    assert found[ANN].revocation_reason == "mistake"
    assert not found[BOB].revoked
    assert found[BOB].expires == world.kept(NOON) + timedelta(days=1)


def test_fifty_addresses_are_found_at_once(world: World) -> None:
    addresses = [f"learner+{number:03}@{'long-' * 8}{number}.example.org" for number in range(50)]
    issue(world, *addresses)

    found = world.provider.find(CLASS, addresses)

    assert [each.recipient for each in found] == addresses


@pytest.mark.parametrize(("how", "saved"), [("broken", 0), ("broken", 1), ("cut", 0), ("cut", 1), ("cut", 3)])
def test_a_lost_answer_leaves_it_open_what_was_saved(
    fragile_batching: Breakable, how: str, saved: int
) -> None:
    people = [ANN, BOB, CID]
    fragile_batching.fail("issue", how, saved)

    with pytest.raises(NoAnswer):
        fragile_batching.provider.issue(CLASS, [grant(each) for each in people], nothing)

    assert [each.recipient for each in fragile_batching.provider.find(CLASS, people)] == people[:saved]


@pytest.mark.parametrize(("how", "saved"), [("broken", 0), ("broken", 1), ("cut", 0), ("cut", 1)])
def test_a_lost_answer_leaves_it_open_whether_one_was_saved(
    breakable: Breakable, how: str, saved: int
) -> None:
    breakable.fail("issue", how, saved)

    with pytest.raises(NoAnswer):
        breakable.provider.issue(CLASS, [grant(ANN)], nothing)

    assert [each.recipient for each in breakable.provider.find(CLASS, [ANN])] == [ANN][:saved]


def test_a_lost_look_up_leaves_it_open_too(breakable: Breakable) -> None:
    breakable.fail("find", "cut")

    with pytest.raises(NoAnswer):
        breakable.provider.find(CLASS, [ANN])


def test_a_throttled_call_saves_nothing_and_says_how_long_to_wait(breakable: Breakable) -> None:
    breakable.fail("issue", "throttled")

    with pytest.raises(Throttled) as caught:
        breakable.provider.issue(CLASS, [grant(ANN)], nothing)

    assert caught.value.wait == 7
    assert breakable.holds() == []


def test_a_sign_in_that_works_is_checked_silently(world: World) -> None:
    world.provider.check()


def test_refused_credentials_are_found_out(breakable: Breakable) -> None:
    breakable.fail("check", "sign-in")

    with pytest.raises(SignInRefused):
        breakable.provider.check()


@pytest.mark.parametrize(("badgeclass", "there"), [(CLASS, True), ("nowhere", False)])
def test_a_badge_class_is_there_or_not(world: World, badgeclass: str, there: bool) -> None:
    assert world.provider.badgeclass_exists(badgeclass) is there


# Revoking


def revocations(*assertions: Assertion, reason: str = "mistake") -> list[tuple[str, str]]:
    return [(each.assertion_id, reason) for each in assertions]


def reasons(world: World, *recipients: str) -> dict[str, str | None]:
    """Return why the assertions of these are revoked; of one that is not, None."""
    found = world.provider.find(CLASS, recipients)
    return {each.recipient: each.revocation_reason if each.revoked else None for each in found}


def test_one_assertion_is_revoked_with_its_reason(world: World) -> None:
    ann, _ = issue(world, ANN, BOB)

    refusals = world.provider.revoke(revocations(ann, reason="not earned"), nothing)

    assert refusals == [None]
    assert reasons(world, ANN, BOB) == {ANN: "not earned", BOB: None}


def test_many_assertions_are_revoked_at_once_each_with_its_reason(world: World) -> None:
    ann, bob, _ = issue(world, ANN, BOB, CID)

    refusals = world.provider.revoke([(bob.assertion_id, "one"), (ann.assertion_id, "two")], nothing)

    assert refusals == [None, None]
    assert reasons(world, ANN, BOB, CID) == {ANN: "two", BOB: "one", CID: None}


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with-another"])
def test_what_was_revoked_before_counts_as_revoked_and_keeps_its_reason(world: World, others: int) -> None:
    ann, *rest = issue(world, ANN, *[BOB][:others])
    world.provider.revoke(revocations(ann, reason="first"), nothing)

    refusals = world.provider.revoke(revocations(ann, *rest, reason="again"), nothing)

    assert refusals == [None] * (1 + others)
    assert reasons(world, ANN)[ANN] == "first"


def test_an_unknown_assertion_is_refused_and_the_others_revoked(batching: World) -> None:
    (ann,) = issue(batching, ANN)

    refusal, revoked = batching.provider.revoke([("nowhere", "mistake"), *revocations(ann)], nothing)
    (alone,) = batching.provider.revoke([("nowhere", "mistake")], nothing)

    assert revoked is None
    assert refusal is not None
    assert alone is not None
    assert kinds([refusal, alone]) == [RefusalKind.PERMANENT] * 2
    assert refusal.words
    assert reasons(batching, ANN) == {ANN: "mistake"}


def test_the_last_word_comes_before_revoking_too(world: World) -> None:
    def refuse() -> None:
        raise ZeroDivisionError

    (ann,) = issue(world, ANN)

    with pytest.raises(ZeroDivisionError):
        world.provider.revoke(revocations(ann), refuse)

    assert reasons(world, ANN) == {ANN: None}


@pytest.mark.parametrize(("how", "saved"), [("broken", 0), ("broken", 1), ("cut", 0), ("cut", 1)])
def test_a_revocation_without_an_answer_is_repeated_without_harm(
    breakable: Breakable, how: str, saved: int
) -> None:
    (ann,) = issue(breakable, ANN)
    breakable.fail("revoke", how, saved)

    with pytest.raises(NoAnswer):
        breakable.provider.revoke(revocations(ann), nothing)

    assert breakable.provider.revoke(revocations(ann), nothing) == [None]
    assert reasons(breakable, ANN) == {ANN: "mistake"}


def test_a_throttled_revocation_revokes_nothing(breakable: Breakable) -> None:
    (ann,) = issue(breakable, ANN)
    breakable.fail("revoke", "throttled")

    with pytest.raises(Throttled):
        breakable.provider.revoke(revocations(ann), nothing)

    assert breakable.live() == [ANN]


# What is held


def everything(world: World) -> dict[str, bool]:
    """Return whose assertions of the first class are held, and whether each is revoked."""
    return {each.assertion.recipient: each.assertion.revoked for each in world.provider.held(CLASS)}


def test_all_of_a_badge_class_are_held_revoked_and_expired_ones_too(world: World) -> None:
    ann, _ = issue(world, ANN, BOB)
    world.revoke(ann)
    world.provider.issue(CLASS, [grant(CID, expires=NOON + timedelta(days=1))], nothing)

    assert everything(world) == {ANN: True, BOB: False, CID: False}
    assert {each.badgeclass for each in world.provider.held(CLASS)} == {CLASS}


def test_what_is_held_is_what_was_made(world: World) -> None:
    (made,) = issue(world, ANN)

    (held,) = world.provider.held(CLASS)

    assert held.assertion == made


def test_a_badge_class_that_is_not_there_holds_nothing_that_can_be_said(world: World) -> None:
    with pytest.raises(Refused) as caught:
        list(world.provider.held("nowhere"))

    assert caught.value.status == 404


def changes(world: World, since: datetime | None) -> tuple[list[tuple[str, bool]], datetime]:
    """Return whose assertions changed, whether each is revoked, and the `since` of the next time."""
    feed = world.provider.changed(since)
    found = [(each.assertion.recipient, each.assertion.revoked) for each in feed]
    assert feed.timestamp is not None
    return found, feed.timestamp


def test_only_what_changed_since_is_told(batching: World) -> None:
    ann, _ = issue(batching, ANN, BOB)
    first, since = changes(batching, None)
    batching.revoke(ann)
    issue(batching, CID)

    second, later = changes(batching, since)
    third, _ = changes(batching, later)

    assert first == [(ANN, False), (BOB, False)]
    assert second == [(ANN, True), (CID, False)]
    assert third == []


def test_a_lost_feed_tells_nothing(fragile_batching: Breakable) -> None:
    fragile_batching.fail("find", "cut")
    if isinstance(fragile_batching, MemoryWorld):
        fragile_batching.fail("changed", "cut")

    with pytest.raises(NoAnswer):
        list(fragile_batching.provider.changed(None))


def test_credly_has_no_feed() -> None:
    with world_of("credly") as world, pytest.raises(Refused) as caught:
        world.provider.changed(None)

    assert caught.value.status == 404
