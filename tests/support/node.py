"""Node for the tests: the packages of ``tests/node``, installed once for each lock file."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE = Path(__file__).parents[1] / "node"
_WHAT_MAKES_IT = ("package.json", "package-lock.json", ".npmrc")


def not_there(what: str, packages: str) -> NoReturn:
    """Fail where everything must be there, and skip on a laptop, saying what to install."""
    _give_up(f"{what} is not installed; to run this test: apt-get install {packages}")


def _give_up(text: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def needs(program: str, packages: str) -> str:
    """Return where a program is."""
    return shutil.which(program) or not_there(program, packages)


@cache
def home() -> Path:
    """Return a folder in which scripts find the packages; kept beside the other packages of the tests."""
    npm = needs("npm", "nodejs npm")
    made_of = {name: (PLACE / name).read_bytes() for name in _WHAT_MAKES_IT}
    digest = hashlib.sha256(b"\0".join(made_of.values())).hexdigest()[:16]
    kept = Path(sys.prefix) / "node"
    kept.mkdir(exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes test at once
        folder = kept / digest
        if not folder.exists():
            _install(npm, made_of, kept / "unfinished").rename(folder)
    return folder


@cache
def packed(name: str, version: str) -> Path:
    """Return a folder with a package as npm has it, without what it depends on; kept like the others."""
    npm = needs("npm", "nodejs npm")
    kept = Path(sys.prefix) / "node"
    kept.mkdir(exist_ok=True)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = kept / f"{name}-{version}"
        if not folder.exists():
            _unpack(npm, f"{name}@{version}", kept / "unpacking").rename(folder)
            shutil.rmtree(kept / "unpacking")
    return folder


def _unpack(npm: str, wanted: str, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command: list[str | Path] = [npm, "pack", wanted, "--silent", "--pack-destination", folder]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    if ended.returncode:
        _give_up(f"npm pack failed: {ended.stderr}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder / "package"


def _install(npm: str, made_of: dict[str, bytes], folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in made_of.items():
        (folder / name).write_bytes(content)
    ended = subprocess.run([npm, "ci"], cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    if ended.returncode:
        _give_up(f"npm ci failed: {ended.stderr}")
    return folder


@contextmanager
def installed(script: Path) -> Iterator[Path]:
    """Put a script where it finds the packages, for as long as it is needed there."""
    copy = home() / f"{os.getpid()}-{script.name}"
    copy.write_bytes(script.read_bytes())
    try:
        yield copy
    finally:
        copy.unlink()


def run(name: str, text: str) -> Any:
    """Run a script of ``tests/node`` on `text`, and return the JSON that it prints."""
    with installed(PLACE / name) as script:
        command: list[str | Path] = [needs("node", "nodejs"), script]
        ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
