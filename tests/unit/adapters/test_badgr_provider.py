"""The Badgr client against answers that no good service gives, and the order in which it does things."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog.testing

from tests.unit.adapters.wire import Wire, answers, envelope, hangs_up, problem, response
from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Assertion, Grant
from worker.errors import (
    BadgeWorkerError,
    LimiterUnavailable,
    NoAnswer,
    NoPermit,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from tests.unit.adapters.wire import Script
    from worker.adapters.permits.memory import MemoryPermit

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN, BOB = "ann@example.org", "bob@example.org"
READY_MADE = Credentials(token="ready-made")
PASSWORD = Credentials(username="ann", password="s3cret")


def entry(address: str, name: str = "9kXXXaJLSxep6dSdDJXg6g", **more: object) -> dict[str, Any]:
    return {
        "entityType": "Assertion",
        "entityId": name,
        "openBadgeId": f"https://badgr.test/public/assertions/{name}",
        "recipient": {
            "identity": "sha256$0",
            "hashed": True,
            "type": "email",
            "plaintextIdentity": address,
        },
        "issuedOn": "2026-01-31T12:00:00Z",
        "revoked": False,
        "revocationReason": None,
        "expires": None,
        "somethingNew": {"later": ["versions"]},
        **more,
    }


def token(name: str) -> Script:
    return answers(200, {"access_token": name, "expires_in": 86400})


UNAUTHORIZED = answers(401, problem("no valid auth token found"))
MADE = answers(201, envelope(entry(ANN)))


class Desk:
    """A provider at a scripted server, with its limiter at hand."""

    def __init__(self, wire: Wire, credentials: Credentials = READY_MADE, deadline: float = 30) -> None:
        self.permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
        self.provider = BadgrProvider(
            "academy", wire.url, credentials, self.permits, MemoryTokens(), deadline
        )

    def issue(self, *recipients: str, before_send: Callable[[], None] = lambda: None) -> Sequence[object]:
        grants = [Grant(each, NOON) for each in recipients or (ANN,)]
        return self.provider.issue("class-1", grants, before_send)

    def taken(self) -> int:
        """Return how many permits are kept, for whatever reason."""
        return 100 - self.permits.room("academy", 0)

    def under_way(self) -> int:
        """Return how many permits are kept beyond one window: those of calls that have not ended."""
        return 100 - self.permits.room("academy", 61)


def test_one_grant_is_asked_for_by_itself() -> None:
    evidence = ({"url": "https://example.org/a", "narrative": ""}, {"narrative": "Told"})
    grant = Grant("Ann@Example.org", NOON, "Well done", evidence, NOON + timedelta(days=1), notify=True)

    with Wire(MADE).listening() as wire:
        Desk(wire).provider.issue("-class_1", [grant], lambda: None)

    assert wire.line() == "POST /v2/badgeclasses/-class_1/assertions HTTP/1.1"
    assert wire.json() == {
        "recipient": {"identity": ANN, "type": "email", "hashed": True},
        "issuedOn": "2026-01-31T12:00:00.000000Z",
        "allowDuplicateAwards": False,
        "notify": True,
        "narrative": "Well done",
        "evidence": [{"url": "https://example.org/a"}, {"narrative": "Told"}],
        "expires": "2026-02-01T12:00:00.000000Z",
    }


def test_many_grants_are_asked_for_together() -> None:
    with Wire(answers(201, envelope(entry(ANN, "a"), entry(BOB, "b")))).listening() as wire:
        Desk(wire).issue(ANN, BOB)

    assert wire.line() == "POST /v2/badgeclasses/class-1/issue HTTP/1.1"
    assert wire.json() == {
        "assertions": [
            {
                "recipient": {"identity": each, "type": "email", "hashed": True},
                "issuedOn": "2026-01-31T12:00:00.000000Z",
                "allowDuplicateAwards": False,
                "notify": False,
            }
            for each in (ANN, BOB)
        ]
    }


def test_an_id_cannot_lead_to_another_path() -> None:
    with Wire(MADE).listening() as wire:
        Desk(wire).provider.issue("../issuers/x?y", [Grant(ANN, NOON)], lambda: None)

    assert wire.line() == "POST /v2/badgeclasses/..%2Fissuers%2Fx%3Fy/assertions HTTP/1.1"


def test_assertions_are_told_apart_by_address_whatever_their_order() -> None:
    with Wire(answers(200, envelope(entry(BOB, "b"), entry(ANN, "a")))).listening() as wire:
        made = Desk(wire).issue(ANN, BOB)

    assert [each.assertion_id for each in made if isinstance(each, Assertion)] == ["a", "b"]


def test_an_address_that_is_only_hashed_is_recognised() -> None:
    hashed = {"identity": "sha256$" + hashlib.sha256(b"ann@example.orgpepper").hexdigest(), "salt": "pepper"}

    with Wire(answers(201, envelope(entry("", recipient=hashed)))).listening() as wire:
        (made,) = Desk(wire).issue(ANN)

    assert isinstance(made, Assertion)
    assert made.recipient == ANN


def test_an_address_that_is_not_hashed_is_recognised() -> None:
    plain = {"identity": "Ann@Example.org", "hashed": False, "type": "email"}

    with Wire(answers(201, envelope(entry("", recipient=plain)))).listening() as wire:
        (made,) = Desk(wire).issue(ANN)

    assert isinstance(made, Assertion)
    assert made.recipient == ANN


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<h1>Created</h1>", id="html"),
        pytest.param(None, id="empty"),
        pytest.param([], id="list"),
        pytest.param(envelope(), id="none"),
        pytest.param(envelope(entry(BOB)), id="another"),
        pytest.param(envelope(entry(ANN, "a"), entry(ANN, "b")), id="two"),
        pytest.param(envelope({"entityId": "a"}), id="half"),
        pytest.param(envelope(entry(ANN, "")), id="without-id"),
        pytest.param(envelope(entry(ANN, issuedOn="yesterday")), id="bad-time"),
        pytest.param(envelope(entry(ANN, issuedOn="9999-12-31T23:59:59-05:00")), id="time-out-of-range"),
    ],
)
def test_a_success_that_cannot_be_read_leaves_it_open_what_happened(body: object) -> None:
    with Wire(answers(201, body)).listening() as wire, pytest.raises(NoAnswer) as caught:
        Desk(wire).issue(ANN)

    assert "@" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_400_without_reasons_is_refused_as_a_whole() -> None:
    with Wire(answers(400)).listening() as wire, pytest.raises(Refused) as caught:
        Desk(wire).issue(ANN, BOB)

    assert caught.value.status == 400


def test_permit_then_last_word_then_call() -> None:
    kept: list[tuple[int, int]] = []

    with Wire(MADE).listening() as wire:
        desk = Desk(wire)
        desk.issue(before_send=lambda: kept.append((desk.taken(), len(wire.requests))))

    assert kept == [(1, 0)]
    assert len(wire.requests) == 1
    assert (desk.taken(), desk.under_way()) == (1, 0)


def test_without_a_permit_there_is_no_last_word() -> None:
    said: list[str] = []

    with Wire(MADE).listening() as wire:
        desk = Desk(wire)
        desk.permits.pause("academy", 60)
        with pytest.raises(NoPermit):
            desk.issue(before_send=lambda: said.append("sent"))

    assert said == []
    assert wire.requests == []


def test_a_last_word_that_says_no_gives_the_permit_back() -> None:
    def lose_the_lease() -> None:
        raise KeyboardInterrupt

    with Wire(MADE).listening() as wire:
        desk = Desk(wire)
        with pytest.raises(KeyboardInterrupt):
            desk.issue(before_send=lose_the_lease)

    assert desk.taken() == 0
    assert wire.requests == []


def test_a_call_that_never_left_gives_the_permit_back() -> None:
    with Wire(MADE).listening() as wire:
        desk = Desk(wire)

    with pytest.raises(Unreachable):
        desk.issue()

    assert desk.taken() == 0


def test_a_lost_answer_ends_the_permit_too() -> None:
    with Wire(hangs_up).listening() as wire:
        desk = Desk(wire)
        with pytest.raises(NoAnswer):
            desk.issue()

    assert (desk.taken(), desk.under_way()) == (1, 0)


def test_the_time_of_a_call_runs_while_the_last_word_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic

    def take_half_a_minute() -> None:
        monkeypatch.setattr(time, "monotonic", lambda: now() + 31)

    with Wire(MADE).listening() as wire, pytest.raises(Unreachable):
        Desk(wire, deadline=30).issue(before_send=take_half_a_minute)

    assert wire.requests == []


class DyingPermits(MemoryPermits):
    """Cannot be told anything after a permit was taken."""

    def answered(self, permit: MemoryPermit) -> None:
        raise LimiterUnavailable(f"gone before {permit.id}")

    def unused(self, permit: MemoryPermit) -> None:
        raise LimiterUnavailable(f"gone before {permit.id}")

    def pause(self, issuer: str, seconds: float) -> None:
        raise LimiterUnavailable(f"gone before {issuer} could be paused for {seconds} s")


def dying(wire: Wire) -> BadgrProvider:
    permits = DyingPermits({"academy": RateLimit(100, 60, 30)})
    return BadgrProvider("academy", wire.url, READY_MADE, permits, MemoryTokens(), 30)


def test_a_limiter_that_dies_meanwhile_does_not_hide_what_was_made() -> None:
    with Wire(MADE).listening() as wire:
        outcomes = dying(wire).issue("class-1", [Grant(ANN, NOON)], lambda: None)

    assert isinstance(outcomes[0], Assertion)


def test_a_limiter_that_dies_meanwhile_does_not_hide_why_nothing_was_sent() -> None:
    def refuse() -> None:
        raise ZeroDivisionError

    with Wire(MADE).listening() as wire, pytest.raises(ZeroDivisionError):
        dying(wire).issue("class-1", [Grant(ANN, NOON)], refuse)


def test_a_limiter_that_dies_meanwhile_does_not_hide_a_throttled_call() -> None:
    with Wire(answers(429, headers={"Retry-After": "9"})).listening() as wire, pytest.raises(Throttled):
        dying(wire).issue("class-1", [Grant(ANN, NOON)], lambda: None)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_stops_every_call_of_the_issuer(status: int) -> None:
    with Wire(answers(status, headers={"Retry-After": "30"})).listening() as wire:
        desk = Desk(wire)
        with pytest.raises(BadgeWorkerError):
            desk.issue()
        with pytest.raises(NoPermit) as caught:
            desk.provider.find("class-1", [ANN])

    assert 20 < caught.value.wait <= 30
    assert len(wire.requests) == 1


def test_a_token_that_is_not_accepted_is_renewed_and_the_call_made_once_more() -> None:
    said: list[int] = []

    with Wire(token("first"), UNAUTHORIZED, token("second"), MADE).listening() as wire:
        desk = Desk(wire, PASSWORD)
        outcomes = desk.issue(before_send=lambda: said.append(desk.taken()))

    assert isinstance(outcomes[0], Assertion)
    assert [wire.header("authorization", each) for each in (1, 3)] == ["Bearer first", "Bearer second"]
    assert said == [2, 4]  # a permit for each of the four calls, the last word before both that issue
    assert desk.taken() == 4


def test_a_token_that_is_never_accepted_is_given_up_for_now() -> None:
    with Wire(token("first"), UNAUTHORIZED, token("second"), UNAUTHORIZED).listening() as wire:
        desk = Desk(wire, PASSWORD)
        with pytest.raises(Unreachable):
            desk.issue()

    assert len(wire.requests) == 4


def test_a_ready_made_token_that_is_not_accepted_needs_a_person() -> None:
    with Wire(UNAUTHORIZED).listening() as wire, pytest.raises(SignInRefused):
        Desk(wire).issue()


def test_a_sign_in_without_an_answer_leaves_nothing_open() -> None:
    with Wire(hangs_up).listening() as wire, pytest.raises(Unreachable):
        Desk(wire, PASSWORD).issue()


def test_a_lost_answer_after_a_renewal_leaves_it_open_what_happened() -> None:
    with (
        Wire(token("first"), UNAUTHORIZED, token("second"), hangs_up).listening() as wire,
        pytest.raises(NoAnswer),
    ):
        Desk(wire, PASSWORD).issue()


def test_looking_up_is_one_call_for_everything_there_is() -> None:
    with Wire(answers(200, envelope(entry(ANN)))).listening() as wire:
        found = Desk(wire).provider.find("class-1", ["Ann+x@example.org", BOB, BOB])

    asked = wire.line().split()[1]
    assert found == []  # it holds nothing for the addresses asked for
    assert asked.startswith("/v2/badgeclasses/class-1/assertions?")
    assert "ann%2Bx%40example.org" in asked
    assert parse_qsl(urlsplit(asked).query) == [
        ("recipient", "ann+x@example.org"),
        ("recipient", BOB),
        ("include_expired", "1"),
        ("include_revoked", "1"),
    ]


def test_looking_nobody_up_calls_nobody() -> None:
    with Wire(MADE).listening() as wire:
        assert Desk(wire).provider.find("class-1", []) == []

    assert wire.requests == []


def test_addresses_too_long_for_one_url_are_looked_up_in_several_calls() -> None:
    people = [f"{'x' * 200}{number}@example.org" for number in range(40)]

    with Wire(
        answers(200, envelope(*(entry(each, str(n)) for n, each in enumerate(people))))
    ).listening() as wire:
        found = Desk(wire).provider.find("class-1", people)

    targets = [wire.line(number).split()[1] for number in range(len(wire.requests))]
    asked = [
        value for each in targets for name, value in parse_qsl(urlsplit(each).query) if name == "recipient"
    ]
    assert {each.recipient for each in found} == set(people)
    assert asked == people
    assert len(targets) == 3
    assert max(map(len, targets)) < 4000


def test_a_list_in_pages_is_read_to_its_end() -> None:
    last = '<http://inside:8000/v2/x?cursor=b>; rel="prev"'
    following = f'<http://inside:8000/v2/x?cursor=cD0y%2B&num=1>; rel="next", {last}'

    with Wire(
        answers(200, envelope(entry(ANN, "a")), {"Link": following}),
        answers(200, envelope(entry(BOB, "b")), {"Link": last}),
    ).listening() as wire:
        found = Desk(wire).provider.find("class-1", [ANN, BOB])

    assert [each.assertion_id for each in found] == ["a", "b"]
    assert wire.line(1).split()[1] == "/v2/badgeclasses/class-1/assertions?cursor=cD0y%2B&num=1"


def test_a_list_whose_next_page_is_the_same_one_is_given_up() -> None:
    with (
        Wire(answers(200, envelope(), {"Link": "<?cursor=a>; rel=next"})).listening() as wire,
        pytest.raises(NoAnswer),
    ):
        Desk(wire).provider.find("class-1", [ANN])


def test_a_list_whose_pages_go_in_circles_is_given_up() -> None:
    def page(following: str) -> Script:
        return answers(200, envelope(), {"Link": f"<?cursor={following}>; rel=next"})

    with (
        Wire(page("b"), page("c"), page("b"), answers(200, envelope())).listening() as wire,
        pytest.raises(NoAnswer, match="no end"),
    ):
        Desk(wire).provider.find("class-1", [ANN])


def test_a_link_that_is_no_url_is_borne() -> None:
    broken = answers(200, envelope(), {"Link": "<http://[/x?cursor=a>; rel=next"})

    with Wire(broken, MADE).listening() as wire:
        found = Desk(wire).provider.find("class-1", [ANN])

    assert [each.recipient for each in found] == [ANN]


def test_a_list_that_says_that_it_failed_is_not_an_empty_one() -> None:
    with Wire(answers(200, problem("try later"))).listening() as wire, pytest.raises(NoAnswer):
        Desk(wire).provider.find("class-1", [ANN])


def test_an_id_that_no_database_keeps_is_none() -> None:
    with Wire(answers(201, envelope(entry(ANN, "a\0b")))).listening() as wire, pytest.raises(NoAnswer):
        Desk(wire).issue()


def test_a_reason_that_somebody_wrote_over_there_names_nobody_here() -> None:
    revoked = entry(ANN, revoked=True, revocationReason=f"{BOB}\0 asked\nfor it")

    with Wire(answers(200, envelope(revoked))).listening() as wire:
        (found,) = Desk(wire).provider.find("class-1", [ANN])

    assert found.revocation_reason == "<address> asked for it"


def test_a_403_that_speaks_of_the_token_is_a_token_that_ran_out() -> None:
    expired = answers(403, {"detail": "Invalid token."})

    with Wire(token("first"), expired, token("second"), MADE).listening() as wire:
        outcomes = Desk(wire, PASSWORD).issue()

    assert isinstance(outcomes[0], Assertion)


def test_a_403_that_no_new_token_mends_is_a_refusal() -> None:
    expired = answers(403, {"detail": "This token may not award."})

    with (
        Wire(token("first"), expired, token("second"), expired).listening() as wire,
        pytest.raises(Refused) as caught,
    ):
        Desk(wire, PASSWORD).issue()

    assert caught.value.status == 403
    assert len(wire.requests) == 4


def test_a_list_with_one_entry_that_cannot_be_read_is_not_read_at_all() -> None:
    with Wire(answers(200, envelope(entry(ANN), {}))).listening() as wire, pytest.raises(NoAnswer):
        Desk(wire).provider.find("class-1", [ANN])


@pytest.mark.parametrize("status", [200, 404])
def test_a_token_that_may_not_see_its_profile_is_accepted_all_the_same(status: int) -> None:
    with Wire(answers(status, problem("entity not found or insufficient privileges"))).listening() as wire:
        Desk(wire).provider.check()

    assert wire.line() == "GET /v2/users/self HTTP/1.1"


def test_a_service_that_knows_none_of_our_paths_is_found_out() -> None:
    with Wire(answers(404, "<h1>Not found</h1>")).listening() as wire:
        provider = Desk(wire).provider

        with pytest.raises(Refused, match="url"):
            provider.check()
        with pytest.raises(Refused, match="url"):
            provider.badgeclass_exists("class-1")


def repeats(connection: socket.socket) -> None:
    """Say what was sent with it, as some services do."""
    told = {"error": "Bearer ready-made is no good", "error_description": "s3cret-password ready-made"}
    connection.sendall(response(400, told))


FAILURES = [
    repeats,
    answers(
        400, problem("bad request", {"recipient": {"identity": [f"{ANN} is blocked."]}}, [f"And {BOB}."])
    ),
    answers(403, f"<p>{ANN} may not</p>"),
    answers(404, problem(f"no {ANN}")),
    answers(429, {"error": f"wait, {ANN}"}),
    answers(500, f"<h1>{ANN}</h1>"),
    answers(302, headers={"Location": f"/maintenance?who={ANN}"}),
    hangs_up,
]


@pytest.mark.parametrize("script", FAILURES)
def test_no_address_and_no_token_is_told_whatever_happens(script: Script) -> None:
    told: list[str] = []
    with Wire(script).listening() as wire, structlog.testing.capture_logs() as logs:
        desk = Desk(wire)
        calls: list[Callable[[], object]] = [
            lambda: desk.issue(ANN, BOB),
            lambda: desk.provider.find("class-1", [ANN, BOB]),
        ]
        for call in calls:
            with pytest.raises(BadgeWorkerError) as caught:
                call()
            error = caught.value
            told += [str(error), repr(error), str(error.__context__), str(error.__cause__)]

    assert len(told) == 8
    assert not [
        each for each in [*told, str(logs), repr(desk.provider)] if "@example" in each or "ready-made" in each
    ]
