"""`badge-worker reevaluate`: everybody, or one person, against the rules in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from worker.cli.opening import nudge, open_database, open_services
from worker.cli.options import AsJson
from worker.cli.output import count, fail, print_json, print_table, progress, say
from worker.cli.stopping import Stopped
from worker.errors import ConfigurationError, TransientError

if TYPE_CHECKING:
    from worker.adapters.database.store import Database
    from worker.ports import Evaluation


def reevaluate(
    badge: Annotated[str | None, typer.Option(help="For this badge alone.")] = None,
    user: Annotated[str | None, typer.Option(help="This user alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate everybody (or one user) against the rules in force; award what they have earned by now.

    Events are taken in meanwhile. What is interrupted goes on where it was: by this command again, or by
    the task workers, who help anyway where there are any. Normally nothing is found.
    """
    here = open_services()
    database = open_database(here)
    chosen = _chosen(database, badge)
    if user is not None:
        awards = _one(database, user, chosen)
        found: list[Evaluation] = []
    else:
        awards, found = _everybody(database, chosen)
    nudge(here)
    if as_json:
        print_json({"new_awards": awards, "badges": [_described(each) for each in found]})
        return
    if found:
        print_table("Everybody was evaluated", _COLUMNS, map(_cells, found))
    print(count(awards, "new award"))


_COLUMNS = ("badge", "people", "new awards")


def _chosen(database: Database, badge: str | None) -> list[str] | None:
    if badge is None:
        return None
    known = {row.badge_id: row.status for row in database.list_badges()}
    if known.get(badge) != "published":
        said = "disabled: nobody earns it" if badge in known else "not among those applied"
        raise ConfigurationError(f"reevaluate: badge {badge}: {said}")
    return [badge]


def _one(database: Database, user: str, chosen: Sequence[str] | None) -> int:
    from worker.reevaluation import reevaluate_user  # noqa: PLC0415 # loaded when it is needed: --help is quick

    try:
        return reevaluate_user(database, user, chosen)
    except LookupError:
        fail(f"no user {user}")


def _everybody(database: Database, chosen: Sequence[str] | None) -> tuple[int, list[Evaluation]]:
    """Evaluate everybody; return the new awards, with those that others made meanwhile, and how it ended."""
    from worker import reevaluation  # noqa: PLC0415 # loaded when it is needed: --help is quick
    from worker.ports import Reason  # noqa: PLC0415 # likewise

    noted = database.evaluate_all(Reason.ASKED, chosen, None)
    with everybody("evaluating everybody") as show:
        try:
            ended = list(reevaluation.work_off(database, noted, show))
        except (Stopped, TransientError):
            say("what is left is noted: `reevaluate` again goes on with it, and so does beat")
            raise
    standings = [each.standing for each in ended]
    return sum(each.found for each in standings), standings


def _described(ended: Evaluation) -> dict[str, object]:
    return {
        "badge_id": ended.badge_id,
        "version": ended.version,
        "people": ended.looked_at,
        "new_awards": ended.found,
    }


def _cells(ended: Evaluation) -> tuple[object, ...]:
    return ended.badge_id, ended.looked_at, ended.found


@contextmanager
def counting(what: str) -> Iterator[Callable[[str, int, int, int], None]]:
    """Show a progress bar while the block runs.

    Gives what to tell a badge to, of how many people it is, how many were looked at and how many gain it.
    """
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with progress(*columns) as display:
        task = display.add_task(what, total=None)

        def show(badge_id: str, people: int, looked_at: int, gain: int) -> None:
            said = f"{what} for {badge_id}: {gain} gain it"
            display.update(task, description=said, completed=looked_at, total=max(people, looked_at))

        yield show


@contextmanager
def everybody(what: str) -> Iterator[Callable[[Evaluation], None]]:
    """Show a progress bar while the block runs; gives what to tell to how far an evaluation is."""
    with counting(what) as show:
        yield lambda each: show(each.badge_id, each.people, each.looked_at, each.found)
