"""What the pages show, computed from the board: plain data for the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from workshop.room.protocol import Choice, Poll
from workshop.room.server.board import Board, BoardPoll, Learner
from workshop.room.server.course import CourseLesson, Question


@dataclass(frozen=True)
class Cell:
    """A learner's state on one step: a shape, a word, and the last hint, if any."""

    shape: str
    word: str
    style: str
    used: str = ""


@dataclass(frozen=True)
class Row:
    """A learner's row on the board. `notes` are words such as "quiet 9 min"."""

    id: UUID
    name: str
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    needs_help: bool


@dataclass(frozen=True)
class StepCount:
    """How many learners are on a step, and how many have passed it."""

    number: int
    title: str
    on: int
    passed: int


@dataclass(frozen=True)
class AgendaLine:
    """A lesson that the room has worked on, with the minutes spent so far."""

    lesson: CourseLesson
    minutes: int
    is_current: bool


@dataclass(frozen=True)
class Waiting:
    """A learner in the help queue."""

    id: UUID
    name: str
    where: str
    minutes: int
    helper: str


@dataclass(frozen=True)
class Bar:
    """A choice of the poll with its votes; `percent` is its share of all votes."""

    letter: str
    text: str
    votes: int
    percent: int
    is_right: bool
    explanation: str


def row(learner: Learner, lesson: CourseLesson, now: datetime) -> Row:
    """Return the row of *learner* on the board of *lesson*."""
    numbers = range(1, len(lesson.steps) + 1)
    cells = tuple(_cell(learner, (lesson.number, number)) for number in numbers)
    found = list(notes(learner, now))
    if learner.at is None:
        found.append("not started")
    elif learner.at[0] != lesson.number:
        found.append(f"on {learner.at[0]} · step {learner.at[1]}")
    if lesson.number in learner.solutions:
        found.append("opened the solution")
    needs_help = learner.help_since is not None
    return Row(learner.id, learner.name, cells, tuple(found), needs_help)


def notes(learner: Learner, now: datetime) -> tuple[str, ...]:
    """Return the notes beside the learner's name: help, offline, quiet."""
    found = []
    if learner.help_since is not None:
        helper = learner.helper
        found.append(f"{helper} is helping" if helper else "needs help")
    if learner.is_offline(now):
        found.append("offline")
    elif learner.is_quiet(now):
        found.append(f"quiet {_minutes(learner.active, now)} min")
    return tuple(found)


def _cell(learner: Learner, place: tuple[str, int]) -> Cell:
    words = ""
    if rung := learner.hints.get(place):
        words = f"hint {rung}"
    is_current = learner.at == place
    if place in learner.passed:
        return Cell("✓", "passed", "passed", words)
    if number := len(learner.failed.get(place, ())):
        return Cell("▲", f"{number} failing", "failing", words)
    if is_current:
        return Cell("●", "working", "working", words)
    return Cell("·", "not started", "idle", words)


def step_counts(board: Board, lesson: CourseLesson) -> list[StepCount]:
    """Return the counts for every step of *lesson*."""
    on, passed = board.on_steps(lesson.number), board.passed_steps(lesson.number)
    return [
        StepCount(number, title, on[number], passed[number])
        for number, title in enumerate(lesson.steps, 1)
    ]


def agenda(
    board: Board, course: Mapping[str, CourseLesson], now: datetime
) -> list[AgendaLine]:
    """Return the lessons that the room has worked on, in the order they were started.

    A lesson's minutes run until the next lesson starts.
    """
    begun = sorted(board.begun.items(), key=lambda pair: pair[1])
    if not begun:
        return []
    ends = [since for _, since in begun[1:]] + [now]
    return [
        AgendaLine(course[number], _minutes(since, end), end is now)
        for (number, since), end in zip(begun, ends, strict=True)
        if number in course
    ]


def place_title(
    place: tuple[str, int] | None, course: Mapping[str, CourseLesson]
) -> str:
    """Return the title of the step at *place*, or "" if there is no such step.

    A room may have been started with an older version of the course.
    """
    lesson = course.get(place[0]) if place is not None else None
    if place is None or lesson is None or not 1 <= place[1] <= len(lesson.steps):
        return ""
    return lesson.steps[place[1] - 1]


def question_of(
    poll: BoardPoll | None, course: Mapping[str, CourseLesson]
) -> Question | None:
    """Return the question of *poll*, or None without a poll."""
    lesson = course.get(poll.lesson) if poll is not None else None
    return lesson.question if lesson is not None else None


def waiting(board: Board, now: datetime) -> list[Waiting]:
    """Return the help queue."""
    return [
        Waiting(
            it.id,
            it.name,
            f"{it.at[0]} · step {it.at[1]}" if it.at else "not started",
            _minutes(it.help_since, now) if it.help_since else 0,
            it.helper,
        )
        for it in board.help_queue()
    ]


def bars(poll: BoardPoll, question: Question) -> list[Bar]:
    """Return the choices of *poll*, with votes and the correct choice once closed."""
    # A client may have sent a letter that is not a choice of this question.
    counts = {it: poll.counts()[it] for it in question.choices}
    total = max(1, sum(counts.values()))
    return [
        Bar(
            letter,
            text,
            0 if poll.is_open else counts[letter],
            0 if poll.is_open else round(100 * counts[letter] / total),
            not poll.is_open and letter == question.right,
            "" if poll.is_open else question.explanations.get(letter, ""),
        )
        for letter, text in question.choices.items()
    ]


def poll_for_learners(
    poll: BoardPoll | None, course: Mapping[str, CourseLesson]
) -> Poll | None:
    """Return *poll* as learners receive it: without votes while it is open.

    Return None if there is no poll, or if the course no longer has its question.
    """
    question = question_of(poll, course)
    if poll is None or question is None:
        return None
    return Poll(
        id=poll.id,
        lesson=poll.lesson,
        question=question.text,
        choices=tuple(
            Choice(
                letter=bar.letter,
                text=bar.text,
                votes=None if poll.is_open else bar.votes,
                explanation=bar.explanation,
            )
            for bar in bars(poll, question)
        ),
        open=poll.is_open,
        right=None if poll.is_open else question.right,
    )


def by_name(board: Board) -> list[Learner]:
    """Return the learners, sorted by name."""
    return sorted(
        board.learners.values(), key=lambda it: (it.name.casefold(), str(it.id))
    )


def _minutes(since: datetime, now: datetime) -> int:
    return max(0, int((now - since).total_seconds() // 60))
