"""The thread that receives a learner's events from the room."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workshop.room.client.event_stream import EventStream, ServerEvent
from workshop.room.client.membership import Membership
from workshop.room.client.pauses import Pauses
from workshop.room.client.problems import UnansweredError, UnknownLearnerError

if TYPE_CHECKING:
    from workshop.room.client.exchange import Exchange
    from workshop.room.protocol import Focus, HelpOffer, Message, NoPoll, Poll

    RoomEvent = Focus | Message | Poll | NoPoll | HelpOffer

OnEvent = Callable[["RoomEvent"], None]


class Subscription:
    """Subscribes to the room's stream of events, and reconnects whenever it ends.

    It calls *on_event* with each event as a model of the protocol, *changed* when the
    connection opens or is lost, and *ended* if the room does not know the learner.

    Attributes:
        is_online: Whether the stream is open; None before the first attempt.

    """

    def __init__(
        self,
        membership: Membership,
        *,
        on_event: OnEvent,
        changed: Callable[[], None],
        ended: Callable[[], None],
        pauses: Pauses,
    ) -> None:
        self.is_online: bool | None = None
        self._membership = membership
        self._on_event = on_event
        self._changed = changed
        self._ended = ended
        self._pauses = pauses
        self._closing = threading.Event()
        self._socket: socket.socket | None = None
        self._failures = 0
        self._last_id = ""
        self._retry_seconds: float | None = None
        self._messages: deque[str] = deque(maxlen=100)
        self._thread = threading.Thread(
            target=self._work, name="room subscription", daemon=True
        )

    def start(self) -> None:
        """Start to receive events."""
        self._thread.start()

    def close(self) -> None:
        """Stop receiving. Returns at once."""
        self._closing.set()
        connection = self._socket
        if connection is not None:
            # Wake the thread, which is waiting for the next byte.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def join(self, seconds: float) -> bool:
        """Wait until the thread ends; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # Everything below runs in the thread.

    def _work(self) -> None:
        try:
            from workshop.room.client.exchange import SILENCE_SECONDS, Exchange

            address = self._membership.address
            with Exchange(address, read_seconds=SILENCE_SECONDS) as exchange:
                while not self._closing.is_set():
                    self._follow(exchange)
                    asked = self._retry_seconds
                    self._closing.wait(self._pauses.after(self._failures, asked))
        except UnknownLearnerError:
            if not self._closing.is_set():
                self._ended()
        except Exception:  # noqa: BLE001 -- a bug here must not disturb the learner
            self._set_online(False)

    def _follow(self, exchange: Exchange) -> None:
        """Receive events until the stream ends for any reason."""
        asked = None
        try:
            with exchange.stream(self._membership, self._last_id) as response:
                self._socket = _socket_of(response)
                stream = EventStream(self._last_id)
                self._failures = 0
                self._set_online(True)
                for chunk in response.iter_raw():
                    for event in stream.feed(chunk):
                        self._tell(event)
                    self._last_id = stream.last_id
                    self._retry_seconds = stream.retry_seconds
        except UnansweredError as problem:
            asked = problem.seconds
        finally:
            self._socket = None
        self._failures += 1
        if asked is not None:
            self._retry_seconds = asked
        if not self._closing.is_set():
            self._set_online(False)

    def _tell(self, event: ServerEvent) -> None:
        from pydantic import ValidationError

        from workshop.room.protocol import STREAMED

        model: Any = STREAMED.get(event.name)
        if model is None or self._closing.is_set():
            return  # `bye`, before the stream ends, or an event of a newer version
        if event.name == "message" and event.id:
            # After a reconnect the room repeats the last messages.
            if event.id in self._messages:
                return
            self._messages.append(event.id)
        try:
            content = model.model_validate_json(event.data, extra="ignore")
        except ValidationError:
            return
        self._on_event(content)

    def _set_online(self, is_online: bool) -> None:
        if self.is_online != is_online:
            self.is_online = is_online
            self._changed()


def _socket_of(response: Any) -> socket.socket | None:
    """Return the socket that *response* is read from, if it has one."""
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None
