# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker publish`: events from a file to the event queue."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from worker.cli.opening import open_services
from worker.cli.options import AsJson
from worker.cli.output import count, print_json, printable, progress, say
from worker.errors import InvalidEvent, QueueUnavailable

_BLOCK = 1024 * 1024  # bytes that are read, and sent, at once: a round trip for each line would be slow
_LONGEST_LINE = 16 * 1024 * 1024  # bytes; of a file that has no line breaks, no more than that is kept


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that is no event, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of a file's lines. `unknown` counts accepted events of types that are not ours.

    `refused` is None where nobody will read the list: a file of nothing but bad lines would fill the memory.
    """

    file: str
    refused: list[RefusedLine] | None
    refused_total: int = 0
    lines: int = 0
    accepted: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    error: str | None = None


def publish(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="Events as JSON lines; - for stdin.")],
    raw: Annotated[bool, typer.Option("--raw", help="Send every line as it is, unchecked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put events on the event queue, where they are durable when this ends.

    Each line is checked first: a bad one is named on stderr and left out, and the exit code is 1. Publishing
    a file twice does no harm, since an event that comes again counts once. A file may be of any size; a line
    of more than 16 MiB is never sent.
    """
    queue = open_services().queue
    report = Report(getattr(file, "name", "<stdin>"), [] if as_json else None)
    try:
        with _bar(file) as bar:
            for lines in _read(file, bar):
                _publish(lines, report, queue.publish, raw=raw)
        queue.close()
    except QueueUnavailable as error:
        report.error = f"the event queue cannot be reached: {error}"
    finally:  # a signal, too, is told how far it came
        _tell(report, as_json=as_json)
    raise typer.Exit(1 if report.error or report.refused_total else 0)


def _bar(file: io.BufferedReader) -> Progress:
    """Return a progress bar over the file's bytes; a stream has no end to show."""
    columns = (TextColumn("publishing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    bar = progress(*columns)
    try:
        size = os.fstat(file.fileno()).st_size or None
    except (OSError, io.UnsupportedOperation):
        size = None
    bar.add_task("publishing", total=size)
    return bar


def _read(file: io.BufferedReader, bar: Progress) -> Iterator[list[bytes]]:
    """Give the lines of each block, without their line breaks: of a pipe, all that is there by now.

    Of a line that is too long, only so much is kept that this can be seen.
    """
    rest = b""
    while block := file.read1(_BLOCK):
        if len(rest) <= _LONGEST_LINE or b"\n" in block:
            *lines, rest = (rest + block).split(b"\n")
            yield lines
        bar.advance(bar.task_ids[0], len(block))
    if rest:
        yield [rest]


def _publish(
    lines: Iterable[bytes], report: Report, send: Callable[[list[bytes]], int], *, raw: bool
) -> None:
    bodies = []
    for line in lines:
        report.lines += 1
        body = line.rstrip(b"\r")
        if len(body) > _LONGEST_LINE:
            _refuse(report, f"body: more than {_LONGEST_LINE} bytes in one line")
        elif body and not body.isspace() and (raw or _is_event(body, report)):
            bodies.append(body)
    if bodies:
        report.accepted += send(bodies)


def _refuse(report: Report, reason: str) -> None:
    report.refused_total += 1
    if report.refused is not None:
        report.refused.append(RefusedLine(report.lines, reason))
    print(f"{report.file}:{report.lines}: {printable(reason)}", file=sys.stderr)


def _is_event(body: bytes, report: Report) -> bool:
    """Say whether the line is one, and name it if not."""
    from worker.events import UnknownEvent, parse_event

    try:
        event = parse_event(body, datetime.now(UTC))
    except InvalidEvent as error:
        _refuse(report, str(error))
        return False
    if isinstance(event, UnknownEvent):
        report.unknown[event.type] += 1
    return True


def _tell(report: Report, *, as_json: bool) -> None:
    if report.error:
        say(f"{report.error}; accepted so far: {report.accepted}, of {report.lines} lines read")
    if as_json:
        print_json(report)
        return
    print(f"{count(report.accepted, 'event')} accepted, {report.refused_total} refused")
    if report.unknown:
        types = ", ".join(f"{printable(name)} ({times})" for name, times in report.unknown.most_common())
        say(f"{report.unknown.total()} of them are of types that the worker passes over: {types}")
