"""badge-worker: from learning events to Badgr assertions, each award exactly once."""

from worker.publishing import Publisher, publish

__all__ = ["Publisher", "publish"]
__version__ = "0.1.0"
