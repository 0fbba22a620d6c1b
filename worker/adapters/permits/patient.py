"""Permits for work that has time: a comparison waits for its turn instead of giving up half-way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.ports import Leeway, Permit, Permits

_PATIENCE = 150.0  # seconds: two windows and a little


class PatientPermits:
    """Implements ports.Permits on top of others."""

    def __init__(self, permits: Permits, patience: float = _PATIENCE) -> None:
        self._permits = permits
        self._patience = patience

    def acquire(self, issuer: str, wait: float) -> Permit:
        """Take a permit, however long the caller thinks that it may take; raises NoPermit in the end."""
        return self._permits.acquire(issuer, max(wait, self._patience))

    def room(self, issuer: str, within: float) -> int:
        """Count the permits that can be had within so many seconds."""
        return self._permits.room(issuer, within)

    def leeway(self, issuer: str) -> Leeway:
        """Look how the issuer's limit stands."""
        return self._permits.leeway(issuer)

    def pause(self, issuer: str, seconds: float) -> None:
        """Let nobody call this issuer for so long."""
        self._permits.pause(issuer, seconds)

    def failed(self, issuer: str) -> int:
        """Note one more call in a row that failed."""
        return self._permits.failed(issuer)

    def succeeded(self, issuer: str) -> None:
        """Note that a call went well."""
        self._permits.succeeded(issuer)
