"""All commands, and what an error means for the exit code."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from worker import __version__
from worker.cli import awards, badges, badgr, database, dead_letters, embedding, events, processes, users
from worker.cli.diagnosis import doctor
from worker.cli.explain import explain
from worker.cli.healthcheck import healthcheck
from worker.cli.opening import closing_services
from worker.cli.output import say
from worker.cli.publishing import publish
from worker.cli.reconciling import reconcile
from worker.cli.reevaluate import reevaluate
from worker.cli.serve import serve
from worker.cli.simulate import simulate
from worker.errors import BadgeWorkerError, ConfigurationError


class Commands(TyperGroup):
    """Ends a command: closes what it opened; an error that the worker raises is a line and a code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with closing_services():
                return super().invoke(ctx)
        except BadgeWorkerError as error:
            for line in str(error).splitlines() or [type(error).__name__]:
                say(line)
            raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from error


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"badge-worker {__version__}")
        raise typer.Exit


def _about(
    version: Annotated[  # its callback does it
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """From learning events to Badgr assertions: each award exactly once.

    Settings are environment variables that begin with BADGE_WORKER_, or stand in a file .env; all of them
    are listed in config/example.env.

    Exit codes: 0 done; 1 the answer is no, or something failed; 2 wrong usage or configuration; 130 and 143
    stopped by a signal.
    """


app = typer.Typer(
    name="badge-worker",
    cls=Commands,
    callback=_about,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # what nobody expected is a plain traceback, without anybody's data
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(embedding.demo)
app.command()(embedding.up)
app.command()(processes.consume)
app.command()(serve)
app.command()(processes.sandbox)
app.command()(publish)
app.add_typer(badges.app, name="badges")
app.add_typer(events.app, name="events")
app.add_typer(badgr.app, name="badgr")
app.add_typer(awards.app, name="awards")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(users.app, name="users")
app.command()(explain)
app.command()(simulate)
app.command()(doctor)
app.command()(healthcheck)
app.command()(reevaluate)
app.command()(reconcile)
app.add_typer(database.app, name="db")
