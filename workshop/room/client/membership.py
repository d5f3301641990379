"""The file with the room that the learner has joined."""

from __future__ import annotations

import contextlib
import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workshop import files
from workshop.room.client import FILE
from workshop.room.client.address import address_and_code

_OWNER_ONLY = 0o600
_NEEDED = ("address", "learner", "token", "name")


@dataclass(frozen=True)
class Membership:
    """A learner in a room.

    Attributes:
        address: The room's address, without a trailing slash.
        learner: The learner's id, chosen by this machine.
        token: The secret that authenticates the learner.
        name: The learner's name, as the board shows it.
        room: The room's title.
        leaving: Whether the learner has left, but the room has not confirmed yet that
            it has deleted their data. Then only the request to delete is sent.

    """

    address: str
    learner: str
    token: str = field(repr=False)
    name: str = ""
    room: str = ""
    leaving: bool = False

    @property
    def authorization(self) -> str:
        """The value of the `Authorization` header."""
        return f"Bearer {self.learner}.{self.token}"


def new_identity() -> tuple[str, str]:
    """Return a new learner id and a random token."""
    return str(uuid.uuid4()), secrets.token_urlsafe(32)


class Memberships:
    """The membership that is stored in *folder*, if there is one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def load(self) -> Membership | None:
        """Return the membership, or None if the file is missing or damaged."""
        try:
            data = json.loads(files.read(self._file).decode("utf-8"))
            texts = {name: data[name] for name in (*_NEEDED, "room")}
            if not all(isinstance(text, str) for text in texts.values()):
                return None
            if not all(texts[name] for name in _NEEDED):
                return None
            uuid.UUID(texts["learner"])
            address_and_code(texts["address"])
            return Membership(**texts, leaving=data.get("leaving") is True)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def save(self, membership: Membership) -> None:
        """Store *membership* in a file that only the learner's account can read.

        Raises:
            OSError: The file cannot be written. The old file is unchanged.

        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(membership), indent=2) + "\n"
        files.replace(self._file, text.encode(), _OWNER_ONLY)

    def remove(self, membership: Membership) -> None:
        """Remove the file, unless it contains another membership now."""
        now = self.load()
        if now is None or now.learner != membership.learner:
            return
        with contextlib.suppress(OSError):
            files.patiently(lambda: self._file.unlink(missing_ok=True))
