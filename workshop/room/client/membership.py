"""The file that says which room the learner has joined."""

from __future__ import annotations

import contextlib
import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workshop import files

_OWNER_ONLY = 0o600
_NEEDED = ("address", "learner", "token", "name")


@dataclass(frozen=True)
class Membership:
    """A learner in a room.

    Attributes:
        address: The room's address, without a slash at its end.
        learner: The learner's id, which this machine chose.
        token: The secret that proves it.
        name: The learner's name, as the board shows it.
        room: The room's title.
        leaving: Whether the learner has left, but the room has not confirmed yet that
            it deleted their data. Nothing but the request to delete is sent then.

    """

    address: str
    learner: str
    token: str = field(repr=False)
    name: str = ""
    room: str = ""
    leaving: bool = False

    @property
    def authorization(self) -> str:
        """The header that says who sends a request."""
        return f"Bearer {self.learner}.{self.token}"


def new_identity() -> tuple[str, str]:
    """Return a learner id and a token that nobody else has."""
    return str(uuid.uuid4()), secrets.token_urlsafe(32)


class Memberships:
    """The membership that is stored in *folder*, if there is one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "room.json"

    def load(self) -> Membership | None:
        """Return the membership; None if there is none, or if the file is damaged."""
        try:
            data = json.loads(files.read(self._file).decode("utf-8"))
            texts = {name: data[name] for name in (*_NEEDED, "room")}
            if not all(isinstance(text, str) for text in texts.values()):
                return None
            if not all(texts[name] for name in _NEEDED):
                return None
            return Membership(**texts, leaving=data.get("leaving") is True)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None

    def save(self, membership: Membership) -> None:
        """Store *membership*, which only the learner's account may read.

        Raises:
            OSError: if that fails. Then the old file is as it was.

        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(membership), indent=2) + "\n"
        files.replace(self._file, text.encode(), _OWNER_ONLY)

    def remove(self, membership: Membership) -> None:
        """Remove the file, unless another membership has taken its place."""
        now = self.load()
        if now is None or now.learner != membership.learner:
            return
        with contextlib.suppress(OSError):
            files.patiently(lambda: self._file.unlink(missing_ok=True))
