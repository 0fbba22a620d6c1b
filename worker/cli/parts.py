"""One process of the embedded whole: started, tended and ended."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from worker.adapters.embedded import tethered
from worker.adapters.embedded.tether import end

log = structlog.get_logger(__name__)

RESTART_PAUSE = 1.0  # seconds before a part that ended by itself is started again
LAST_WORDS = 2000  # characters of a part's log that are shown when it cannot start


@dataclass(slots=True)
class Part:
    """One of our processes; its output goes to `log_file`."""

    name: str
    command: list[str]
    env: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    ended_at: float = 0.0

    @property
    def log_file(self) -> Path:
        """Return where its output goes."""
        return self.folder / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        """Return whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it. The kernel ends it with us, whatever ends us."""
        with self.log_file.open("ab") as output:
            self.process = tethered(self.command, output=output, env=self.env, cwd=self.folder)

    def tend(self) -> None:
        """Start it again, a little later, if it has ended."""
        if self.process is None or self.is_running:
            return
        if not self.ended_at:
            self.ended_at = time.monotonic()
            log.warning("part.ended", part=self.name, code=self.process.returncode, see=str(self.log_file))
        elif time.monotonic() - self.ended_at > RESTART_PAUSE:
            self.ended_at = 0.0
            self.start()
            log.info("part.started_again", part=self.name)

    def ask_to_stop(self) -> None:
        """Ask it to finish what it has in hand."""
        if self.process is not None and self.is_running:
            self.process.send_signal(signal.SIGTERM)

    def stop(self, timeout: float) -> None:
        """Ask it to stop, and end it after `timeout` seconds."""
        if self.process is not None:
            end(self.process, signal.SIGTERM, timeout)

    def last_words(self) -> str:
        """Return the end of its log."""
        return self.log_file.read_text(errors="replace")[-LAST_WORDS:].strip()
