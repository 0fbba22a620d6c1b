"""The schema's history, by Alembic alone."""

from worker.adapters.database.migrations.running import config, current, head, upgrade

__all__ = ["config", "current", "head", "upgrade"]
