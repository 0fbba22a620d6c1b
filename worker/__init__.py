"""badge-worker: from learning events to Badgr assertions, each award exactly once."""

__version__ = "0.1.0"
