"""Mutants: patches that take one measure each out of the worker, and name the test that must notice.

A patch begins with comment lines: why the measure is there, and ``# test: path::name``.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent.parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """One patch: `why` the measure is there, and the `test` (path::name) that fails without it."""

    file: Path
    why: str
    test: str

    @property
    def name(self) -> str:
        return self.file.stem

    def apply(self, folder: Path, *, check_only: bool = False) -> None:
        """Apply the patch to the files below `folder`; raises ValueError if it does not fit them."""
        command = ["git", "apply", *(["--check"] if check_only else []), str(self.file)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{self.file.name}: {done.stderr.strip()}")


def read_mutants(folder: Path = FOLDER) -> list[Mutant]:
    """Return every mutant, by name; raises ValueError for a patch that does not name its test."""
    return [_read(file) for file in sorted(folder.glob("*.patch"))]


def _read(file: Path) -> Mutant:
    comments = []
    for line in file.read_text().splitlines():
        if not line.startswith("# "):
            break
        comments.append(line.removeprefix("# "))
    tests = [line.removeprefix("test: ") for line in comments if line.startswith("test: ")]
    if len(tests) != 1 or len(comments) < 2:
        raise ValueError(f"{file.name}: begins with why the measure is there, and one `# test: path::name`")
    return Mutant(file, " ".join(line for line in comments if not line.startswith("test: ")), tests[0])
