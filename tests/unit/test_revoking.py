"""How a call that revokes ends (design.md section 3): by what the provider answers, or what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from tests.unit.issuing_twins import NOON, Academy, Limits
from worker.adapters.celery_dispatch import CeleryDispatch
from worker.awards import (
    OPERATOR,
    Asked,
    AwardState,
    Call,
    Ending,
    LeasedRevocation,
    Refusal,
    RefusalKind,
    Which,
)
from worker.calling import LONGEST_PAUSE, PATIENCE
from worker.errors import (
    BadgeWorkerError,
    ConfigurationError,
    LeaseLost,
    LimiterUnavailable,
    NoAnswer,
    NoPermit,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
)
from worker.revoking import HOPELESS, LONGEST_REASON, Revoking, ask

REVOKING, REVOKED, FAILED = AwardState.REVOKING, AwardState.REVOKED, AwardState.FAILED


@dataclass
class Desk:
    """Revocations of one lease in memory, and how they ended."""

    awards: list[LeasedRevocation] = field(default_factory=list)
    lost: bool = False
    sent: list[tuple[int, float]] = field(default_factory=list)
    endings: dict[str, Ending] | None = None
    handed_back: list[str] = field(default_factory=list)

    def ask(
        self,
        which: Which,
        reason: str,
        after: tuple[str, str] | None,
        limit: int,
        actor: str = OPERATOR,
    ) -> list[Asked]:
        raise NotImplementedError

    def prepare_revocations(self, lease_id: str) -> list[LeasedRevocation]:
        assert lease_id == "lease"
        return self.awards

    def mark_sent(self, lease_id: str, awards: int, deadline: float, before: datetime | None) -> datetime:
        assert (lease_id, before) == ("lease", None)
        if self.lost:
            raise LeaseLost("somebody else's")
        self.sent.append((awards, deadline))
        return NOON

    def hand_back(self, lease_id: str) -> None:
        self.handed_back.append(lease_id)

    def end_revocations(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
        assert (lease_id, self.endings) == ("lease", None)
        self.endings = dict(endings)


def one(attempts: int = 0, name: str = "A1") -> LeasedRevocation:
    return LeasedRevocation("ada", "first-steps", name, "mistake", attempts)


def revoke(desk: Desk, academy: Academy, limits: Limits | None = None) -> Desk:
    Revoking(desk, limits or Limits(), "academy", academy, 20.0).revoke("lease")
    return desk


def ended(academy: Academy, limits: Limits | None = None) -> Ending:
    desk = revoke(Desk([one()]), academy, limits)
    assert desk.endings is not None
    return desk.endings["A1"]


def test_each_assertion_is_asked_for_with_its_reason_once_its_sending_is_committed() -> None:
    academy = Academy(refusals=[None, None])

    desk = revoke(Desk([one(), one(name="A2")]), academy)

    assert academy.asked == [("revoke", "", [("A1", "mistake"), ("A2", "mistake")])]
    assert desk.sent == [(2, 20.0)]


def test_each_ends_by_its_own_result() -> None:
    refusal = Refusal(RefusalKind.PERMANENT, "no permission")

    desk = revoke(Desk([one(), one(name="A2")]), Academy(refusals=[None, refusal]))

    assert desk.endings == {
        "A1": Ending(REVOKED, "revoked", tried=True),
        "A2": Ending(FAILED, "revocation refused", "no permission", tried=True),
    }


@pytest.mark.parametrize(
    ("error", "state", "what", "tried", "wait"),
    [
        pytest.param(Unreachable("refused"), REVOKING, "not sent", True, (0.5, 1), id="never-left"),
        pytest.param(NoAnswer("HTTP 502", 502), REVOKING, "uncertain", True, (0.5, 1), id="uncertain"),
        pytest.param(Throttled("slowly", 7), REVOKING, "throttled", False, (0, 0), id="throttled"),
        pytest.param(SignInRefused("no"), REVOKING, "not signed in", False, (0, 0), id="sign-in"),
        pytest.param(ConfigurationError("no"), REVOKING, "not signed in", False, (0, 0), id="configuration"),
        pytest.param(Refused(404, "unknown"), FAILED, "revocation refused", True, (0, 0), id="refused"),
    ],
)
def test_an_error_leads_to(
    error: BadgeWorkerError, state: AwardState, what: str, tried: bool, wait: tuple[float, float]
) -> None:
    ending = ended(Academy(error=error))

    assert (ending.state, ending.what, ending.words, ending.tried) == (state, what, str(error), tried)
    assert wait[0] <= ending.wait <= wait[1]
    assert not ending.uncertain


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refusal_that_may_be_about_one_of_many_fails_none_of_them(status: int) -> None:
    desk = revoke(Desk([one(), one(name="A2")]), Academy(error=Refused(status, "too much")))

    assert desk.endings is not None
    ended = {(each.state, each.what, each.tried) for each in desk.endings.values()}
    assert ended == {(REVOKING, "refused together", True)}


def test_a_refusal_of_one_alone_is_about_it() -> None:
    ending = ended(Academy(error=Refused(400, "no")))

    assert (ending.state, ending.what) == (FAILED, "revocation refused")


@pytest.mark.parametrize(
    ("error", "attempts", "state"),
    [
        (NoAnswer("HTTP 500", 500), HOPELESS, FAILED),
        (NoAnswer("HTTP 500", 500), HOPELESS - 1, REVOKING),
        (NoAnswer("HTTP 503", 503), HOPELESS, REVOKING),
        (NoAnswer("cut"), HOPELESS, REVOKING),
        (Unreachable("refused"), HOPELESS, REVOKING),
    ],
)
def test_only_what_breaks_the_provider_every_time_is_given_up(
    error: BadgeWorkerError, attempts: int, state: AwardState
) -> None:
    desk = revoke(Desk([one(attempts)]), Academy(error=error))

    assert desk.endings is not None
    assert desk.endings["A1"].state is state


@pytest.mark.parametrize(
    ("academy", "what"),
    [
        pytest.param(Academy(error=KeyError("ada@example.org"), marks=0), "not sent", id="before-sending"),  # type: ignore[arg-type] # nobody expects it
        pytest.param(Academy(error=KeyError("ada@example.org")), "uncertain", id="after-sending"),  # type: ignore[arg-type] # likewise
        pytest.param(Academy(refusals=[]), "uncertain", id="too-few-answers"),
    ],
)
def test_what_nobody_expected_ends_the_lease_and_quotes_nothing(academy: Academy, what: str) -> None:
    ending = ended(academy)

    assert (ending.state, ending.what) == (REVOKING, what)
    assert "ada@" not in (ending.words or "")


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (Throttled("slowly", 7), [7]),
        (SignInRefused("no"), [LONGEST_PAUSE / 5]),
        (NoAnswer("cut"), []),
        (Refused(404, "unknown"), []),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_concerns_every_call_pauses_the_issuer(error: BadgeWorkerError, pauses: list[float]) -> None:
    limits = Limits()

    ended(Academy(error=error), limits)

    assert limits.pauses == pauses


def test_an_issuer_that_keeps_failing_is_paused() -> None:
    limits = Limits(row=PATIENCE - 1)

    ended(Academy(error=NoAnswer("cut")), limits)

    assert len(limits.pauses) == 1


def test_a_success_ends_the_row_of_failures() -> None:
    limits = Limits(row=3)

    ended(Academy(refusals=[None]), limits)

    assert limits.row == 0


@pytest.mark.parametrize("error", [NoPermit("academy", 9), LimiterUnavailable("gone")])
def test_without_a_permit_the_lease_is_handed_back(error: BadgeWorkerError) -> None:
    desk = revoke(Desk([one()]), Academy(error=error, marks=0))

    assert (desk.handed_back, desk.endings) == (["lease"], None)


def test_without_a_permit_for_a_repeat_it_is_due_again() -> None:
    desk = revoke(Desk([one()]), Academy(error=NoPermit("academy", 9)))

    assert (desk.handed_back, desk.endings) == ([], {"A1": Ending(REVOKING, "not sent")})


def test_a_lost_lease_is_dropped() -> None:
    desk = revoke(Desk([one()], lost=True), Academy(refusals=[None]))

    assert (desk.endings, desk.handed_back) == (None, [])


def test_a_lease_without_revocations_calls_nobody() -> None:
    academy = Academy()

    revoke(Desk(), academy)

    assert academy.asked == []


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_asked_for_without_a_reason(reason: str) -> None:
    with pytest.raises(ConfigurationError, match="needs a reason"):
        next(ask(Desk(), Which("first-steps"), reason))


def test_a_reason_is_no_longer_than_providers_keep() -> None:
    with pytest.raises(ConfigurationError, match="has 256 characters; providers keep 255"):
        next(ask(Desk(), Which("first-steps"), "x" * (LONGEST_REASON + 1)))


def test_a_revocation_is_a_task_of_its_own_name() -> None:
    app = Mock()
    until = datetime.now(NOON.tzinfo) + timedelta(minutes=1)

    CeleryDispatch(app).send(Call("academy", "", "lease", 3, settle=False, lease_until=until, revoke=True))

    (name,), sent = app.send_task.call_args
    facts: dict[str, Any] = sent["kwargs"]
    assert (name, facts) == ("awards.revoke", {"issuer": "academy", "awards": 3, "lease": "lease"})
