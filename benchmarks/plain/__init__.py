"""The plain design, as a fair baseline: one Celery task and one transaction an event."""
