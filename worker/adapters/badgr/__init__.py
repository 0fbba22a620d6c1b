"""The Badgr API, as a client.

From the wire up: `deadline` and `http` make one call, `calls` pays for it with a permit, `sign_in` and
`connection` put a token to it, each resource (`assertions`, `badgeclasses`, …) speaks its part of the API,
`client` has them all, and `provider` is what the use cases see. What is sent and read stands in `models`.
"""

from worker.adapters.badgr.client import BadgrClient
from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials

__all__ = ["BadgrClient", "BadgrProvider", "Credentials"]
