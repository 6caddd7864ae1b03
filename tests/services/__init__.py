"""Real servers for tests, chaos and bench: PostgreSQL and Redis (or Valkey), each private and on a free port.

`Postgres` and `Redis` start one. Both are context managers that can be stopped, killed, restarted and paused.
"""

from tests.services.postgres import Postgres, PostgresAddress
from tests.services.redis import Redis, RedisAddress
from tests.services.service import MissingError, Service

__all__ = ["MissingError", "Postgres", "PostgresAddress", "Redis", "RedisAddress", "Service"]
