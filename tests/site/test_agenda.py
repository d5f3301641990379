"""Agendas are computed from what lessons say they take."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop.lesson import Catalogue, Lesson
from workshop.site.agenda import PLANS, Plan, agenda, agenda_tables, room_minutes

ROOT = Path(__file__).resolve().parents[2]
LESSONS = Catalogue(ROOT).lessons()
HALF, DAY, TWO, THREE = PLANS


@pytest.mark.parametrize("plan", PLANS, ids=lambda it: it.title)
def test_no_day_and_no_stretch_is_too_long(plan: Plan) -> None:
    days, _ = agenda(LESSONS, plan)

    assert len(days) == plan.days
    for day in days:
        assert sum(it.minutes for it in day) <= plan.minutes
        sitting = 0
        for item in day:
            pause = item.what in ("Break", "Lunch")
            sitting = 0 if pause else sitting + item.minutes
            assert sitting <= 120
        long = sum(it.minutes for it in day) > 300
        assert ("Lunch" in [it.what for it in day]) is long


@pytest.mark.parametrize("plan", PLANS, ids=lambda it: it.title)
def test_every_lesson_is_on_the_agenda_or_listed_for_another_day(plan: Plan) -> None:
    days, left = agenda(LESSONS, plan)

    there = " ".join(item.what for day in days for item in day)
    placed = [it for it in LESSONS if it.slug in there]
    assert [*placed, *left] == LESSONS
    assert placed


def test_two_days_have_room_for_the_seven_patterns() -> None:
    _, left = agenda(LESSONS, TWO)

    assert not [it for it in left if it.number <= "07"]


def test_three_days_have_room_for_everything() -> None:
    _, left = agenda(LESSONS, THREE)

    assert left == []


def test_a_longer_lesson_gets_more_time(lesson: Lesson) -> None:
    readme = lesson.folder / "README.md"
    assert room_minutes(lesson, 1.5) == 10  # of five, in steps of five

    text = readme.read_text(encoding="utf-8").replace("*5 minutes", "*40 minutes")
    readme.write_text(text, encoding="utf-8")

    longer = Lesson(lesson.folder, lesson.solution)
    assert room_minutes(longer, 1.5) == 60
    assert "| 0:15 | 50 | [90 · Seats]" in agenda_tables([longer])


def test_the_times_add_up() -> None:
    table = agenda_tables(LESSONS).partition("## A day")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines() if row.startswith("| ")]
    times = [(at.strip(), minutes.strip()) for at, minutes in rows[2:]]

    clock = 0
    for at, minutes in times:
        assert at == f"{clock // 60}:{clock % 60:02}"
        clock += int(minutes or 0)
