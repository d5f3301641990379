"""The room in one worker: its components, and what it sends to learners.

The components are created in the app's lifespan (lesson 02) and closed in reverse
order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import urllib.parse
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import segno
from pydantic import BaseModel
from redis.asyncio import Redis

from workshop.room.protocol import Focus, HelpOffer, Message, NoPoll
from workshop.room.server import sse, views
from workshop.room.server.attempts import Attempts, AttemptsInMemory, AttemptsInRedis
from workshop.room.server.board import Board, Changes, Learner
from workshop.room.server.board_parts import BoardParts
from workshop.room.server.codes import digest, is_same
from workshop.room.server.course import CourseLesson
from workshop.room.server.feed import Feed
from workshop.room.server.records import Draft
from workshop.room.server.settings import Settings
from workshop.room.server.store import Appended, Room, Store, database_engine
from workshop.room.server.streams import Streams
from workshop.room.server.writer import Writer

LEARNERS = "learners"
"""The channel of all learners. `learners:<id>` is the channel of one of them."""

_KEEP_ALIVE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class RoomService:
    """The room, with everything that its routes need."""

    def __init__(
        self,
        settings: Settings,
        room: Room,
        store: Store,
        attempts: Attempts,
        course: Mapping[str, CourseLesson],
    ) -> None:
        self.settings = settings
        self.room = room
        self.store = store
        self.attempts = attempts
        self.course = course
        self.board = Board()
        self.streams = Streams(settings.streams)
        self.parts = BoardParts(self.board, course, self.streams, room, settings)
        self.writer = Writer(store)
        self.feed = Feed(store, self.board, self._publish)
        self.join_address = (
            f"{settings.address}/join?code={urllib.parse.quote(room.code)}"
        )
        self.qr = segno.make(self.join_address, error="m").svg_data_uri(
            border=2, light="white"
        )
        self._tokens: dict[UUID, str] = {}
        self._alive = time.monotonic()
        self._sent: dict[str, str] = {}
        self._last_message = 0

    # Learners

    async def is_learner(self, learner: UUID, token: str) -> bool:
        """Return whether *token* belongs to *learner*."""
        hashed = self._tokens.get(learner) or await self.store.token_of(learner)
        if hashed is None:
            return False
        self._tokens[learner] = hashed
        return is_same(digest(token), hashed)

    async def join(self, learner: UUID, token: str, name: str) -> None:
        """Let *learner* in. Joining again with the same token is allowed.

        Raises:
            LearnerTakenError: A learner with another token has this id.

        """
        await self.store.join(learner, token, name)
        self._tokens[learner] = digest(token)

    async def write(self, drafts: Sequence[Draft]) -> Appended:
        """Store *drafts*, and return once they are committed."""
        appended = await self.writer.write(drafts)
        for stranger in appended.strangers:
            self._tokens.pop(stranger, None)
        return appended

    # What learners receive

    def first_for(self, learner: UUID, last_id: int) -> bytes:
        """Return the first events of a learner's stream.

        *last_id* is the id of the last event that the learner has received, or 0.
        """
        found = [self._event("focus", self._focus())]
        found += [
            self._event("message", Message(text=it.text, by=it.by), it.seq)
            for it in self.board.messages
            if it.seq > last_id and (datetime.now(UTC) - it.at).total_seconds() < 600
        ]
        found.append(self._event(*self._poll()))
        person = self.board.learners.get(learner)
        if person is not None and person.has_asked:
            found.append(self._event("help", _offer(person)))
        return b"".join(found)

    def _focus(self) -> Focus:
        focus = self.board.focus
        return Focus(lesson=focus[0], step=focus[1]) if focus else Focus()

    def _poll(self) -> tuple[str, BaseModel]:
        """Return the name and the content of the event about the poll."""
        poll = views.poll_for_learners(self.board.poll, self.course)
        return ("no_poll", NoPoll()) if poll is None else ("poll", poll)

    def _event(self, name: str, content: BaseModel, seq: int = 0) -> bytes:
        return sse.event(name, content.model_dump_json(), seq or self.board.seq)

    def _publish(self, changes: Changes) -> None:
        try:
            for left in changes.learners - self.board.learners.keys():
                self._tokens.pop(left, None)
            if changes:
                self._publish_to_learners(changes)
            self.parts.publish(changes, is_current=self.feed.is_current)
        except Exception:  # noqa: BLE001 -- logged; the room keeps running
            # A bug must not stop the room. The next interval tries again.
            _log.exception("Could not send changes to boards and learners.")
        if time.monotonic() - self._alive >= _KEEP_ALIVE_SECONDS:
            self._alive = time.monotonic()
            self.streams.keep_alive()

    def _publish_to_learners(self, changes: Changes) -> None:
        if "focus" in changes.parts:
            self.streams.send(LEARNERS, self._event("focus", self._focus()))
        if "message" in changes.parts:
            for it in self.board.messages:
                if it.seq > self._last_message:
                    message = Message(text=it.text, by=it.by)
                    event = self._event("message", message, it.seq)
                    self.streams.send(LEARNERS, event)
                    self._last_message = it.seq
        if "poll" in changes.parts:
            name, poll = self._poll()
            # While the poll is open, a vote changes nothing that learners can see.
            content = poll.model_dump_json()
            if self._sent.get("poll") != content:
                self._sent["poll"] = content
                self.streams.send(LEARNERS, self._event(name, poll))
        for learner in changes.helped:
            person = self.board.learners.get(learner)
            if person is not None:
                offer = self._event("help", _offer(person))
                self.streams.send(f"{LEARNERS}:{learner}", offer)

    async def catch_up(self) -> None:
        """Apply the whole log, without sending old messages again."""
        await self.feed.catch_up()
        # After a restart all learners reconnect at once, so load their tokens now.
        self._tokens = await self.store.tokens()
        messages = self.board.messages
        self._last_message = messages[-1].seq if messages else 0


def _offer(learner: Learner) -> HelpOffer:
    return HelpOffer(by=learner.helper, wanted=learner.help_since is not None)


@asynccontextmanager
async def room_service(
    settings: Settings, course: Mapping[str, CourseLesson], *, new_room: bool = False
) -> AsyncIterator[RoomService]:
    """Create the room's components, and run them until the block ends."""
    async with contextlib.AsyncExitStack() as stack:
        engine = database_engine(settings.database)
        stack.push_async_callback(engine.dispose)
        store = Store(engine)
        room = await store.open(settings.title, new_room=new_room)
        attempts: Attempts = AttemptsInMemory()
        if settings.redis:
            redis = Redis.from_url(
                settings.redis, socket_timeout=0.3, socket_connect_timeout=0.3
            )
            stack.push_async_callback(redis.aclose)
            attempts = AttemptsInRedis(redis)
        service = RoomService(settings, room, store, attempts, course)
        await service.catch_up()
        tasks = [
            asyncio.create_task(service.feed.run(), name="feed"),
            asyncio.create_task(service.writer.run(), name="writer"),
        ]
        stack.push_async_callback(_cancel, tasks)
        yield service
        service.streams.close()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
