"""The event queue: one port, several brokers."""

from __future__ import annotations

from worker.adapters.queues.amqp import AmqpQueue
from worker.adapters.queues.link import Broker
from worker.adapters.queues.memory import MemoryQueue
from worker.adapters.queues.opening import open_queue
from worker.adapters.queues.others import KombuQueue
from worker.adapters.queues.redis_streams import RedisStreamQueue

__all__ = ["AmqpQueue", "Broker", "KombuQueue", "MemoryQueue", "RedisStreamQueue", "open_queue"]
