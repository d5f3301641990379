"""The verbs that replace the learner's file, and restore it."""

from __future__ import annotations

import click

from workshop.cli import place
from workshop.cli.app import PASSED
from workshop.cli.learner import (
    lesson_argument,
    named_lesson,
    one_lesson,
    step_of,
    tell_notes,
)
from workshop.lesson import Lesson
from workshop.progress import Replacement, Store, content_hash
from workshop.progress import catch_up as make_it_begin_at
from workshop.progress import reset as make_it_the_starter
from workshop.progress import undo as bring_it_back
from workshop.screen.console import command


@click.command("reset")
@lesson_argument
def reset(lesson: tuple[str, ...]) -> int:
    """Restore the starter. Your files are saved first."""
    store = place.store()
    done = make_it_the_starter(named_lesson(lesson), store, place.snapshots())
    return _tell(done, store)


@click.command("catch-up")
@lesson_argument
@click.option("--step", type=int, help="Start this step. Default: your current one.")
def catch_up(lesson: tuple[str, ...], step: int | None) -> int:
    """Apply the solution of the earlier steps. Your files are saved first."""
    it = one_lesson(lesson)
    store = place.store()
    if step is None:
        record = store.load().of(it.slug)
        if record.content and record.content != content_hash(it.app_file):
            raise click.UsageError(
                "app.py has changed since its last verdict, so your step is not known. "
                f"Run {command('test', it.number)} first, or name the step: "
                f"{command('catch-up', it.number, '--step 2')}"
            )
        step = record.current_step(len(it.steps))
        if record.verdicts.get(step) == "passed":
            raise click.UsageError(
                f"Every step of lesson {it.number} has passed. To repeat one: "
                f"{command('catch-up', it.number, '--step 1')}"
            )
    number = step_of(it, step).number
    return _tell(make_it_begin_at(it, number, store, place.snapshots()), store)


@click.command("undo")
@lesson_argument
@click.option("--list", "only_list", is_flag=True, help="List the saved states.")
@click.option("--to", "number", type=int, help="Restore this state of the list.")
def undo(lesson: tuple[str, ...], only_list: bool, number: int | None) -> int:
    """Restore the file that was replaced last. A second undo reverts the first."""
    snapshots = place.snapshots()
    it = named_lesson(lesson) if lesson else _latest_lesson()
    there = snapshots.of(it.slug)
    if not there:
        raise click.UsageError(
            f"There is nothing to undo: app.py of lesson {it.number} "
            "was never replaced."
        )
    if only_list:
        from workshop.screen.keeping import snapshot_lines

        for line in snapshot_lines(there):
            click.echo(line)
        return PASSED
    if number is not None and number not in {one.number for one in there}:
        look = command("undo", it.number, "--list")
        raise click.UsageError(
            f"Lesson {it.number} has no saved state {number}. To list them: {look}"
        )
    store = place.store()
    return _tell(bring_it_back(it, store, snapshots, number), store)


def _latest_lesson() -> Lesson:
    latest = place.snapshots().latest()
    if latest is None:
        raise click.UsageError("There is nothing to undo: no app.py was ever replaced.")
    return place.catalogue().find(latest.slug)


def _tell(done: Replacement, store: Store) -> int:
    from workshop.screen.keeping import replacement_lines

    for line in replacement_lines(done):
        click.echo(line)
    tell_notes(store)
    return PASSED


VERBS: tuple[click.Command, ...] = (reset, catch_up, undo)
