"""The Badgr API sandbox: a server of its own that knows only HTTP and its own store."""

from __future__ import annotations

from worker.sandbox.app import create_app
from worker.sandbox.options import RateLimit, SandboxOptions, SeedBadgeClass
from worker.sandbox.server import running, serve

__all__ = ["RateLimit", "SandboxOptions", "SeedBadgeClass", "create_app", "running", "serve"]
