"""How the awards of a call end (design.md section 3): by what the provider answers, or by what went wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.issuing_twins import NOON, Academy, Leases, Limits, assertion, issuing, leased
from tests.unit.rules.story import tried
from worker.awards import AwardState, Ending, Grant, NotMade, Refusal, RefusalKind
from worker.calling import LONGEST_PAUSE, LONGEST_WAIT, PATIENCE, backoff
from worker.errors import (
    BadgeWorkerError,
    ConfigurationError,
    DatabaseUnavailable,
    LimiterUnavailable,
    NoAnswer,
    NoPermit,
    QueueUnavailable,
    Refused,
    SignInRefused,
    Throttled,
    Unreachable,
)

PENDING, FAILED, ISSUED, REVOKED = (
    AwardState.PENDING,
    AwardState.FAILED,
    AwardState.ISSUED,
    AwardState.REVOKED,
)


def ended(outbox: Leases, user_id: str = "ada") -> Ending:
    assert outbox.endings is not None
    return outbox.endings[user_id]


def one_call(academy: Academy, limits: Limits | None = None, *, settling: bool = False) -> Ending:
    """Make a call for one award and return how it ended."""
    outbox = Leases([leased()])
    work = issuing(outbox, limits or Limits(), academy)
    (work.settle if settling else work.issue)("lease")
    return ended(outbox)


@tried
@given(st.integers(0, 1000))
def test_each_wait_is_twice_the_last_up_to_ten_minutes_and_never_in_lockstep(attempts: int) -> None:
    longest = min(2**attempts, LONGEST_WAIT)

    waits = {backoff(attempts) for _ in range(20)}

    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert len(waits) > 1


def test_a_grant_says_what_the_definition_and_the_award_say() -> None:
    academy = Academy(outcomes=[assertion()])
    badge = {
        "narrative": "Well *done*",
        "evidence": [{"url": "https://example.org/e"}, {"narrative": "words"}],
        "expires": {"amount": 1, "duration": "months"},
        "notify": True,
    }

    named = replace(leased(), first_name="Ada", last_name="Lovelace")

    issuing(Leases([named]), Limits(), academy, **badge).issue("lease")

    evidence = ({"url": "https://example.org/e"}, {"narrative": "words"})
    end_of_february = datetime(2026, 2, 28, 12, tzinfo=UTC)
    rest: dict[str, Any] = {"notify": True, "user_id": "ada", "first_name": "Ada", "last_name": "Lovelace"}
    grant = Grant("ada@example.org", NOON, "Well *done*", evidence, end_of_february, **rest)
    assert academy.asked == [("issue", "c1", [grant])]


def test_a_plain_badge_grants_no_more_than_address_and_instant() -> None:
    academy = Academy(outcomes=[assertion()])

    issuing(Leases([leased()]), Limits(), academy).issue("lease")

    assert academy.asked == [("issue", "c1", [Grant("ada@example.org", NOON, user_id="ada")])]


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        pytest.param(
            assertion(), Ending(ISSUED, "issued", assertion=assertion(), tried=True), id="an-assertion"
        ),
        pytest.param(
            Refusal(RefusalKind.DUPLICATE, "already exists"),
            Ending(PENDING, "is there already", "already exists", tried=True, uncertain=True),
            id="duplicate-is-to-be-looked-up",
        ),
        pytest.param(
            Refusal(RefusalKind.PERMANENT, "bad address"),
            Ending(FAILED, "refused", "bad address", tried=True),
            id="refused-for-good",
        ),
        pytest.param(
            NotMade(), Ending(PENDING, "not made, because of others in the call"), id="not-made-is-no-attempt"
        ),
    ],
)
def test_an_outcome_leads_to(outcome: Any, ending: Ending) -> None:
    assert one_call(Academy(outcomes=[outcome])) == ending


def test_what_is_too_early_is_tried_later() -> None:
    ending = one_call(Academy(outcomes=[Refusal(RefusalKind.TOO_EARLY, "only in the past")]))

    assert (ending.state, ending.words, ending.tried) == (PENDING, "only in the past", True)
    assert 0.5 <= ending.wait <= 1
    assert not ending.uncertain


def test_each_award_of_a_call_ends_by_its_own_outcome() -> None:
    outbox = Leases([leased("ada"), leased("bob"), leased("cid")])
    refusal = Refusal(RefusalKind.PERMANENT, "bad address")

    issuing(outbox, Limits(), Academy(outcomes=[NotMade(), refusal, NotMade()])).issue("lease")

    assert {user_id: ending.state for user_id, ending in (outbox.endings or {}).items()} == {
        "ada": PENDING,
        "bob": FAILED,
        "cid": PENDING,
    }


@pytest.mark.parametrize(
    ("error", "state", "tried", "uncertain", "wait"),
    [
        pytest.param(Unreachable("refused"), PENDING, True, False, (0.5, 1), id="never-left"),
        pytest.param(QueueUnavailable("gone"), PENDING, True, False, (0.5, 1), id="another-transient-one"),
        pytest.param(DatabaseUnavailable("gone"), PENDING, True, False, (0.5, 1), id="database"),
        pytest.param(NoAnswer("HTTP 502", 502), PENDING, True, True, (90, 90), id="uncertain"),
        pytest.param(Throttled("slowly", 7), PENDING, False, False, (0, 0), id="throttled-is-no-attempt"),
        pytest.param(SignInRefused("no"), PENDING, False, False, (0, 0), id="sign-in-fails-no-award"),
        pytest.param(
            ConfigurationError("no credentials"), PENDING, False, False, (0, 0), id="configuration-neither"
        ),
        pytest.param(Refused(404, "unknown"), FAILED, True, False, (0, 0), id="refused"),
    ],
)
def test_an_error_while_issuing_leads_to(
    error: BadgeWorkerError, state: AwardState, tried: bool, uncertain: bool, wait: tuple[float, float]
) -> None:
    ending = one_call(Academy(error=error))

    assert (ending.state, ending.tried, ending.uncertain) == (state, tried, uncertain)
    assert wait[0] <= ending.wait <= wait[1]
    assert ending.words == str(error)


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("refused"),
        NoAnswer("time-out"),
        Throttled("slowly", 7),
        SignInRefused("no"),
        Refused(404, "unknown"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_while_looking_up_leaves_an_award_as_uncertain_as_it_was(error: BadgeWorkerError) -> None:
    assert one_call(Academy(error=error), settling=True).uncertain


@pytest.mark.parametrize("settling", [False, True])
@pytest.mark.parametrize("error", [NoPermit("academy", 9), LimiterUnavailable("gone")])
def test_without_a_permit_the_lease_is_handed_back(error: BadgeWorkerError, settling: bool) -> None:
    outbox, limits = Leases([leased()]), Limits()
    work = issuing(outbox, limits, Academy(error=error, marks=0))

    (work.settle if settling else work.issue)("lease")

    assert (outbox.handed_back, outbox.endings) == (["lease"], None)
    assert (limits.row, limits.pauses) == (0, [])


def test_without_a_permit_for_a_repeat_nothing_happened_over_there() -> None:
    outbox = Leases([leased()])

    issuing(outbox, Limits(), Academy(error=NoPermit("academy", 9), marks=1)).issue("lease")

    assert (outbox.handed_back, ended(outbox)) == ([], Ending(PENDING, "not sent"))


def test_a_limiter_that_goes_away_takes_no_answer_with_it() -> None:
    outbox = Leases([leased()])

    issuing(outbox, Limits(gone=LimiterUnavailable("gone")), Academy(outcomes=[assertion()])).issue("lease")

    assert ended(outbox).state is ISSUED


@pytest.mark.parametrize("error", [Unreachable("refused"), NoAnswer("time-out"), Throttled("slowly", 7)])
def test_a_limiter_that_goes_away_takes_no_failure_with_it(error: BadgeWorkerError) -> None:
    outbox = Leases([leased()])

    issuing(outbox, Limits(gone=LimiterUnavailable("gone")), Academy(error=error)).issue("lease")

    assert ended(outbox).words == str(error)


def test_a_lost_lease_sends_nothing_and_ends_nothing() -> None:
    outbox, academy = Leases([leased()], lost=True), Academy(outcomes=[assertion()])

    issuing(outbox, Limits(), academy).issue("lease")

    assert (academy.asked, outbox.endings, outbox.handed_back) == ([], None, [])


@pytest.mark.parametrize("settling", [False, True])
def test_a_lease_without_awards_calls_nobody(settling: bool) -> None:
    outbox, academy = Leases([]), Academy()
    work = issuing(outbox, Limits(), academy)

    (work.settle if settling else work.issue)("lease")

    assert (academy.asked, outbox.endings, outbox.handed_back) == ([], None, [])


def test_the_fence_names_all_awards_the_deadline_and_its_own_last_mark() -> None:
    outbox = Leases([leased("ada"), leased("bob")])
    academy = Academy(outcomes=[assertion("ada"), assertion("bob")], marks=3)

    issuing(outbox, Limits(), academy).issue("lease")

    first, second = NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)
    assert outbox.sent == [(2, 20.0, None), (2, 20.0, first), (2, 20.0, second)]


def test_looking_up_marks_nothing_as_sent() -> None:
    outbox, academy = Leases([leased("ada"), leased("bob")]), Academy()

    issuing(outbox, Limits(), academy).settle("lease")

    assert outbox.sent == []
    assert academy.asked == [("find", "c1", ["ada@example.org", "bob@example.org"])]


@pytest.mark.parametrize("error", [Unreachable("refused"), NoAnswer("HTTP 503", 503)])
def test_an_issuer_that_keeps_failing_is_paused_longer_each_time(error: BadgeWorkerError) -> None:
    limits = Limits()

    for row in range(1, PATIENCE + 8):
        one_call(Academy(error=error), limits)
        assert limits.row == row
        assert len(limits.pauses) == max(0, row - PATIENCE + 1)

    assert all(
        min(2**row / 2, LONGEST_PAUSE) <= pause <= min(2**row, LONGEST_PAUSE)
        for row, pause in enumerate(limits.pauses, start=PATIENCE)
    )


def test_a_call_that_goes_well_ends_the_row_of_failures() -> None:
    limits = Limits(row=PATIENCE - 1)

    one_call(Academy(outcomes=[Refusal(RefusalKind.PERMANENT, "bad address")]), limits)
    one_call(Academy(error=NoAnswer("time-out")), limits)

    assert (limits.row, limits.pauses) == (1, [])


@pytest.mark.parametrize(
    ("error", "shortest", "longest"),
    [
        pytest.param(Throttled("slowly", 7.5), 7.5, 7.5, id="as-long-as-it-said"),
        pytest.param(Throttled("slowly", 0), 1, 2, id="by-our-own-patience-if-it-said-no-time"),
        pytest.param(Throttled("slowly"), 1, 2, id="by-our-own-patience-if-it-did-not-say"),
        pytest.param(SignInRefused("no"), 60, 60, id="a-minute-for-credentials"),
        pytest.param(ConfigurationError("no"), 60, 60, id="a-minute-for-configuration"),
    ],
)
@pytest.mark.parametrize("settling", [False, True])
def test_the_whole_issuer_is_paused(
    error: BadgeWorkerError, shortest: float, longest: float, settling: bool
) -> None:
    limits = Limits()

    one_call(Academy(error=error), limits, settling=settling)

    (pause,) = limits.pauses
    assert shortest <= pause <= longest
    assert limits.asked == {"academy"}


def test_a_refusal_is_no_failure_of_the_issuer() -> None:
    limits = Limits()

    one_call(Academy(error=Refused(400, "bad")), limits)

    assert (limits.row, limits.pauses) == (0, [])
