"""A room that really runs, and the learners and instructors who use it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import uvicorn

from workshop.room.server.app import create_app
from workshop.room.server.course import CourseLesson, Question
from workshop.room.server.service import RoomService
from workshop.room.server.settings import Settings
from workshop.room.server.shown import until_shown

QUESTION = Question(
    "A show is sold out.\n\n"
    "```python\nif not seats:\n    seats = await query()\n```\n\n"
    "How many times is the database queried?",
    {"A": "Once, because `[]` is stored.", "B": "A thousand times.", "C": "Never."},
    "B",
    {
        "A": "A assumes that a stored value is also used.",
        "C": "C forgets the first request.",
    },
)
COURSE: Mapping[str, CourseLesson] = {
    "01": CourseLesson("01", "Sessions", 45, ("Commit first", "Leave nothing"), None),
    "06": CourseLesson(
        "06",
        "A cache",
        60,
        ("Close it", "Share it"),
        QUESTION,
        page="06_redis_cache.html",
    ),
}
"""Two lessons with two steps each. The first one has no question."""


class RunningRoom:
    """The room's server on a free port of this machine, in a thread.

    It can be stopped and started again, on the same port and with the same database.
    *options* are those of `uvicorn.Config`.
    """

    def __init__(
        self,
        settings: Settings,
        course: Mapping[str, CourseLesson] = COURSE,
        **options: Any,
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._settings = replace(settings, address=settings.address or self.address)
        self._course = course
        self._options = options
        self.start()

    @property
    def service(self) -> RoomService:
        """The service of the running app."""
        return self._app.state.service  # type: ignore[no-any-return]

    @property
    def database(self) -> Path:
        """The file of its database."""
        return Path(self._settings.database.partition(":///")[2])

    def start(self) -> None:
        """Start the server, and return when it accepts connections."""
        self._app = create_app(self._settings, self._course)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                port=self.port,
                # Nothing of uvicorn's loggers may be set: they are this process's.
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
                server_header=False,
                **{"proxy_headers": False, **self._options},
            )
        )
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve(ready)])
        self._thread.start()
        ready.wait()
        assert self._server.started, "the room did not start; see above"

    async def _serve(self, ready: threading.Event) -> None:
        self.loop = asyncio.get_running_loop()
        server = self._server

        async def startup(sockets: list[socket.socket] | None = None) -> None:
            await type(server).startup(server, sockets)
            ready.set()

        server.startup = startup  # type: ignore[method-assign]
        try:
            await server.serve()
        finally:
            ready.set()

    def catch_up(self) -> None:
        """Wait until the board shows all that is stored."""
        shown = until_shown(self.service)
        asyncio.run_coroutine_threadsafe(shown, self.loop).result()

    def stop(self) -> None:
        """Stop the server as Ctrl-C does, and wait for its end."""
        # Only the main thread can have the signal handler that closes the streams.
        self.loop.call_soon_threadsafe(self.service.streams.close)
        self._server.should_exit = True
        self._thread.join()

    def client(self, **options: Any) -> httpx2.Client:
        """Return an HTTP client of the room, without cookies."""
        # Certificates take long to load, and nobody needs them here.
        options = {"verify": False, "trust_env": False, **options}
        return httpx2.Client(base_url=self.address, **options)


@contextlib.contextmanager
def running_room(
    settings: Settings, course: Mapping[str, CourseLesson] = COURSE, **options: Any
) -> Iterator[RunningRoom]:
    """Run a room in the block."""
    room = RunningRoom(settings, course, **options)
    try:
        yield room
    finally:
        room.stop()


@dataclass
class Learner:
    """A learner, whose program calls the room as watch mode does."""

    client: httpx2.Client
    name: str
    id: UUID = field(default_factory=uuid4)
    token: str = field(default_factory=lambda: f"{uuid4().hex}{uuid4().hex}")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request."""
        return {"Authorization": f"Bearer {self.id}.{self.token}"}

    def join(self, code: str) -> httpx2.Response:
        """Join the room."""
        asked = {
            "code": code,
            "learner": str(self.id),
            "token": self.token,
            "name": self.name,
        }
        return self.client.post("/api/join", json=asked)

    def send(self, *events: dict[str, Any]) -> httpx2.Response:
        """Send events. Those without id and time get one."""
        batch = [
            {"id": str(uuid4()), "at": datetime.now(UTC).isoformat(), **event}
            for event in events
        ]
        return self.client.post(
            "/api/events", json={"events": batch}, headers=self.headers
        )

    def opened(self, lesson: str, step: int) -> dict[str, Any]:
        """Return the event of a step that was opened."""
        return {"kind": "opened", "lesson": lesson, "step": step}

    def judged(self, lesson: str, step: int, *failed: str) -> dict[str, Any]:
        """Return the event of a verdict. It passed if nothing *failed*."""
        return {
            "kind": "judged",
            "lesson": lesson,
            "step": step,
            "passed": not failed,
            "failed": failed,
            "seconds": 1.5,
        }


def log_in(client: httpx2.Client, room: RunningRoom, name: str = "Iris") -> None:
    """Give *client* the cookie of the board."""
    secret = room.service.room.secret
    response = client.post("/board/login", data={"secret": secret, "name": name})
    assert response.status_code == 303
