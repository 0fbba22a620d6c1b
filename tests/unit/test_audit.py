"""`make audit` with programs in pip-audit's place: it never calls silence good news."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from requirements.audit import FOUND, NOBODY_KNOWS, NONE

AUDIT = Path(__file__).parents[2] / "requirements" / "audit.py"
VULNERABLE = {"vulns": [{"id": "CVE-2016-10745", "fix_versions": ["2.8.1"]}]}
SOUND: dict[str, Any] = {"vulns": []}
SKIPPED = {"skip_reason": "Dependency not found"}


def answers(folder: Path, of_known: object, of_ours: object) -> Path:
    """Make a program that says this of the package with known vulnerabilities, and that of what is pinned."""
    program = folder / "pip-audit"
    told = [json.dumps(each) for each in (of_known, of_ours)]
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsays = {told!r}\n"
        "print(says['--require-hashes' in sys.argv])\nsys.exit(1)\n"
    )
    program.chmod(0o755)
    return program


def dependency(about: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": [{"name": "some-package", "version": "2.4.1", **about}]}


@pytest.mark.parametrize(
    ("of_known", "of_ours", "code", "words"),
    [
        pytest.param(VULNERABLE, SOUND, NONE, "1 packages, 0 with known", id="none"),
        pytest.param(VULNERABLE, VULNERABLE, FOUND, "CVE-2016-10745, mended in 2.8.1", id="one"),
        pytest.param(SOUND, SOUND, NOBODY_KNOWS, "no advisories could be reached", id="a mirror without any"),
        pytest.param(SKIPPED, SKIPPED, NOBODY_KNOWS, "no advisories could be reached", id="not found"),
        pytest.param(VULNERABLE, SKIPPED, NOBODY_KNOWS, "of some-package", id="not all are known"),
    ],
)
def test_it_says_what_was_found_and_where_nobody_could_tell(
    tmp_path: Path, of_known: dict[str, Any], of_ours: dict[str, Any], code: int, words: str
) -> None:
    program = answers(tmp_path, dependency(of_known), dependency(of_ours))

    ended = subprocess.run(
        [sys.executable, AUDIT, "--program", program], capture_output=True, text=True, check=False
    )

    assert ended.returncode == code
    assert words in ended.stdout


def test_one_that_cannot_be_reached_tells_nothing(tmp_path: Path) -> None:
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho 'no route to host' >&2\nexit 1\n")
    program.chmod(0o755)

    ended = subprocess.run(
        [sys.executable, AUDIT, "--program", program], capture_output=True, text=True, check=False
    )

    assert ended.returncode == NOBODY_KNOWS
    assert "says NOTHING" in ended.stdout
    assert "no route to host" in ended.stderr
