# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker awards`: who has earned what, and where it stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from worker.awards import AwardRow, AwardState
from worker.cli.opening import nudge, open_database, open_services
from worker.cli.options import AsJson, RowLimit
from worker.cli.output import (
    TABLE_ROWS,
    count,
    fail,
    fields_of,
    print_fields,
    print_first,
    print_json,
    print_json_list,
    print_table,
)
from worker.cli.revoking import revoke
from worker.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Who has earned what, and where it stands.")
app.command()(revoke)

_Badge = Annotated[str | None, typer.Option(help="Awards of this badge alone.")]
_User = Annotated[str | None, typer.Option(help="Awards of this user alone.")]
_COLUMNS = ("user", "badge", "state", "earned", "issuer", "attempts", "assertion, or what went wrong")


@app.command("list")
def list_awards(
    state: Annotated[AwardState | None, typer.Option(help="Awards in this state alone.")] = None,
    badge: _Badge = None,
    user: _User = None,
    limit: RowLimit = None,
    as_json: AsJson = False,
) -> None:
    """List awards in the order in which they were decided."""
    from worker.adapters.database.listings import AwardFilter

    database = open_database(open_services())
    wanted = AwardFilter(state.value if state else None, badge, user, limit)
    if as_json:
        print_json_list(database.each_award(wanted))
        return
    found = database.list_awards(replace(wanted, limit=limit or TABLE_ROWS + 1))
    print_first("Awards", _COLUMNS, [*map(_cells, found)], limit, lambda: database.number_of_awards(wanted))


def _cells(row: AwardRow) -> tuple[object, ...]:
    last = row.assertion_url or row.last_error
    return row.user_id, row.badge_id, row.state, row.earned_at, row.issuer, row.attempts, last


@app.command()
def show(user: str, badge: str, as_json: AsJson = False) -> None:
    """Show one award with its whole history. Exit code 1 if there is none."""
    from worker.adapters.database.listings import AwardFilter

    database = open_database(open_services())
    found = database.list_awards(AwardFilter(user_id=user, badge_id=badge))
    if not found:
        if as_json:
            print_json(None)
        fail(f"user {user} has no award of badge {badge}")
    history = database.history_of(user, badge)
    if as_json:
        print_json(fields_of(found[0]) | {"history": history})
        return
    print_fields(fields_of(found[0]) | {"because": _because(found[0])})
    rows = ((entry.at, entry.what, entry.actor, _detail(entry.detail)) for entry in history)
    print_table("History", ("at", "what", "by", "detail"), rows)


def _because(row: AwardRow) -> str:
    """Return the activities that counted, a line for each."""
    lines = (f"{each['kind']} {each['object']} (event {each['event']})" for each in row.because)
    return "\n".join(lines) or "-"


def _detail(detail: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())


@app.command()
def retry(
    user: Annotated[str | None, typer.Argument(help="Whose award; with BADGE.")] = None,
    badge: Annotated[str | None, typer.Argument(help="The award of which badge.")] = None,
    of_badge: Annotated[str | None, typer.Option("--badge", help="Failed awards of this badge.")] = None,
    of_user: Annotated[str | None, typer.Option("--user", help="Failed awards of this user.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All failed awards.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put failed awards back, when what they failed at is mended: they are due at once, attempts from zero.

    This ends when they are durably due; the task workers send them. Exit code 1 if USER's award of BADGE is
    not a failed one.
    """
    from worker.adapters.database.listings import AwardFilter

    if (user is None) != (badge is None) or (user is not None) + bool(of_badge or of_user) + every != 1:
        raise ConfigurationError("awards retry: USER and BADGE, or --badge and --user, or --all, please")
    here = open_services()
    database = open_database(here)
    wanted = AwardFilter(user_id=user or of_user, badge_id=badge or of_badge)
    put_back = database.retry(wanted)
    nudge(here)
    if as_json:
        print_json([{"user_id": each, "badge_id": badge_id} for each, badge_id in put_back])
    else:
        print(f"{count(len(put_back), 'award')} put back: due at once, issued as the rate limit allows")
    if user is not None and not put_back:
        fail(_why_not(database.list_awards(wanted), user, badge))


def _why_not(found: list[AwardRow], user: str, badge: str | None) -> str:
    if not found:
        return f"user {user} has no award of badge {badge}"
    return f"user {user}'s award of badge {badge} is {found[0].state}; only a failed one is put back"
