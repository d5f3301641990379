"""The verbs of watch mode: work on a lesson, with a verdict after every save."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workshop import course
from workshop.cli.arguments import database_option, lesson_argument, one_lesson
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import complete_lessons
from workshop.commands import command
from workshop.lesson import Lesson

if TYPE_CHECKING:
    from workshop.actions.services import Choice

plain_option = click.option(
    "--plain", is_flag=True, help="Print plain lines instead of using the screen."
)


@click.command("learn")
@plain_option
@database_option
def learn(plain: bool, database: Choice | None) -> int:
    """Start with the first unfinished lesson, or continue where you were."""
    state = course.store().load()
    lessons = complete_lessons()
    for lesson in lessons:
        record = state.of(lesson.slug)
        if not record.is_finished(len(lesson.brief.sections)):
            return _watch(lesson, plain, database)
    from workshop.screen.console import out
    from workshop.screen.pages import again_lines

    out().print("You have finished every lesson. Congratulations!")
    again = [line for it in lessons for line in again_lines(it, state.of(it.slug))]
    if again:
        out().print("To repeat the steps that you were shown:")
    for line in again or [f"Any of them again: {command('watch', '00')}"]:
        out().print(line, soft_wrap=True)
    return PASSED


@click.command("watch")
@lesson_argument
@plain_option
@database_option
def watch(lesson: tuple[str, ...], plain: bool, database: Choice | None) -> int:
    """Grade your app.py after every save."""
    return _watch(one_lesson(lesson), plain, database)


def _watch(lesson: Lesson, plain: bool, database: Choice | None) -> int:
    from workshop.cli import watching

    if not plain and watching.terminal_is_whole():
        watching.watch_on_screen(lesson, database)
        return PASSED
    try:
        passed = watching.watch_in_lines(lesson, database)
    except KeyboardInterrupt:
        return PASSED  # the usual way to quit
    return PASSED if passed else NOT_PASSED


VERBS: tuple[click.Command, ...] = (learn, watch)
"""Learners' verbs that run until the user quits."""
