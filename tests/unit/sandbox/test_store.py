"""The file that holds a sandbox's data."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from worker.sandbox import SandboxOptions, create_app

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.conftest import Sandboxes


def test_only_its_owner_may_read_it(sandboxes: Sandboxes, tmp_path: Path) -> None:
    with sandboxes(data=tmp_path / "sandbox.db") as tried:
        tried.award("ann@example.org")

        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert modes == {0o600}


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database, by no means " * 40)

    with pytest.raises(OSError, match="cannot hold a sandbox's data"):
        create_app(SandboxOptions(data=other))

    assert other.read_text().startswith("not a database")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        create_app(SandboxOptions(data=tmp_path / "nowhere" / "sandbox.db"))
