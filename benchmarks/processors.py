"""Processor time: what limits a machine, and hardly changed by what else runs on it."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pid: int) -> float:
    """Return the processor time that a process and its children have used, also those that ended."""
    table = _table()
    _, own, ended = table[pid]
    children = sum(ticks for parent, ticks, _ in table.values() if parent == pid)
    return (own + ended + children) / _TICKS


def _table() -> dict[int, tuple[int, int, int]]:
    """Return parent, own ticks and those of children that ended, of each process."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        user, system, children_user, children_system = map(int, fields[11:15])
        found[int(file.parent.name)] = int(fields[1]), user + system, children_user + children_system
    return found
