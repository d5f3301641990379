"""The state of the room, computed from the records of its log.

It does no I/O and has no clock: `Board.apply` takes one record after the other, and
functions that depend on the time of day take it as an argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from workshop.room.server.records import Record

QUIET = timedelta(minutes=8)
"""A learner who has done nothing for this long is marked as quiet."""

OFFLINE = timedelta(seconds=90)
"""A learner who has sent nothing for three heartbeats is marked as offline."""

MESSAGES_KEPT = 20


@dataclass(eq=False)
class Learner:
    """One learner.

    Attributes:
        active: When the server last received an event other than a heartbeat.
        seen: When the server last received any event, including heartbeats.
        at: The current lesson and step.
        passed: The steps that have passed, as (lesson, step).
        failed: The names of the tests that failed in the last verdict, by step.
        hints: The highest hint that they have read, by step.
        solutions: The lessons whose solution they have opened.
        help_since: When they asked for help, or None.
        helper: The name of the helper who is coming, or "".
        has_asked: Whether they have ever asked for help.

    """

    id: UUID
    name: str
    active: datetime
    seen: datetime
    at: tuple[str, int] | None = None
    passed: set[tuple[str, int]] = field(default_factory=set)
    failed: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    hints: dict[tuple[str, int], int] = field(default_factory=dict)
    solutions: set[str] = field(default_factory=set)
    help_since: datetime | None = None
    helper: str = ""
    has_asked: bool = False

    def is_quiet(self, now: datetime) -> bool:
        """Return whether the learner has done nothing for `QUIET`."""
        return now - self.active >= QUIET

    def is_offline(self, now: datetime) -> bool:
        """Return whether the learner has sent nothing for `OFFLINE`."""
        return now - self.seen >= OFFLINE


@dataclass(eq=False)
class BoardPoll:
    """A poll on the question of a lesson, with each learner's vote."""

    id: UUID
    lesson: str
    is_open: bool = True
    votes: dict[UUID, str] = field(default_factory=dict)

    def counts(self) -> Counter[str]:
        """Return the number of votes for each letter."""
        return Counter(self.votes.values())


@dataclass(frozen=True)
class BoardMessage:
    """A message to everyone, with the sequence number of its record."""

    seq: int
    at: datetime
    text: str
    by: str


@dataclass
class Changes:
    """The changes that records have made.

    Attributes:
        learners: The ids of the learners who have changed.
        parts: The changed parts of the room: `focus`, `message`, `poll`, `timer`.
        helped: The ids of the learners whose request for help has changed.

    """

    learners: set[UUID] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    helped: set[UUID] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether anything has changed."""
        return bool(self.learners or self.parts or self.helped)


class Board:
    """The state of the room after record number `seq`.

    `begun` contains the time at which each lesson was first set for everyone.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.learners: dict[UUID, Learner] = {}
        self.focus: tuple[str, int] | None = None
        self.messages: list[BoardMessage] = []
        self.poll: BoardPoll | None = None
        self.timer_ends: datetime | None = None
        self.begun: dict[str, datetime] = {}

    def apply(self, record: Record, changes: Changes) -> None:
        """Apply *record* to the state, and add what it changes to *changes*."""
        self.seq = record.seq
        if record.actor is None:
            self._apply_instructors(record, changes)
        else:
            self._apply_learners(record.actor, record, changes)

    def apply_all(self, records: Iterable[Record]) -> Changes:
        """Apply *records* and return what has changed."""
        changes = Changes()
        for record in records:
            self.apply(record, changes)
        return changes

    def _apply_learners(self, actor: UUID, record: Record, changes: Changes) -> None:
        kind, data = record.kind, record.data
        if kind == "joined":
            learner = self.learners.get(actor)
            if learner is None:
                self.learners[actor] = Learner(
                    actor, data["name"], record.received, record.received
                )
            else:
                learner.name = data["name"]
        elif kind == "left":
            self.learners.pop(actor, None)
            if self.poll is not None and self.poll.votes.pop(actor, ""):
                changes.parts.add("poll")
        elif (learner := self.learners.get(actor)) is not None:
            learner.seen = record.received
            if kind != "heartbeat":
                learner.active = record.received
            if kind == "vote":
                if self._vote(actor, data):
                    changes.parts.add("poll")
            elif kind in _LEARNERS:
                _LEARNERS[kind](learner, data, record)
                if kind == "help":
                    changes.helped.add(actor)
        else:
            return  # the learner has left
        changes.learners.add(actor)

    def _vote(self, actor: UUID, data: dict[str, Any]) -> bool:
        poll = self.poll
        if poll is None or not poll.is_open or str(poll.id) != data["poll"]:
            return False
        poll.votes[actor] = data["choice"]
        return True

    def _apply_instructors(self, record: Record, changes: Changes) -> None:
        kind, data = record.kind, record.data
        if kind == "focus":
            self.focus = (data["lesson"], data["step"]) if data["lesson"] else None
            if self.focus is not None:
                self.begun.setdefault(self.focus[0], record.at)
            changes.parts.add("focus")
        elif kind == "message":
            message = BoardMessage(record.seq, record.at, data["text"], data["by"])
            self.messages = [*self.messages, message][-MESSAGES_KEPT:]
            changes.parts.add("message")
        elif kind == "poll":
            self.poll = BoardPoll(record.id, data["lesson"])
            changes.parts.add("poll")
        elif kind == "poll_closed":
            if self.poll is not None and str(self.poll.id) == data["poll"]:
                self.poll.is_open = False
                changes.parts.add("poll")
        elif kind == "poll_removed":
            if self.poll is not None and str(self.poll.id) == data["poll"]:
                self.poll = None
                changes.parts.add("poll")
        elif kind == "timer":
            ends = data["ends"]
            self.timer_ends = datetime.fromisoformat(ends) if ends else None
            changes.parts.add("timer")
        elif kind in ("claim", "answered"):
            learner = self.learners.get(UUID(data["learner"]))
            if learner is None or learner.help_since is None:
                return
            if kind == "claim":
                learner.helper = data["by"]
            else:
                learner.help_since, learner.helper = None, ""
            changes.learners.add(learner.id)
            changes.helped.add(learner.id)

    # What the board shows

    def help_queue(self) -> list[Learner]:
        """Return the learners who need help, in the order in which they asked."""
        waiting = [it for it in self.learners.values() if it.help_since is not None]
        return sorted(waiting, key=lambda it: (it.help_since, it.name))

    def shared_failures(self, lesson: str, limit: int = 5) -> list[tuple[str, int]]:
        """Return the tests of *lesson* that are failing for most learners, with counts.

        Only each learner's current step counts. Tests that fail for a single learner
        are left out.
        """
        counts: Counter[str] = Counter()
        for learner in self.learners.values():
            if learner.at is not None and learner.at[0] == lesson:
                counts.update(set(learner.failed.get(learner.at, ())))
        shared = [(test, number) for test, number in counts.items() if number > 1]
        return sorted(shared, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def on_steps(self, lesson: str) -> Counter[int]:
        """Return how many learners work on each step of *lesson*."""
        places = [it.at for it in self.learners.values() if it.at is not None]
        return Counter(step for name, step in places if name == lesson)

    def passed_steps(self, lesson: str) -> Counter[int]:
        """Return how many learners have passed each step of *lesson*."""
        return Counter(
            step
            for learner in self.learners.values()
            for name, step in learner.passed
            if name == lesson
        )

    def common_lesson(self, default: str) -> str:
        """Return the lesson set for everyone, or else the most common one."""
        if self.focus is not None:
            return self.focus[0]
        counts = Counter(it.at[0] for it in self.learners.values() if it.at is not None)
        if not counts:
            return default
        return max(counts, key=lambda lesson: (counts[lesson], lesson))


def _place(data: dict[str, Any]) -> tuple[str, int]:
    return data["lesson"], data["step"]


def _opened(learner: Learner, data: dict[str, Any], record: Record) -> None:
    learner.at = _place(data)


def _judged(learner: Learner, data: dict[str, Any], record: Record) -> None:
    place = _place(data)
    if data["passed"]:
        learner.passed.add(place)
        learner.failed.pop(place, None)
    else:
        # A later save may break a step that had passed.
        learner.passed.discard(place)
        learner.failed[place] = tuple(data["failed"])
    if learner.at is None or learner.at[0] != place[0]:
        learner.at = place


def _hint(learner: Learner, data: dict[str, Any], record: Record) -> None:
    place = _place(data)
    learner.hints[place] = max(data["rung"], learner.hints.get(place, 0))


def _solution(learner: Learner, data: dict[str, Any], record: Record) -> None:
    learner.solutions.add(data["lesson"])


def _help(learner: Learner, data: dict[str, Any], record: Record) -> None:
    learner.has_asked = True
    if not data["wanted"]:
        learner.help_since, learner.helper = None, ""
    elif learner.help_since is None:
        learner.help_since = record.received


_LEARNERS: dict[str, Callable[[Learner, dict[str, Any], Record], None]] = {
    "opened": _opened,
    "judged": _judged,
    "hint": _hint,
    "solution": _solution,
    "help": _help,
}
