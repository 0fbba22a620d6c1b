"""`badge-worker badgr`: an issuer's own Badgr service, for operators who set it up or look after it."""

from __future__ import annotations

from worker.cli.badgr.application import app

__all__ = ["app"]
