"""The sandbox, Badgr and Credly in one: a server of its own that knows only HTTP and its own store."""

from __future__ import annotations

from worker.sandbox.app import create_app
from worker.sandbox.options import RateLimit, SandboxOptions, SeedBadgeClass, SeedTemplate
from worker.sandbox.server import running, serve

__all__ = [
    "RateLimit",
    "SandboxOptions",
    "SeedBadgeClass",
    "SeedTemplate",
    "create_app",
    "running",
    "serve",
]
