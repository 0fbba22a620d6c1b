"""The dispatcher: admits what the rate limits have room for; no issuer holds another up (design.md 3)."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.issuing_twins import ISSUER, NOON, Broker, Leases, Limits
from worker.awards import Call
from worker.errors import LimiterUnavailable
from worker.issuing import MOST_IN_FLIGHT, PERMIT_WAIT, REACH, dispatch
from worker.ports import Admission

BOTH = {"academy": ISSUER, "school": {**ISSUER, "settle_after": "30s", "timeout": "5s"}}


def call(issuer: str, lease_id: str) -> Call:
    return Call(issuer, "first-steps", lease_id, 3, settle=False, lease_until=NOON + timedelta(minutes=1))


def test_every_admitted_call_is_sent() -> None:
    calls = {"academy": [call("academy", "1"), call("academy", "2")], "school": [call("school", "3")]}
    outbox, broker = Leases(stored=BOTH, admitted=calls), Broker()

    sent = dispatch(outbox, Limits(free={"academy": 5, "school": 1}), broker)

    assert (sent, broker.sent) == (3, ["1", "2", "3"])


def test_each_issuer_is_admitted_what_its_own_limit_has_room_for() -> None:
    outbox = Leases(stored=BOTH)

    dispatch(outbox, Limits(free={"academy": 5}), Broker())

    assert [(each.issuer, each.room, each.in_flight) for each in outbox.admissions] == [
        ("academy", 5, MOST_IN_FLIGHT),
        ("school", 0, MOST_IN_FLIGHT),
    ]


def test_a_lease_outlasts_the_wait_for_a_permit_and_the_call() -> None:
    outbox = Leases(stored=BOTH)

    dispatch(outbox, Limits(), Broker())

    academy, school = outbox.admissions
    assert isinstance(academy, Admission)
    assert academy.lease > PERMIT_WAIT + 20
    assert academy.lease - school.lease == 15


def test_leases_that_ran_out_are_taken_back_before_anything_is_admitted() -> None:
    outbox = Leases(stored=BOTH, late=2)

    dispatch(outbox, Limits(), Broker())

    assert outbox.reclaimed == [("academy", 90.0), ("school", 30.0)]


def test_calls_that_cannot_be_sent_are_handed_back_and_the_other_issuer_goes_on() -> None:
    academys = [call("academy", lease_id) for lease_id in "123"]
    calls = {"academy": academys, "school": [call("school", "4")]}
    outbox, broker = Leases(stored=BOTH, admitted=calls), Broker(refuses="2")

    dispatch(outbox, Limits(), broker)

    assert (broker.sent, outbox.handed_back) == (["1", "4"], ["2", "3"])


def test_without_the_limiter_nothing_is_admitted() -> None:
    outbox = Leases(stored=BOTH)

    assert dispatch(outbox, Limits(gone=LimiterUnavailable("gone")), Broker()) == 0
    assert outbox.admissions == []


def test_without_issuers_there_is_nothing_to_do() -> None:
    assert dispatch(Leases(), Limits(), Broker()) == 0


def test_room_is_asked_for_as_far_ahead_as_the_next_run() -> None:
    limits = Limits()

    dispatch(Leases(stored=BOTH), limits, Broker())

    assert limits.reach == [REACH, REACH]
