"""Instants, ids and single fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.fields import is_email
from worker.sandbox.moments import entity_id, parse_moment, shown, stored

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1000, 1, 2), datetime(9998, 12, 30), timezones=OFFSETS)  # noqa: DTZ001  # bounds


@given(INSTANTS)
def test_an_instant_is_the_same_however_it_is_written(moment: datetime) -> None:
    kept = stored(moment)

    assert parse_moment(moment.isoformat()) == moment
    assert parse_moment(kept) == moment
    assert parse_moment(shown(kept) or "") == moment


@given(INSTANTS, INSTANTS)
def test_kept_instants_sort_as_the_instants_do(one: datetime, two: datetime) -> None:
    assert (stored(one) < stored(two)) == (one < two)


@given(st.text())
def test_any_text_is_an_instant_or_none(text: str) -> None:
    moment = parse_moment(text)

    assert moment is None or moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2026-11-22", "2026-02-30T00:00:00Z", "2026-11-22T25:00Z", "2026-11-22T01:00:00+99:99", "now"]
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert parse_moment(text) is None


def test_ids_are_22_characters_and_may_begin_with_any_of_them() -> None:
    ids = [entity_id() for _ in range(2000)]

    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", one) for one in ids)
    assert any(one[0] in "-_" for one in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "text", ["a@b.co", "first.last+tag@sub.example.org", "o'brien@example.org", "a@localhost", "A@B.CO"]
)
def test_addresses_that_are_taken(text: str) -> None:
    assert is_email(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a@", "@b.co", "a@b", "a..b@c.org", ".a@c.org", "a@-b.org", "a b@c.org", "a@b.c-", "a@b.co\n"],
)
def test_addresses_that_are_refused(text: str) -> None:
    assert not is_email(text)
