"""A real Redis."""

from tests.redis_fixtures import own_redis, redis_server, running_redis

__all__ = ["own_redis", "redis_server", "running_redis"]
