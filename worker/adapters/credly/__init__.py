"""The Credly API: the catalogue of badge templates, issued badges, and the port `Provider` on top."""

from worker.adapters.credly.badges import BadgeFilter, Badges
from worker.adapters.credly.filters import TemplateFilter
from worker.adapters.credly.provider import CredlyProvider
from worker.adapters.credly.templates import KnownTemplates, Templates

__all__ = ["BadgeFilter", "Badges", "CredlyProvider", "KnownTemplates", "TemplateFilter", "Templates"]
