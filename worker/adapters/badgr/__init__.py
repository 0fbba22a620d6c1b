"""The Badgr API, as a client.

From the wire up: `deadline` and `http` make one call, `calls` pays for it with a permit, `sign_in` and
`connection` put a token to it, each resource (`assertions`, `badgeclasses`) speaks its part of the API, and
`provider` is what the use cases see.
"""

from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials

__all__ = ["BadgrProvider", "Credentials"]
