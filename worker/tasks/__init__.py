"""Celery tasks: a few lines each."""
