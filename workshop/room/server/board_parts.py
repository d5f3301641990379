"""The parts of the boards, rendered once and sent to every board that shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from workshop.room.server import sse, views
from workshop.room.server.board import Board, Changes
from workshop.room.server.course import CourseLesson
from workshop.room.server.settings import Settings
from workshop.room.server.store import Room
from workshop.room.server.streams import Streams
from workshop.room.server.templates import render

BOARD = "board:"
PROJECTOR = "projector:"
KINDS = (BOARD, PROJECTOR)
"""The prefixes of the boards' channels."""

_PARTS = {
    BOARD: (
        *("state", "clock", "focus", "queue", "failures", "poll", "sent", "agenda"),
        *("caption", "heads"),
    ),
    PROJECTOR: ("state", "clock", "focus", "steps", "counts", "poll", "announced"),
}


class BoardParts:
    """Renders the parts of the boards, and sends those that have changed.

    The channel `board:03` or `projector:03` is for boards that show lesson 03;
    `board:` and `projector:` follow the room from lesson to lesson. A part is the HTML
    of the element with the same id. `row-<id>` is a learner's row.
    """

    def __init__(
        self,
        board: Board,
        course: Mapping[str, CourseLesson],
        streams: Streams,
        room: Room,
        settings: Settings,
    ) -> None:
        self._board = board
        self._course = course
        self._streams = streams
        self._room = room
        self._settings = settings
        self._is_current = True
        self._notes: dict[UUID, tuple[str, ...]] = {}
        self._sent: dict[str, dict[str, str]] = {}
        self._lessons: dict[str, str] = {}
        self._snapshots: dict[str, tuple[tuple[int, bool, int], bytes]] = {}

    def lesson(self, wanted: str) -> CourseLesson:
        """Return the lesson *wanted* or, without one, the room's current lesson."""
        default = min(self._course)
        number = (
            wanted if wanted in self._course else self._board.common_lesson(default)
        )
        return self._course.get(number) or self._course[default]

    def page(self, kind: str, lesson: CourseLesson) -> dict[str, str]:
        """Return all parts of a board of *lesson*, and its rows as the part `rows`."""
        now = datetime.now(UTC)
        parts = self._parts(kind, lesson, now)
        if kind == BOARD:
            rows = [self._row(it.id, lesson, now) for it in views.by_name(self._board)]
            parts["rows"] = "\n".join(rows)
        return parts

    def snapshot(self, channel: str) -> bytes:
        """Return the event that brings a board in any state up to date."""
        kind, _, number = channel.partition(":")
        minute = int(datetime.now(UTC).timestamp() // 60)
        key = (self._board.seq, self._is_current, minute)
        cached = self._snapshots.get(channel)
        # Hundreds of boards may reconnect at once.
        if cached is not None and cached[0] == key:
            return cached[1]
        parts = self.page(f"{kind}:", self.lesson(number))
        rows = parts.pop("rows", None)
        event = self._event(parts, [], rows)
        self._snapshots[channel] = key, event
        return event

    def publish(self, changes: Changes, *, is_current: bool) -> None:
        """Send every board its parts that *changes* or the time of day affect."""
        self._is_current = is_current
        now = datetime.now(UTC)
        changed = set(changes.learners)
        for learner in self._board.learners.values():
            notes = views.notes(learner, now)
            if self._notes.get(learner.id, ()) != notes:
                self._notes[learner.id] = notes
                changed.add(learner.id)
        gone = changed - self._board.learners.keys()
        for learner_id in gone:
            self._notes.pop(learner_id, None)
        open_now = set()
        for kind in KINDS:
            for channel in self._streams.channels(kind):
                open_now.add(channel)
                lesson = self.lesson(channel.partition(":")[2])
                if self._lessons.setdefault(channel, lesson.number) != lesson.number:
                    # The board shows another lesson now, so send all of it.
                    self._lessons[channel] = lesson.number
                    self._sent[channel] = self._parts(kind, lesson, now)
                    self._streams.send(channel, self.snapshot(channel))
                else:
                    self._send(channel, kind, lesson, changed, now)
        for channel in self._lessons.keys() - open_now:
            del self._lessons[channel]
            self._sent.pop(channel, None)
            self._snapshots.pop(channel, None)

    def _send(
        self,
        channel: str,
        kind: str,
        lesson: CourseLesson,
        changed: set[UUID],
        now: datetime,
    ) -> None:
        parts = self._parts(kind, lesson, now)
        before = self._sent.get(channel)
        self._sent[channel] = parts
        news = {
            name: html
            for name, html in parts.items()
            if before is None or before.get(name) != html
        }
        removed = []
        if kind == BOARD:
            for learner in changed:
                if learner in self._board.learners:
                    news[f"row-{learner}"] = self._row(learner, lesson, now)
                else:
                    removed.append(f"row-{learner}")
        if news or removed:
            self._snapshots.pop(channel, None)
            self._streams.send(channel, self._event(news, removed, None))

    def _event(
        self, parts: dict[str, str], removed: list[str], rows: str | None
    ) -> bytes:
        content: dict[str, Any] = {"parts": parts, "removed": removed}
        if rows is not None:
            content["rows"] = rows
        return sse.event("changes", json.dumps(content), self._board.seq)

    def _row(self, learner: UUID, lesson: CourseLesson, now: datetime) -> str:
        row = views.row(self._board.learners[learner], lesson, now)
        return render("parts/row.html", row=row)

    def _parts(self, kind: str, lesson: CourseLesson, now: datetime) -> dict[str, str]:
        context = self._context(lesson, now)
        return {name: render(f"parts/{name}.html", **context) for name in _PARTS[kind]}

    def _context(self, lesson: CourseLesson, now: datetime) -> dict[str, Any]:
        board = self._board
        poll = board.poll
        question = views.question_of(poll, self._course)
        bars = views.bars(poll, question) if poll and question else []
        learners = board.learners.values()
        return {
            "is_current": self._is_current,
            "room": self._room,
            "address": self._settings.address,
            "course": self._course,
            "lesson": lesson,
            "focus": board.focus,
            "focus_title": views.place_title(board.focus, self._course),
            "timer_ends": board.timer_ends,
            "steps": views.step_counts(board, lesson),
            "queue": views.waiting(board, now),
            "agenda": views.agenda(board, self._course, now),
            "failures": board.shared_failures(lesson.number),
            "on_lesson": sum(
                it.at is not None and it.at[0] == lesson.number for it in learners
            ),
            "joined": len(learners),
            "offline": sum(it.is_offline(now) for it in learners),
            "quiet": sum(
                not it.is_offline(now) and it.is_quiet(now) for it in learners
            ),
            "poll": poll,
            "question": question,
            "bars": bars,
            "votes": 0 if poll is None else len(poll.votes),
            "messages": [
                it
                for it in reversed(board.messages)
                if now - it.at < timedelta(hours=1)
            ][:3],
        }
