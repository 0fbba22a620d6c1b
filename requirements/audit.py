# ruff: noqa: INP001, S603, T201 # a script beside what it looks at; it starts programs and prints
"""Ask for known vulnerabilities of everything that the lock files pin: `make audit`.

    python requirements/audit.py [--program PATH]

pip-audit runs in an environment of its own, which is thrown away. It says that there are none as well where
it gets no advisories at all, from a mirror without any, say: so it is asked first for a package that is known
to have some. Exit codes: 0 none found; 1 found; 2 nobody could tell.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PIP_AUDIT = "pip-audit>=2.9,<3"
KNOWN = "jinja2==2.4.1"  # CVE-2016-10745 and others; never installed, only asked for
NONE, FOUND, NOBODY_KNOWS = 0, 1, 2


def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(description="Ask for known vulnerabilities of what is pinned.")
    parser.add_argument("--program", type=Path, help="a pip-audit that is there already")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="badge-worker-audit-") as folder:
        program = given.program or _install(Path(folder))
        if program is None:
            return _nobody_knows("pip-audit cannot be installed")
        known = Path(folder) / "known.txt"
        known.write_text(f"{KNOWN}\n")
        if not any(each.get("vulns") for each in _ask(program, "--no-deps", "-r", str(known)) or []):
            return _nobody_knows(f"not even those of {KNOWN} are told")
        return max(_look_at(program, HERE / name) for name in ("runtime.txt", "everything.txt"))


def _install(folder: Path) -> Path | None:
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    options = ["--quiet", "--disable-pip-version-check"]
    ended = subprocess.run([python, "-m", "pip", "install", *options, PIP_AUDIT], check=False)
    return None if ended.returncode else python.with_name("pip-audit")


def _ask(program: Path, *words: str) -> list[dict[str, Any]] | None:
    """Return what is told of each package, or None if nothing is."""
    options = ["--progress-spinner=off", "--disable-pip", "--format=json"]
    ended = subprocess.run([program, *options, *words], check=False, capture_output=True, text=True)
    try:
        told: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except ValueError:
        print(ended.stderr.strip(), file=sys.stderr)
        return None
    return told


def _look_at(program: Path, lock_file: Path) -> int:
    told = _ask(program, "--require-hashes", "-r", str(lock_file))
    if told is None:
        return _nobody_knows(f"of what {lock_file.name} pins")
    for each in told:
        for found in each.get("vulns", []):
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            print(f"{lock_file.name}: {each['name']} {each['version']}: {found['id']}, mended in {mended}")
    if unknown := [each["name"] for each in told if "skip_reason" in each]:
        return _nobody_knows(f"of {', '.join(unknown)}")
    known = sum(bool(each.get("vulns")) for each in told)
    print(f"{lock_file.name}: {len(told)} packages, {known} with known vulnerabilities")
    return FOUND if known else NONE


def _nobody_knows(why: str) -> int:
    print(f"audit: no advisories could be reached, so this says NOTHING about vulnerabilities: {why}")
    return NOBODY_KNOWS


if __name__ == "__main__":
    sys.exit(main())
