# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""Commands that run until they are stopped: `consume` and `sandbox`."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from worker.cli.opening import check_broker_url, open_database, open_services, open_settings, serving_metrics
from worker.cli.stopping import StopRequest, stopping
from worker.errors import ConfigurationError, DatabaseUnavailable

if TYPE_CHECKING:
    from worker.bootstrap import Services
    from worker.sandbox import SeedBadgeClass, SeedTemplate

log = structlog.get_logger(__name__)

_GRACE = 9.5  # seconds to finish the batch in hand; container runtimes kill after ten
_COLLECT_AFTER = 50_000  # objects more than before; some ten batches
# Seconds of Python until the other thread has its turn: an answer of the database must not wait for 5 ms.
_SHARE = 0.0005
_PAUSE = 1.0  # seconds between two looks for the database


def consume(
    until_idle: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="End when nothing was unread or pending for so long (all consumers).",
        ),
    ] = None,
) -> None:
    """Run one consumer: take events from the queue, keep counts, decide awards. Run as many as needed.

    Waits for a database or a queue that cannot be reached. SIGTERM and Ctrl-C finish the batch in hand.
    """
    from worker.heartbeat import beating

    here = open_services(quiet=False)
    consumer = here.consumer
    check_broker_url(here)  # or the first award would find out
    _collect_garbage_seldom()
    sys.setswitchinterval(_SHARE)
    with serving_metrics(here), beating("consumer"), stopping(_GRACE) as stop:
        _await_schema(here, stop)
        log.info("consumer.started")
        done = consumer.run(stop, until_idle)
    unknown = sum(done.unknown.values())
    log.info("consumer.ended", events=done.events, awards=done.awards, dead=done.dead, unknown=unknown)
    raise typer.Exit(stop.exit_code)


def _collect_garbage_seldom() -> None:
    """Let the collector look for cycles seldom: batches make none, and all that they make looks like some."""
    gc.collect()
    gc.freeze()  # what is there by now stays
    gc.set_threshold(_COLLECT_AFTER, 50, 50)


def _await_schema(here: Services, stop: StopRequest) -> None:
    """Wait for the database; raises ConfigurationError if its schema is missing or old.

    Likewise if people were forgotten by a key that we do not have: their events would be kept again.
    """
    from worker import measuring
    from worker.forgotten import check_key

    said = False
    while not stop.is_set():
        measuring.went_on()
        try:
            check_key(open_database(here), here.settings.key)
        except DatabaseUnavailable as error:
            if not said:
                log.warning("consumer.waits", error=type(error).__name__, reason=str(error))
            said = True
            stop.wait(_PAUSE)
        else:
            return


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    data: Annotated[
        Path | None, typer.Option(help="A SQLite file that keeps its state; in memory without it.")
    ] = None,
    rate_limit: Annotated[
        str, typer.Option(metavar="CALLS/SECONDS", help="For each connection; `none` for no limit.")
    ] = "100/60s",
    badges: Annotated[
        Path | None,
        typer.Option(help="Create this badges file's badge classes and Credly templates, under their ids."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="How others reach it: stands in every URL it answers.")
    ] = None,
) -> None:
    """Run the Badgr API sandbox: a stand-in for the provider. Prints its URL on the first line.

    Any credentials sign in; a connection is an account. /sandbox/assertions lists all that it holds,
    /sandbox/calls every call, and POST /sandbox/faults makes it slow, wrong or unreachable.
    """
    from worker.sandbox import SandboxOptions, serve

    open_settings()  # for how to log
    try:
        options = SandboxOptions(
            rate_limit=None if rate_limit == "none" else rate_limit,
            data=data,
            badgeclasses=seeds_of(badges) if badges else (),
            templates=templates_of(badges) if badges else (),
            public_url=public_url,
        )
    except ValueError as error:
        raise ConfigurationError(f"--rate-limit: {error}, or none") from None
    try:
        serve(options, host, port, ready=lambda url: print(url, flush=True))
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def seeds_of(badges_file: Path) -> list[SeedBadgeClass]:
    """Return the badge classes that a badges file names."""
    from worker.adapters.badges_file import load_definitions
    from worker.sandbox import SeedBadgeClass

    badges = load_definitions(badges_file).badges.values()
    return [
        SeedBadgeClass(badge.issue.badgeclass, badge.title, badge.issue.issuer)
        for badge in badges
        if badge.issue is not None and badge.issue.badgeclass is not None
    ]


def templates_of(badges_file: Path) -> list[SeedTemplate]:
    """Return the Credly templates that a badges file names, each of its issuer's organization."""
    from worker.adapters.badges_file import load_definitions
    from worker.sandbox import SeedTemplate

    definitions = load_definitions(badges_file)
    return [
        SeedTemplate(badge.issue.template, badge.title, organization)
        for badge in definitions.badges.values()
        if badge.issue is not None
        and badge.issue.template is not None
        and (organization := definitions.issuers[badge.issue.issuer].organization) is not None
    ]
