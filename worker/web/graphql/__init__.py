"""Badges over GraphQL (contract.md section 5)."""

from worker.web.graphql.routes import routes

__all__ = ["routes"]
