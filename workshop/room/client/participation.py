"""A learner's membership in this process: join, report, subscribe, leave."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.commands import command
from workshop.room.client.address import Invitation
from workshop.room.client.membership import Membership, Memberships, new_identity
from workshop.room.client.outbox import Outbox
from workshop.room.client.pauses import Pauses
from workshop.room.client.problems import (
    NotARoomError,
    RejectedError,
    RoomError,
    UnansweredError,
)
from workshop.room.client.refusals import (
    no_answer,
    not_a_room,
    not_left,
    not_stored,
    rejected,
)
from workshop.room.client.reports import Report
from workshop.room.client.status import RoomStatus

if TYPE_CHECKING:
    from workshop.room.client.delivery import Delivery
    from workshop.room.client.subscription import OnEvent, Subscription

_CLOSE_SECONDS = 0.3
_OUTBOXES = "room_outbox"


@dataclass
class _Connection:
    """The threads and the outbox of one membership."""

    membership: Membership
    outbox: Outbox
    delivery: Delivery
    subscription: Subscription | None = None

    def close(self, seconds: float) -> None:
        if self.subscription is not None:
            self.subscription.close()
        self.delivery.close(seconds)


class Participation:
    """The learner's participation in a room, stored in *folder*.

    Until the learner joins, nothing is imported, started, written or sent. Every method
    may be called from any thread, and all except `join` and `leave` return at once.

    Another terminal may join or leave at any time, so the membership is read again
    before each report.
    """

    def __init__(self, folder: Path, pauses: Pauses | None = None) -> None:
        self._folder = folder
        self._memberships = Memberships(folder)
        self._pauses = pauses or Pauses()
        self._lock = threading.RLock()
        self._connection: _Connection | None = None
        self._farewell: threading.Thread | None = None
        self._on_event: OnEvent | None = None
        self._tell_change: Callable[[], None] = lambda: None
        self._ended = False
        self._closed = False

    @property
    def membership(self) -> Membership | None:
        """The learner's membership, or None if they have not joined or have left."""
        membership = self._memberships.load()
        return None if membership is None or membership.leaving else membership

    @property
    def status(self) -> RoomStatus:
        """Whether the room responds, and how many events are pending."""
        with self._lock:
            connection = self._connection
            if connection is None:
                return RoomStatus(ended=self._ended)
            first = connection.subscription or connection.delivery
            online = first.is_online
            waiting = 0 if online else connection.outbox.waiting()
            return RoomStatus(connection.membership, online, waiting)

    def start(self) -> None:
        """Start to send pending events, if the learner has joined a room."""
        with self._lock:
            if self._closed:
                return
            membership = self._memberships.load()
            if membership is not None and membership.leaving:
                self._disconnect()
                self._say_farewell(membership)
                return
            now = self._connection
            if now is not None and now.membership == membership:
                return
            self._disconnect()
            if membership is not None:
                self._connect(membership)

    def listen(self, on_event: OnEvent, changed: Callable[[], None]) -> None:
        """Subscribe to the room and send heartbeats. Watch mode calls this.

        *on_event* is called with each event of the room's stream, and *changed* when
        `status` may have changed. Both are called from other threads.
        """
        with self._lock:
            self._on_event, self._tell_change = on_event, changed
            self._disconnect()
            self.start()

    def report(self, *reports: Report) -> None:
        """Store *reports* and send them in the background, if there is a membership."""
        with self._lock:
            self.start()
            if self._connection is None:
                return
            for report in reports:
                self._connection.outbox.put(report)
            self._connection.delivery.wake()

    def close(self) -> None:
        """Stop, after at most 300 ms for a last attempt to send."""
        with self._lock:
            self._closed = True
            self._tell_change, self._on_event = lambda: None, None
            connection, self._connection = self._connection, None
        deadline = time.monotonic() + _CLOSE_SECONDS
        if connection is not None:
            connection.close(_CLOSE_SECONDS)
        if self._farewell is not None:
            self._farewell.join(max(0.0, deadline - time.monotonic()))

    # Joining and leaving wait for the room.

    def join(self, invitation: Invitation) -> Membership:
        """Join a room. If the learner is in another one, leave it.

        Raises:
            RoomError: Joining failed. The message contains the reason.

        """
        before = self._memberships.load()
        learner, token = new_identity()
        if before is not None and _is_same(before, invitation):
            learner, token = before.learner, before.token
        wanted = Membership(invitation.address, learner, token, invitation.name)
        joined = self._ask_to_join(wanted, invitation.code)
        with self._lock:
            self._disconnect()
            try:
                self._memberships.save(joined)
            except OSError as problem:
                raise RoomError(not_stored(problem)) from None
            self._ended = False
            self.start()
        if before is not None and before.learner != joined.learner:
            self._outbox_of(before).clear()
            with contextlib.suppress(UnansweredError):
                _leave(before, patience_seconds=1.0)
        return joined

    def _ask_to_join(self, wanted: Membership, code: str) -> Membership:
        from workshop.room.client.exchange import Exchange

        tries = 0
        while True:
            tries += 1
            try:
                with Exchange(wanted.address) as exchange:
                    room = exchange.join(wanted, code)
            except ValueError:
                raise RoomError(rejected(422, wanted, code)) from None
            except RejectedError as problem:
                if problem.status != 409 or tries > 1:
                    text = rejected(problem.status, wanted, code, problem.seconds)
                    raise RoomError(text) from None
                # Another learner has this id, so choose a new one.
                learner, token = new_identity()
                wanted = replace(wanted, learner=learner, token=token)
            except NotARoomError as problem:
                raise RoomError(not_a_room(wanted.address, str(problem))) from None
            except UnansweredError as problem:
                # If the response was lost, repeating the request with this id is safe.
                if tries > 1 or problem.how not in ("lost", "garbled"):
                    raise RoomError(_unanswered(wanted.address, problem)) from None
            else:
                return replace(wanted, room=room)

    def leave(self, *, local: bool = False) -> Membership:
        """Delete the learner's data in the room, then on this machine.

        If the room cannot be reached, later commands repeat the request to delete the
        data, and send nothing else. With *local*, only this machine forgets the room.

        Raises:
            RoomError: The learner is not in a room, or it cannot be reached.

        """
        with self._lock:
            membership = self._memberships.load()
            if membership is None:
                join = command("join")
                raise RoomError(f"You are not in a room. To join one: {join}")
            self._disconnect()
            self._outbox_of(membership).clear()
            if not local:
                with contextlib.suppress(OSError):
                    self._memberships.save(replace(membership, leaving=True))
        if not local:
            try:
                _leave(membership)
            except UnansweredError:
                raise RoomError(not_left(membership.address)) from None
        self._memberships.remove(membership)
        self._remove_folder()
        self._tell_change()
        return membership

    # Inside

    def _connect(self, membership: Membership) -> None:
        from workshop.room.client.delivery import Delivery

        outbox = self._outbox_of(membership)
        delivery = Delivery(
            membership,
            outbox,
            changed=lambda: self._tell_change(),
            ended=lambda: self._end(membership),
            pauses=self._pauses,
        )
        connection = self._connection = _Connection(membership, outbox, delivery)
        delivery.start()
        if self._on_event is None:
            return

        from workshop.room.client.subscription import Subscription

        def changed() -> None:
            if subscription.is_online:
                delivery.wake(in_haste=True)
            self._tell_change()

        subscription = connection.subscription = Subscription(
            membership,
            on_event=self._on_event,
            changed=changed,
            ended=lambda: self._end(membership),
            pauses=self._pauses,
        )
        subscription.start()
        delivery.beat()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close(0)
            self._connection = None

    def _end(self, membership: Membership) -> None:
        """Forget a room that does not know the learner."""
        with self._lock:
            self._memberships.remove(membership)
            self._outbox_of(membership).clear()
            now = self._connection
            if now is None or now.membership == membership:
                self._disconnect()
                self._ended = True
        self._tell_change()

    def _say_farewell(self, membership: Membership) -> None:
        """Ask the room once more to delete the data of a learner who has left."""
        if self._farewell is not None:
            return

        def work() -> None:
            with contextlib.suppress(UnansweredError):
                _leave(membership)
                self._memberships.remove(membership)
                self._remove_folder()

        self._farewell = threading.Thread(
            target=work, name="room farewell", daemon=True
        )
        self._farewell.start()

    def _remove_folder(self) -> None:
        with contextlib.suppress(OSError):
            (self._folder / _OUTBOXES).rmdir()

    def _outbox_of(self, membership: Membership) -> Outbox:
        # One folder per learner id: events for one room are never sent to another.
        return Outbox(self._folder / _OUTBOXES / membership.learner)


def _unanswered(address: str, problem: UnansweredError) -> str:
    if problem.how == "garbled":
        return not_a_room(address, "its response has another format")
    return no_answer(address, problem.seconds)


def _is_same(before: Membership, invitation: Invitation) -> bool:
    return before.address == invitation.address and not before.leaving


def _leave(membership: Membership, patience_seconds: float = 5.0) -> None:
    from workshop.room.client.exchange import Exchange

    with Exchange(
        membership.address,
        connect_seconds=patience_seconds,
        read_seconds=patience_seconds,
    ) as exchange:
        exchange.leave(membership)
