"""An issuer's rate limit: leave to call, shared by every process (design.md section 3)."""

from worker.adapters.permits.limits import RateLimit
from worker.adapters.permits.memory import MemoryPermits
from worker.adapters.permits.patient import PatientPermits
from worker.adapters.permits.shared import RedisPermits

__all__ = ["MemoryPermits", "PatientPermits", "RateLimit", "RedisPermits"]
