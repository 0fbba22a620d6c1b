# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker healthcheck`: for containers."""

from __future__ import annotations

import typer

from worker.cli.options import AsJson
from worker.cli.output import print_json, say


def healthcheck(as_json: AsJson = False) -> None:
    """Say whether the long-running processes in this container make progress: 0 if all of them do.

    That is `consume`, `serve`, and Celery's worker and beat. It asks nobody: a database that is away is no
    reason to start them again. They tell of themselves in the folder for temporary files (TMPDIR, or /tmp).
    """
    from worker.errors import BadgeWorkerError
    from worker.heartbeat import signs

    try:
        found = signs()
    except OSError as error:
        raise BadgeWorkerError(f"cannot see who runs here: {error}") from None
    ok = bool(found) and all(sign.ok for sign in found)
    if as_json:
        processes = [
            {"process": sign.process, "pid": sign.pid, "ok": sign.ok, "detail": sign.said} for sign in found
        ]
        print_json({"ok": ok, "processes": processes})
    else:
        for sign in found:
            print(sign.said)
    if not found:
        say("no long-running process of badge-worker runs in this container, as far as can be seen")
    raise typer.Exit(0 if ok else 1)
