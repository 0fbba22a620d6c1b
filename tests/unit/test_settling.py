"""What becomes of an award that was looked up (design.md section 3): adopted, revoked, or due again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.issuing_twins import NOON, NOW, Academy, Leases, Limits, assertion, issuing, leased
from worker.awards import Assertion, AwardState, Ending
from worker.calling import PATIENCE

JUST_OVER, NOT_OVER = NOW, NOW + timedelta(microseconds=1)
ANOTHER_DAY = NOON - timedelta(days=3)


def settled(found: list[Assertion], **award: Any) -> Ending:
    outbox = Leases([leased(**award)])
    issuing(outbox, Limits(), Academy(found=found)).settle("lease")
    assert outbox.endings is not None
    return outbox.endings["ada"]


OURS = assertion(assertion_id="ours")
OURS_REVOKED = assertion(assertion_id="ours-revoked", revoked=True, revocation_reason="by mistake")
OURS_EXPIRED = assertion(assertion_id="ours-expired", expires=JUST_OVER)
ANOTHER = assertion(assertion_id="another", issued_on=ANOTHER_DAY)
ANOTHER_GOOD = assertion(assertion_id="another-good", issued_on=ANOTHER_DAY, expires=NOT_OVER)
ANOTHER_EXPIRED = assertion(assertion_id="another-expired", issued_on=ANOTHER_DAY, expires=JUST_OVER)
ANOTHER_REVOKED = assertion(assertion_id="another-revoked", issued_on=ANOTHER_DAY, revoked=True)
UNDATED = assertion(assertion_id="undated", issued_on=None)
BOBS = assertion("bob")


@pytest.mark.parametrize(
    ("found", "adopted"),
    [
        pytest.param([OURS], OURS, id="ours"),
        pytest.param([ANOTHER, OURS], OURS, id="ours-before-another"),
        pytest.param([OURS_REVOKED, OURS], OURS, id="the-living-one-of-two-of-ours"),
        pytest.param([OURS_EXPIRED], OURS_EXPIRED, id="ours-though-expired"),
        pytest.param([ANOTHER], ANOTHER, id="another-that-is-good"),
        pytest.param([ANOTHER_EXPIRED, ANOTHER_GOOD], ANOTHER_GOOD, id="another-not-expired"),
        pytest.param([UNDATED], UNDATED, id="undated"),
        pytest.param([ANOTHER_REVOKED, ANOTHER], ANOTHER, id="another-not-revoked"),
    ],
)
def test_an_assertion_is_adopted(found: list[Assertion], adopted: Assertion) -> None:
    assert settled(found) == Ending(AwardState.ISSUED, "found and adopted", assertion=adopted)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([], id="nothing"),
        pytest.param([BOBS], id="somebody-elses"),
        pytest.param([ANOTHER_REVOKED], id="another-revoked"),
        pytest.param([ANOTHER_EXPIRED], id="another-expired"),
    ],
)
def test_what_is_not_there_is_issued_without_delay(found: list[Assertion]) -> None:
    assert settled(found) == Ending(AwardState.PENDING, "not there")


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([OURS_REVOKED], id="alone"),
        pytest.param([ANOTHER, OURS_REVOKED], id="besides-another"),
    ],
)
def test_what_was_revoked_over_there_is_not_issued_again(found: list[Assertion]) -> None:
    ending = Ending(AwardState.REVOKED, "revoked over there", "by mistake", assertion=OURS_REVOKED)

    assert settled(found) == ending


@pytest.mark.parametrize(
    ("apart", "ours"),
    [
        pytest.param(timedelta(milliseconds=999), True, id="less-than-a-second"),
        pytest.param(timedelta(milliseconds=-999), True, id="less-than-a-second-earlier"),
        pytest.param(timedelta(seconds=1), False, id="a-second"),
        pytest.param(timedelta(seconds=-1), False, id="a-second-earlier"),
    ],
)
def test_ours_is_what_was_issued_on_our_instant(apart: timedelta, ours: bool) -> None:
    """A provider may keep instants less exactly than we do; revoked ones are adopted only if ours."""
    ending = settled([assertion(issued_on=NOON + apart, revoked=True)])

    assert ending.state is (AwardState.REVOKED if ours else AwardState.PENDING)


@pytest.mark.parametrize("attempts", [0, 1, PATIENCE])
def test_a_patient_award_is_due_at_once(attempts: int) -> None:
    assert settled([], attempts=attempts).wait == 0


def test_an_award_that_goes_in_circles_waits_longer_each_time() -> None:
    """A provider that refuses a duplicate which it does not list must not be asked without end."""
    assert 2**PATIENCE <= settled([], attempts=PATIENCE + 1).wait <= 2 ** (PATIENCE + 1)


def test_each_award_finds_its_own() -> None:
    outbox = Leases([leased("ada"), leased("bob"), leased("cid")])
    found = [assertion("cid", revoked=True), assertion("ada")]

    issuing(outbox, Limits(), Academy(found=found)).settle("lease")

    assert {user_id: ending.state.value for user_id, ending in (outbox.endings or {}).items()} == {
        "ada": "issued",
        "bob": "pending",
        "cid": "revoked",
    }


def test_looking_up_costs_no_attempt() -> None:
    assert not any(settled(found).tried for found in ([], [OURS], [OURS_REVOKED]))


@pytest.mark.parametrize(
    ("ending", "kept"),
    [
        pytest.param(Ending(AwardState.PENDING, "uncertain", uncertain=True), True, id="may-be-issued-to-it"),
        pytest.param(Ending(AwardState.ISSUED, "issued", assertion=OURS), True, id="is-issued-to-it"),
        pytest.param(Ending(AwardState.PENDING, "not there"), False, id="nothing-was-issued"),
        pytest.param(Ending(AwardState.FAILED, "refused"), False, id="refused"),
    ],
)
def test_an_address_is_kept_while_something_is_or_may_be_issued_to_it(ending: Ending, kept: bool) -> None:
    assert ending.keep_address is kept
