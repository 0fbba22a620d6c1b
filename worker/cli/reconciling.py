"""`badge-worker reconcile`: our awards against what the provider holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from worker.cli.opening import nudge, open_database, open_services
from worker.cli.options import AsJson
from worker.cli.output import count, print_json, print_table, say
from worker.errors import BadgeWorkerError, ConfigurationError

if TYPE_CHECKING:
    from worker.bootstrap import Services
    from worker.comparison import Comparison, Difference

_COLUMNS = ("issuer", "difference", "badge", "user", "assertion", "detail", "")


def reconcile(
    issuer: Annotated[str | None, typer.Option(help="This issuer alone.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without a person.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Compare everything, not only what changed since the last time.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare our awards with what the provider holds, and report the differences.

    unknown: an assertion for an address that no user has. no_award: an assertion of a user for whom no
    award stands. unlinked: an award that was not sent has an assertion already. lost: an award's assertion
    is gone. revoked_there: somebody else revoked it. not_revoked: a revoked award's assertion is still good.
    duplicate: a second one beside that of the award.

    --fix links unlinked ones, issues lost ones again, notes and makes up revocations, and revokes duplicates;
    unknown and no_award are for a person. What is lost shows only where everything is compared. Every call
    counts for the issuer's rate limit. Exit code 1 if differences remain.
    """
    here = open_services()
    open_database(here)
    reports = [_compare(here, each, fix=fix, full=full) for each in _chosen(here, issuer)]
    if fix and any(each.mended for report in reports for each in report.differences):
        nudge(here)
    remaining = sum(report.remaining for report in reports)
    if as_json:
        print_json({"ok": remaining == 0, "issuers": reports})
    else:
        _print(reports)
    for report in reports:
        for problem in report.problems:
            say(f"issuer {report.issuer}: {problem}")
    raise typer.Exit(1 if remaining else 0)


def _chosen(here: Services, issuer: str | None) -> list[str]:
    known = sorted(here.issuers())
    if issuer is None:
        return known
    if issuer not in known:
        raise ConfigurationError(f"reconcile: no issuer {issuer}; known: {', '.join(known) or 'none'}")
    return [issuer]


def _compare(here: Services, issuer: str, *, fix: bool, full: bool) -> Comparison:
    """Compare one issuer; what is wrong with it does not keep the others from being compared."""
    from worker.comparison import Comparison  # noqa: PLC0415 # loaded when it is needed, so that --help is quick

    try:
        return here.reconciling(issuer, fix=fix).compare(full=full)
    except BadgeWorkerError as error:
        return Comparison(issuer, problems=[str(error)])


def _print(reports: Sequence[Comparison]) -> None:
    found = [each for report in reports for each in report.differences]
    if found:
        print_table(f"Differences: {len(found)}", _COLUMNS, map(_cells, found))
    for report in reports:
        since = f" since {report.since:%Y-%m-%d %H:%M:%SZ}" if report.since else ""
        left = count(sum(not each.mended for each in report.differences), "difference")
        compared = count(report.compared, "assertion")
        print(f"issuer {report.issuer}: {compared} compared, by {report.read}{since}; {left} left")


def _cells(found: Difference) -> tuple[object, ...]:
    mark = Text("mended", style="green") if found.mended else ""
    whose = (found.issuer, found.kind.value, found.badge_id, found.user_id, found.assertion_id)
    return *whose, found.detail, mark
