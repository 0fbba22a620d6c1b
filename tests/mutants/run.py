"""Take each measure out, one at a time, and show that the test that it is there for then fails.

Exit code 1 if a mutant survives, a patch does not fit any more, or a named test does not pass without it.
Arguments, if any, are names of mutants: only those are tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from xml.etree import ElementTree as ET

REPOSITORY = Path(__file__).parent.parent.parent
sys.path.insert(0, str(REPOSITORY))

from rich.console import Console  # noqa: E402 # the path comes first
from rich.progress import Progress  # noqa: E402 # likewise
from rich.table import Table  # noqa: E402 # likewise

from tests.mutants.patches import Mutant, read_mutants  # noqa: E402 # likewise
from tests.support import services  # noqa: E402 # likewise

AT_ONCE = 2
PATIENCE = 300  # seconds for one run of pytest
KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "BROKEN"
NO_FAILURE = ("0", None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    fate: str
    detail: str = ""


class Laboratory:
    """Copies of the repository to mutate, and servers for its tests."""

    def __init__(self, folder: Path, servers: list[dict[str, str]]) -> None:
        self._folder = folder
        self._original = folder / "original"
        self._servers: SimpleQueue[dict[str, str]] = SimpleQueue()
        for server in servers:
            self._servers.put(server)
        _copy_what_is_not_ignored(self._original)

    def all_pass(self, tests: list[str]) -> str:
        """Run the tests on what is not mutated, and return what is wrong, or nothing."""
        code, _, output = self._pytest(self._original, tests)
        return output if code else ""

    def try_out(self, mutant: Mutant) -> Verdict:
        """Mutate a copy, run the one test there, and tell what became of it."""
        copy = self._folder / mutant.name
        shutil.copytree(self._original, copy)
        try:
            mutant.apply(copy)
            code, failures, output = self._pytest(copy, [mutant.test])
        except ValueError as error:
            return Verdict(mutant, BROKEN, str(error))
        except subprocess.TimeoutExpired:
            return Verdict(mutant, KILLED, "it hangs")
        if code == 0:
            return Verdict(mutant, SURVIVED)
        return Verdict(mutant, KILLED) if failures else Verdict(mutant, BROKEN, output)

    def _pytest(self, folder: Path, tests: list[str]) -> tuple[int, int, str]:
        """Run tests in a copy; return the exit code, how many failed (not: could not run), and the output."""
        server = self._servers.get()
        report = folder / "report.xml"
        environment = {**os.environ, **server, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}
        options = ["-q", "-x", "-p", "no:cacheprovider", "--timeout=60", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, *tests]
        try:
            done = subprocess.run(  # our own command
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        finally:
            self._servers.put(server)
        return done.returncode, _failures(report), done.stdout[-4000:] + done.stderr[-2000:]


def _failures(report: Path) -> int:
    if not report.exists():
        return 0
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 # pytest wrote it just now
    return sum(int(suite.get("failures", 0)) for suite in suites)


def _copy_what_is_not_ignored(folder: Path) -> None:
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],  # whichever git the developer has
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _servers(stack: ExitStack, folder: Path) -> list[dict[str, str]]:
    """Start the servers, and return the environment for each of those that use them at once."""
    database = stack.enter_context(services.postgres()).url
    valkey = stack.enter_context(services.valkey(folder / "valkey"))
    base = valkey.rsplit("/", 1)[0] if valkey.count("/") > 2 else valkey
    return [
        {services.DATABASE_VARIABLE: database, services.REDIS_VARIABLE: f"{base}/{number}"}
        for number in range(AT_ONCE)
    ]


def _table(verdicts: list[Verdict]) -> Table:
    table = Table("mutant", "the measure", "its test", "fate")
    for verdict in verdicts:
        colour = "green" if verdict.fate == KILLED else "red"
        name = verdict.mutant.test.rpartition("::")[2]
        table.add_row(verdict.mutant.name, verdict.mutant.why, name, f"[{colour}]{verdict.fate}[/]")
    return table


def main(wanted: list[str]) -> int:
    """Try the mutants out and return the exit code."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    mutants = [each for each in read_mutants() if not wanted or each.name in wanted]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="badge-worker-mutants-")))
        laboratory = Laboratory(folder, _servers(stack, folder))
        if wrong := laboratory.all_pass(sorted({mutant.test for mutant in mutants})):
            console.print(wrong, markup=False)
            console.print("The tests must pass before a mutant can fail them.")
            return 1
        verdicts = []
        with ThreadPoolExecutor(AT_ONCE) as pool, Progress(console=console, transient=True) as progress:
            for verdict in progress.track(pool.map(laboratory.try_out, mutants), total=len(mutants)):
                verdicts.append(verdict)  # noqa: PERF402 # the progress is shown as they come
    console.print(_table(verdicts))
    for verdict in verdicts:
        if verdict.fate == BROKEN:
            console.print(f"{verdict.mutant.name}: {verdict.detail}", markup=False)
    killed = sum(verdict.fate == KILLED for verdict in verdicts)
    console.print(f"{killed} of {len(verdicts)} mutants killed")
    return int(not mutants or killed < len(verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
