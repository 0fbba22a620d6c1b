"""What a tethered process runs first: tie itself to its parent, then become the command.

A program of its own, run by path with the standard library alone, and not a `preexec_fn`: Python code between
fork and exec may deadlock when the parent has threads.

    launch.py PARENT_PID DEATH_SIGNAL UID GID COMMAND [ARGUMENT ...]      (UID and GID `-`: stay who we are)
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def become_user(uid: int, gid: int) -> None:
    """Give up root for good: groups first, since only root may change them."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def die_with(parent: int, death_signal: int) -> None:
    """Let the kernel send us `death_signal` when the parent's thread that started us ends."""
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None and prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        # It died before we asked, so the kernel will never tell us.
        sys.exit(1)


def main(parent: str, death_signal: str, uid: str, gid: str, *command: str) -> None:
    """Never returns: this process becomes `command`."""
    if uid != "-":
        become_user(int(uid), int(gid))
    # After the change of user, which clears it.
    die_with(int(parent), int(death_signal))
    # Python ignores these two, and what is ignored stays ignored across exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 # there is no shell here, and none is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
