"""The settings of the server. Its workers get them in environment variables."""

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
        database: The URL of its database, for SQLAlchemy.
        redis: The URL of the Redis that counts wrong codes for all workers, or "".
        title: What the room is called.
        address: Where learners reach it: `http://192.0.2.7:8080`.
        proxies: The proxies whose `X-Forwarded-For` is believed, or "".
        secure: Whether browsers reach it by HTTPS.
        streams: How many streams each worker keeps open.
        bundle: The folder that `/bundle` offers, or "".
        site: The folder of the built site, for `/course/`. It may still be missing.

    """

    database: str
    redis: str = ""
    title: str = "Async FastAPI"
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
        """Put the settings where the workers find them."""
        os.environ[VARIABLE] = json.dumps(asdict(self))

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings that `to_environment` has put there."""
        return cls(**json.loads(os.environ[VARIABLE]))
