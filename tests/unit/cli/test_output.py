from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest

from worker.cli import output

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Thing:
    at: datetime
    body: bytes
    parts: list[Thing]


def test_json_holds_instants_in_utc_and_bodies_as_text_where_they_are_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    early = NOON.astimezone(timezone(timedelta(hours=2)))

    output.print_json([Thing(early, "é".encode(), [Thing(NOON, b"\xff", [])])])

    assert json.loads(capsys.readouterr().out) == [
        {
            "at": "2026-03-01T12:00:00Z",
            "body": "é",
            "parts": [{"at": "2026-03-01T12:00:00Z", "body": {"base64": "/w=="}, "parts": []}],
        }
    ]


@pytest.mark.parametrize("items", [[], [1], [{"a": []}, {}, ["two\nlines", "line\u2028mark"], "x"]])
def test_a_list_that_comes_item_by_item_is_printed_like_a_whole_one(
    items: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    output.print_json_list(iter(items))
    one_by_one = capsys.readouterr().out
    output.print_json(items)

    assert one_by_one == capsys.readouterr().out


def test_a_value_without_a_place_in_json_is_an_error_of_ours() -> None:
    with pytest.raises(TypeError, match="not JSON: set"):
        output.print_json({1})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 名", "plain é 名"),
        ("two\nlines", "two\nlines"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\x00b\rc", "a\\x00b\\rc"),
        ("right\u202eleft", "right\\u202eleft"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert output.printable(text) == shown


def test_tables_show_what_came_from_outside_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table("Letters", ["body", "at"], [("[red]no colour[/red] \x1b[31m", NOON), (None, "")])

    shown = capsys.readouterr().out

    assert "[red]no colour[/red] \\x1b[31m" in shown
    assert "2026-03-01 12:00:00Z" in shown
    assert "\x1b" not in shown


def test_a_table_that_goes_to_a_file_is_not_cut_to_a_terminals_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    address = "https://example.org/public/assertions/" + "x" * 100

    output.print_table("Awards", ["assertion"], [(address,)])

    assert address in capsys.readouterr().out


@pytest.mark.parametrize(("number", "said"), [(0, "0 awards"), (1, "1 award"), (2, "2 awards")])
def test_numbers_agree_with_what_they_count(number: int, said: str) -> None:
    assert output.count(number, "award") == said
