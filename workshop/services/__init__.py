"""The database and Redis that lessons use: the learner's own servers or embedded ones.

`WORKSHOP_DATABASE_URL` and `WORKSHOP_REDIS_URL` name the learner's own. Without them
nothing has to be installed or running: the workshop uses SQLite files, and starts and
stops a real PostgreSQL and a real Valkey, which come in wheels.
"""

from workshop.services.database import database_server
from workshop.services.redis import is_redis_given, redis_environment, redis_server
from workshop.services.service import Service, ServiceError

__all__ = [
    "Service",
    "ServiceError",
    "database_server",
    "is_redis_given",
    "redis_environment",
    "redis_server",
]
