# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker demo` and `up`: everything embedded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo() -> None:
    """Run the main job on sample events, with nothing to install or start; takes less than a minute.

    Publishes about 1,000 events, awards the badges they earn and issues them at an embedded Badgr sandbox,
    within its limit of 100 calls per 60 s. Exits 0 only if exactly the expected assertions are there.
    """
    from worker.cli import demo as embedded

    embedded.demo()


def up(
    badges: Annotated[
        Path | None, typer.Option(help="Issuers and badges; every issuer is pointed at the sandbox.")
    ] = None,
) -> None:
    """Run the embedded whole until Ctrl-C: consumer, task worker, scheduler and Badgr sandbox.

    Data stays in .badge-worker/ between runs; other commands in this folder use what runs here.
    """
    from worker.cli import up as embedded

    embedded.up(badges)
