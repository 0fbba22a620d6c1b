"""`badge-worker up`: the embedded whole, until it is stopped; its data stays in the folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from worker.cli.embedded import Stopped, Whole, stoppable
from worker.logs import configure_logging
from worker.settings import HOME, load_settings


def up(
    badges: Annotated[
        Path | None, typer.Option(help="Issuers and badges; every issuer is pointed at the sandbox.")
    ] = None,
) -> None:
    """Run the embedded whole until Ctrl-C: consumer, task worker, scheduler and Badgr sandbox.

    Data stays in .badge-worker/ between runs; other commands in this folder use what runs here.
    """
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    try:
        with stoppable(), Whole(HOME, badges or settings.badges_file, persistent=True) as whole:
            _say_where(whole)
            while True:
                whole.tend()
                time.sleep(0.2)
    except Stopped as stopped:
        raise typer.Exit(stopped.exit_code) from None


def _say_where(whole: Whole) -> None:
    console = Console(stderr=False)
    console.print("[bold]badge-worker is up.[/bold] Ctrl-C ends it; its data stays in .badge-worker/")
    console.print(f"  events     {whole.variables['EVENTS_URL']}", highlight=False)
    console.print(f"  assertions {whole.sandbox_url}/sandbox/assertions", highlight=False)
    console.print(f"  calls      {whole.sandbox_url}/sandbox/calls", highlight=False)
    console.print("  logs       .badge-worker/*.log", highlight=False)
