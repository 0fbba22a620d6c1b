"""The services of docker-compose.yml without Docker: its commands and checks as they stand, as processes.

A process gets what its container would: the service's environment and nothing else, secrets from files, a
folder for temporary files, and one to run in. Only where things are is another matter: host names and ports.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
PROGRAMS = Path(sys.executable).parent  # as /opt/venv/bin in the image


@dataclass
class Service:
    """One service; `moved` says what stands for what: addresses, paths and ports."""

    name: str
    folder: Path
    moved: dict[str, str]
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        for each in (self.tmp, self.home):
            each.mkdir(parents=True)
        here = {"9100": str(self.metrics_port)}
        here |= {str(inside): str(self.port) for inside in self.published()}
        self.moved = self.moved | here

    @property
    def tmp(self) -> Path:
        """Where the container has its /tmp."""
        return self.folder / self.name / "tmp"

    @property
    def home(self) -> Path:
        """Where it runs: a root that it may not write to."""
        return self.folder / self.name / "app"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def published(self) -> list[int]:
        return [int(port.split(":")[-1]) for port in SERVICES[self.name].get("ports", [])]

    def command(self) -> list[str]:
        """Return what starts it."""
        return self._in_its_environment(SERVICES[self.name]["command"])

    def is_healthy(self) -> bool:
        """Run its health check."""
        check = SERVICES[self.name]["healthcheck"]
        kind, *words = check["test"]
        assert kind == "CMD"
        # Docker's patience is with one check; here several processes start on the same small machine.
        patience = 6 * seconds(check["timeout"])
        checked = subprocess.run(
            self._in_its_environment(words),
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            check=False,
        )
        return checked.returncode == 0

    @property
    def grace(self) -> float:
        """Seconds that it has to stop before Docker would kill it."""
        return seconds(SERVICES[self.name]["stop_grace_period"])

    def _in_its_environment(self, words: list[str]) -> list[str]:
        environment = {
            "PATH": f"{PROGRAMS}{os.pathsep}{os.defpath}",
            "HOME": str(self.tmp),
            "TMPDIR": str(self.tmp),
            **{name: self._here(value) for name, value in SERVICES[self.name]["environment"].items()},
        }
        given = [f"{name}={value}" for name, value in environment.items()]
        return ["env", "-i", *given, *(self._here(word) for word in words)]

    def _here(self, text: str) -> str:
        """Return a word with things where they are on this machine."""
        found = re.compile("|".join(map(re.escape, self.moved)))
        return found.sub(lambda each: self.moved[each[0]], text.replace("$$", "$"))


def seconds(text: str) -> float:
    """Read a time as the file has it."""
    return float(text.removesuffix("s"))
