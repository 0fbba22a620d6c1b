"""The sandbox's Credly side: badge templates and issued badges below ``/v1`` (facts of seed 002)."""
