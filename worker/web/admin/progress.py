"""A user's progress: what `badge-worker explain` says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from worker import explaining
from worker.adapters.database.explaining import open_records
from worker.answering import answer, held_up_by, progress
from worker.rules.criteria import AllOf, AnyOf, Holds, Reason, RegisteredFor
from worker.rules.wording import asked, instant, span

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.explaining import Explanation
    from worker.rules.findings import Finding
    from worker.web.admin.desk import Visit

_DAY = 86_400  # seconds
MOST_ACTIVITIES = 50  # on the page


@dataclass(frozen=True, slots=True)
class Line:
    """How far somebody is with one criterion; `depth` is how deep it stands in groups."""

    depth: int
    asks: str
    holds: bool
    wanted: int
    present: int
    there: str
    missing: str
    when: str


def show(visit: Visit) -> Response:
    """Show how far a user is: with one badge in all detail, or with every badge."""
    user, badge = visit.asked("user"), visit.asked("badge")
    known = {"user": user, "badge": badge}
    if user is None:
        return visit.page("progress.html", **known, rows=None)
    try:
        with open_records(visit.database.engine) as records:
            if badge is not None:
                found = explaining.explain(records, user, badge)
            else:
                everything = explaining.explain_all(records, user)
    except LookupError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    if badge is not None:
        return visit.page("explained.html", **known, **_explained(found))
    rows = [(each, _line(each.finding, 0), progress(each), _sentence(answer(each))) for each in everything]
    return visit.page("progress.html", **known, rows=rows)


def _explained(found: Explanation) -> dict[str, object]:
    counting = list(dict.fromkeys(_counting(found.finding)))
    return {
        "found": found,
        "says": _sentence(answer(found)),
        "held_up": [_sentence(each) for each in held_up_by(found)],
        "lines": list(_lines(found.finding)),
        "activities": counting[:MOST_ACTIVITIES],
        "number": len(counting),
    }


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _lines(finding: Finding, depth: int = 0) -> Iterator[Line]:
    yield _line(finding, depth)
    for part in finding.parts:
        yield from _lines(part, depth + 1)


def _line(finding: Finding, depth: int) -> Line:
    group = {AllOf: "all of these", AnyOf: "one of these"}.get(type(finding.criterion))
    say = _age if isinstance(finding.criterion, RegisteredFor) else str
    present = finding.wanted if finding.holds else min(finding.present, finding.wanted)
    return Line(
        depth,
        group or asked(finding.criterion),
        finding.holds,
        finding.wanted,
        present,
        f"{say(finding.present)} of {say(finding.wanted)}",
        say(finding.missing) if finding.missing else "-",
        _when(finding),
    )


def _age(seconds: int) -> str:
    """Return an age to the day, or what is less than one."""
    return span(seconds - seconds % _DAY if seconds > _DAY else seconds)


def _when(finding: Finding) -> str:
    if finding.span is not None:
        first, last = instant(finding.span.start), instant(finding.span.end)
        return f"best span: {finding.span.count} from {first} to {last}"
    at: datetime | None = finding.due_at
    if isinstance(finding.judgement, Holds):
        at = finding.judgement.at
    return instant(at) if at else "-"


def _counting(finding: Finding) -> Iterator[Reason]:
    yield from finding.counting
    for part in finding.parts:
        yield from _counting(part)
