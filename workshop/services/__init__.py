"""The database and Redis that lessons run against: one's own, or embedded ones.

``WORKSHOP_DATABASE_URL`` and ``WORKSHOP_REDIS_URL`` name one's own. Without them
nothing has to be installed or running: SQLite files, a real PostgreSQL from a wheel,
and a real Valkey from another are started here and ended here.
"""

from workshop.services.database import database_server
from workshop.services.redis import redis_server
from workshop.services.service import Service, ServiceError

__all__ = ["Service", "ServiceError", "database_server", "redis_server"]
