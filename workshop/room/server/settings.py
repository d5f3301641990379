"""The server's settings, passed to its workers in an environment variable."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "WORKSHOP_ROOM_SETTINGS"


@dataclass(frozen=True)
class Settings:
    """The settings of the room's server.

    Attributes:
        database: The SQLAlchemy URL of its database.
        redis: The URL of the Redis that counts wrong codes for all workers, or "".
        title: The room's new title; "" keeps its title.
        address: The URL that learners open, such as `http://192.0.2.7:8080`.
        proxies: The proxies whose `X-Forwarded-For` is trusted, or "".
        secure: Whether browsers use HTTPS.
        streams: The maximum number of open streams per worker.
        bundle: The folder that `/bundle` serves, or "".
        site: The folder of the built site, served at `/course/`. It may be missing.

    """

    database: str
    redis: str = ""
    title: str = ""
    address: str = ""
    proxies: str = ""
    secure: bool = False
    streams: int = 2_000
    bundle: str = ""
    site: str = ""

    @property
    def has_site(self) -> bool:
        """Whether the site is built now."""
        return bool(self.site) and Path(self.site, "index.html").is_file()

    def to_environment(self) -> None:
        """Store the settings in the environment, for the workers."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings that `to_environment` has stored."""
        return cls(**json.loads(os.environ[VARIABLE]))
