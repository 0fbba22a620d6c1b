"""Badges that put criteria together, from bodies to awards: by events, by the clock, by unblocking."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bodies import (
    blocked,
    enrolled,
    met,
    posted,
    registered,
    unblocked,
)
from tests.support.ground import Ground, Statements, badge, now
from worker.reevaluation import sweep

if TYPE_CHECKING:
    from datetime import datetime

ENROL: dict[str, Any] = {"lp_enroll": {"learning_path_id": "40"}}
A_POST: dict[str, Any] = {"social_engagement": {"threshold": 1}}
AN_HOUR: dict[str, Any] = {"registered_for": {"threshold": 3600}}
TWO_HOURS: dict[str, Any] = {"registered_for": {"threshold": 7200}}


REGISTERED = now() - timedelta(minutes=90)


def minute(number: float) -> datetime:
    return REGISTERED + timedelta(minutes=number)


@pytest.fixture
def clock_at_50(ground: Ground) -> Ground:
    """Ground on which the clock of account ages stands ten minutes before Ada's account is an hour old."""
    ground.swept_to(minute(50))
    ground.ingest(registered(REGISTERED, "ada"))
    return ground


def test_the_sweep_finds_the_ages_within_groups(clock_at_50: Ground) -> None:
    clock_at_50.apply(deep=badge({"any_of": [TWO_HOURS, {"all_of": [ENROL, {"all_of": [AN_HOUR]}]}]}))
    clock_at_50.ingest(enrolled(minute(5), "ada"))
    before = clock_at_50.earned()

    made = sweep(clock_at_50.database)

    assert (before, made) == ({}, 1)
    assert clock_at_50.earned() == {("ada", "deep"): minute(60)}
    assert [reason["kind"] for reason in clock_at_50.column("because")["ada"]] == ["enrolled"]


def test_an_activity_after_the_age_earns_when_it_happened(clock_at_50: Ground) -> None:
    clock_at_50.apply(both=badge({"all_of": [AN_HOUR, A_POST]}))
    swept = sweep(clock_at_50.database)

    clock_at_50.ingest(posted(minute(70), "ada", "p"))

    assert swept == 0
    assert clock_at_50.earned() == {("ada", "both"): minute(70)}


def test_a_registration_that_comes_late_earns_with_what_was_there(clock_at_50: Ground) -> None:
    clock_at_50.apply(both=badge({"all_of": [AN_HOUR, A_POST]}))
    clock_at_50.ingest(posted(minute(-30), "ada", "p"))

    clock_at_50.ingest(registered(minute(-20), "ada"))

    assert clock_at_50.earned() == {("ada", "both"): minute(40)}


def test_a_user_who_is_free_again_is_asked_about_every_group(clock_at_50: Ground) -> None:
    clock_at_50.apply(either=badge({"any_of": [TWO_HOURS, A_POST]}))
    clock_at_50.ingest(blocked(minute(1), "ada"), posted(minute(2), "ada", "p"))
    before = clock_at_50.earned()

    clock_at_50.ingest(unblocked(minute(3), "ada"))

    assert (before, clock_at_50.earned()) == ({}, {("ada", "either"): minute(3)})


def test_only_a_user_of_whom_a_leaf_changed_is_looked_at(ground: Ground) -> None:
    ground.apply(both=badge({"all_of": [ENROL, {"social_connection": {"threshold": 2}}]}))

    with Statements(ground.engine) as no_leaf:
        ground.ingest(posted(1, "ada", "p"), enrolled(1, "ada", "41"), met(1, "ada", "bob"))
    with Statements(ground.engine) as a_leaf:
        ground.ingest(met(2, "ada", "eve"))

    assert not any("awards" in text for text in no_leaf.texts)
    assert any("awards" in text for text in a_leaf.texts)


def test_a_group_that_is_published_later_is_earned_by_those_who_have_it_all(ground: Ground) -> None:
    ground.ingest(enrolled(1, "ada"), posted(5, "ada", "p"), enrolled(2, "bob"), posted(3, "eve", "q"))

    ground.apply(both=badge({"all_of": [ENROL, A_POST]}), either=badge({"any_of": [ENROL, A_POST]}))

    earned = {(user_id, badge_id) for user_id, badge_id in ground.earned()}
    assert earned == {("ada", "both"), ("ada", "either"), ("bob", "either"), ("eve", "either")}
