"""Plan the days of a workshop from the minutes of its lessons.

The minutes in a README are for one person who works alone. A group needs longer: people
read at different speeds and have to be brought back together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from workshop.lesson import Lesson

_DOORS = 15
_CLOSE = 10
_BREAK = 15
_LUNCH = 60
_FREE = 30
"""The shortest time for free work, and half of the longest."""
_WITHOUT_BREAK = 100
"""The longest stretch without a break."""
_LUNCH_AFTER = 215
_LONG_DAY = 300


@dataclass(frozen=True)
class Plan:
    """How much time there is: days, minutes per day, and the pace."""

    title: str
    days: int
    minutes: int
    pace: float
    words: str


PLANS = (
    Plan("Half a day", 1, 240, 1.25, "The lessons that every service needs."),
    Plan("A day", 1, 480, 1.25, "The first lessons, at a brisk pace."),
    Plan("Two days", 2, 450, 1.25, "The seven patterns, with time for questions."),
    Plan("Three days", 3, 450, 1.25, "Everything, with time for questions."),
)


@dataclass(frozen=True)
class Item:
    """An item of the agenda: its minutes and its text."""

    minutes: int
    what: str


def room_minutes(lesson: Lesson, pace: float) -> int:
    """Return the minutes that *lesson* takes in a group, in steps of five."""
    return ceil(lesson.minutes * pace / 5) * 5


def agenda(
    lessons: Sequence[Lesson], plan: Plan
) -> tuple[list[list[Item]], list[Lesson]]:
    """Return the days of *plan*, and the lessons that did not fit.

    Lessons stay in order. A day begins with an opening and ends with a review, with a
    break before anybody sits too long.
    """
    left = list(lessons)
    days = []
    for number in range(plan.days):
        day = _Day(plan, first=number == 0)
        while left and day.fits(left[0]):
            day.add(left.pop(0))
        days.append(day.closed())
    return days, left


class _Day:
    def __init__(self, plan: Plan, *, first: bool) -> None:
        self.plan = plan
        start = "Opening: `make doctor`, and one save in lesson 00"
        again = "Opening: what do you remember of yesterday?"
        self.items = [Item(_DOORS, start if first else again)]
        self.since_break = _DOORS
        self.had_lunch = plan.minutes < _LONG_DAY

    @property
    def minutes(self) -> int:
        return sum(it.minutes for it in self.items)

    def fits(self, lesson: Lesson) -> bool:
        minutes = room_minutes(lesson, self.plan.pace)
        pause = self._pause_before(minutes)
        lunch = 0 if self.had_lunch else _LUNCH
        taken = self.minutes + minutes + _CLOSE
        # Time for lunch stays reserved until it is scheduled.
        return taken + max(lunch, pause.minutes if pause else 0) <= self.plan.minutes

    def add(self, lesson: Lesson) -> None:
        minutes = room_minutes(lesson, self.plan.pace)
        pause = self._pause_before(minutes)
        if pause:
            self.items.append(pause)
            self.since_break = 0
            self.had_lunch = self.had_lunch or pause.minutes == _LUNCH
        link = f"[{lesson.number} · {lesson.title}](../lessons/{lesson.slug}.md)"
        self.items.append(Item(minutes, f"{link}: {_parts(minutes)}"))
        self.since_break += minutes

    def closed(self) -> list[Item]:
        rest = self.plan.minutes - self.minutes - _CLOSE
        pause = self._pause_before(_FREE) or Item(_BREAK, "Break")
        if rest >= pause.minutes + _FREE:
            # Slow participants finish a step, quick ones open a notebook.
            minutes = min(2 * _FREE, (rest - pause.minutes) // 5 * 5)
            free = Item(minutes, "Free work: unfinished steps, or a notebook")
            self.items += [pause, free]
        return [*self.items, Item(_CLOSE, "Review: what will you check on Monday?")]

    def _pause_before(self, minutes: int) -> Item | None:
        if not self.had_lunch and self.minutes + minutes > _LUNCH_AFTER:
            return Item(_LUNCH, "Lunch")
        # After the opening alone, nobody needs one yet.
        if self.minutes > _DOORS and self.since_break + minutes > _WITHOUT_BREAK:
            return Item(_BREAK, "Break")
        return None


def _parts(minutes: int) -> str:
    """Return how the *minutes* of a lesson are spent."""
    predict = max(5, round(minutes * 0.15))
    explain = max(5, round(minutes * 0.15))
    together = max(3, round(minutes * 0.1))
    steps = minutes - predict - explain - together
    return (
        f"predict {predict}, run and explain {explain}, "
        f"steps {steps}, together {together}"
    )


def agenda_tables(lessons: Iterable[Lesson]) -> str:
    """Return the agendas as Markdown; each day is a table in a `run-sheet`."""
    there = list(lessons)
    return "\n".join(line for plan in PLANS for line in _tables(there, plan)).rstrip()


def _tables(lessons: Sequence[Lesson], plan: Plan) -> Iterator[str]:
    days, left = agenda(lessons, plan)
    yield from (f"## {plan.title}", "", _words(plan), "")
    for number, day in enumerate(days, 1):
        if len(days) > 1:
            yield from (f"### Day {number}", "")
        yield from ('<div class="run-sheet" markdown="1">', "")
        yield from ("| from | minutes | what |", "| --- | --- | --- |")
        passed = 0
        for item in day:
            at = f"{passed // 60}:{passed % 60:02}"
            yield f"| {at} | {item.minutes} | {item.what} |"
            passed += item.minutes
        yield f"| {passed // 60}:{passed % 60:02} | | End |"
        yield from ("", "</div>", "")
    if left:
        names = ", ".join(f"{it.number} · {it.title}" for it in left)
        yield from (f"For another day: {names}.", "")


def _words(plan: Plan) -> str:
    return (
        f"{plan.words} Each lesson gets {plan.pace:g} times the minutes that it takes "
        "to do it alone."
    )
