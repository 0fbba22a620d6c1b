"""The admin page: awards, dead letters, badges, progress and issuers, to look at instead of typing.

It has no script and no SQL that changes anything: every action is the use case of a command.
"""

from worker.web.admin.mounting import PATH, admin, mount

__all__ = ["PATH", "admin", "mount"]
