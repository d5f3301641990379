"""Arguments and options that several verbs take."""

from __future__ import annotations

import click

from workshop import course
from workshop.lesson import Lesson
from workshop.processes.loopback import free_port, is_taken

lesson_argument = click.argument("lesson", nargs=-1, metavar="LESSON")
database_option = click.option(
    "--database",
    type=click.Choice(["sqlite", "postgres"]),
    help="Use a SQLite file or an embedded PostgreSQL server.",
)
port_option = click.option(
    "--port", type=click.IntRange(1, 65535), help="Default: any free port."
)


def one_lesson(words: tuple[str, ...]) -> Lesson:
    """Return the complete lesson that *words* name.

    Raises:
        LessonError: It is incomplete.
        click.UsageError: See `named_lesson`.
        UnknownLessonError: See `named_lesson`.

    """
    return course.complete(named_lesson(words))


def named_lesson(words: tuple[str, ...]) -> Lesson:
    """Return the lesson that *words* name, complete or not.

    Raises:
        click.UsageError: There is not exactly one word.
        UnknownLessonError: It names no lesson.

    """
    catalogue = course.catalogue()
    if not words:
        there = ", ".join(lesson.number for lesson in catalogue.named())
        raise click.UsageError(f"Which lesson? Add its number, one of: {there}.")
    if len(words) > 1:
        step = " For a step, use --step." if words[1].isdecimal() else ""
        raise click.UsageError(
            f"One lesson at a time, please: {' or '.join(words)}, not both.{step}"
        )
    return catalogue.find(words[0])


def wanted_port(host: str, port: int | None) -> int:
    """Return *port*, or a free port of *host* if it is None.

    Raises:
        click.UsageError: *port* is taken.

    """
    if port is None:
        return free_port(host)
    if is_taken(host, port):
        raise click.UsageError(
            f"Port {port} is taken by another program. Leave out --port to use a "
            "free one."
        )
    return port
