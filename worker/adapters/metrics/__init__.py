"""Metrics for Prometheus: what processes serve, and how things stand when somebody asks."""

from worker.adapters.metrics.exposition import Exposition, answer
from worker.adapters.metrics.server import MetricsServer
from worker.adapters.metrics.state import Source, State

__all__ = ["Exposition", "MetricsServer", "Source", "State", "answer"]
