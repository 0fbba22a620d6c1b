"""Instants in PHP's notation, each token as PHP writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from worker.web.graphql.php_dates import DEFAULT, php_date

VIENNA = ZoneInfo("Europe/Vienna")
AT = datetime(2026, 9, 5, 12, 4, 9, 45_678, tzinfo=UTC)  # a Saturday; 14:04:09 in Vienna


@pytest.mark.parametrize(
    ("token", "written"),
    [
        ("d", "05"), ("D", "Sat"), ("j", "5"), ("l", "Saturday"), ("N", "6"), ("S", "th"), ("w", "6"),
        ("z", "247"), ("W", "36"), ("F", "September"), ("m", "09"), ("M", "Sep"), ("n", "9"), ("t", "30"),
        ("L", "0"), ("o", "2026"), ("Y", "2026"), ("y", "26"), ("a", "pm"), ("A", "PM"), ("B", "544"),
        ("g", "2"), ("G", "14"), ("h", "02"), ("H", "14"), ("i", "04"), ("s", "09"), ("u", "045678"),
        ("v", "045"), ("e", "Europe/Vienna"), ("I", "1"), ("O", "+0200"), ("P", "+02:00"), ("p", "+02:00"),
        ("T", "CEST"), ("Z", "7200"), ("c", "2026-09-05T14:04:09+02:00"),
        ("r", "Sat, 05 Sep 2026 14:04:09 +0200"), ("U", "1788609849"),
    ],
)  # fmt: skip
def test_a_token_is_written_as_php_does(token: str, written: str) -> None:
    assert php_date(token, AT, VIENNA) == written


@pytest.mark.parametrize(
    ("notation", "written"),
    [
        (DEFAULT, "05/09/2026"),
        (r"Y-m-d\TH:i", "2026-09-05T12:04"),
        (r"\Y\\Y", r"Y\2026"),
        ("\\", ""),
        ("", ""),
        ("q, Ä: 5!", "q, Ä: 5!"),
        ("jS F Y", "5th September 2026"),
        ("p e T P", "Z UTC UTC +00:00"),
    ],
)
def test_a_notation_is_tokens_and_all_else_for_itself(notation: str, written: str) -> None:
    assert php_date(notation, AT, UTC) == written


@pytest.mark.parametrize(
    ("day", "written"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
     (22, "22nd"), (23, "23rd"), (30, "30th")],
)  # fmt: skip
def test_a_day_has_its_english_ending(day: int, written: str) -> None:
    assert php_date("jS", datetime(2026, 1, day, tzinfo=UTC)) == written


@pytest.mark.parametrize(
    ("at", "notation", "written"),
    [
        pytest.param(datetime(2024, 2, 29, tzinfo=UTC), "t L z", "29 1 59", id="leap-year"),
        pytest.param(datetime(2100, 2, 1, tzinfo=UTC), "t L", "28 0", id="no-leap-year"),
        pytest.param(datetime(2026, 12, 31, tzinfo=UTC), "t", "31", id="december"),
        pytest.param(datetime(2027, 1, 1, tzinfo=UTC), "o-W Y", "2026-53 2027", id="week-of-the-year-before"),
        pytest.param(datetime(2026, 9, 6, tzinfo=UTC), "N w", "7 0", id="sunday"),
        pytest.param(datetime(2026, 9, 6, 0, 30, tzinfo=UTC), "g h G a", "12 12 0 am", id="after-midnight"),
        pytest.param(datetime(2026, 9, 6, 12, 30, tzinfo=UTC), "g h G a", "12 12 12 pm", id="after-noon"),
        pytest.param(datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), "U", "-1", id="before-1970"),
    ],
)
def test_edges_of_the_calendar(at: datetime, notation: str, written: str) -> None:
    assert php_date(notation, at, UTC) == written


def test_a_zone_behind_utc_without_a_name() -> None:
    zone = ZoneInfo("America/St_Johns")
    winter = datetime(2026, 1, 5, tzinfo=UTC)

    assert php_date("O P Z I T", winter, zone) == "-0330 -03:30 -12600 0 NST"
    assert php_date("T", winter, ZoneInfo("America/Sao_Paulo")) == "-03"
