"""Ports for servers that a test starts."""

from __future__ import annotations

from worker.adapters.embedded import free_port

__all__ = ["free_port"]
