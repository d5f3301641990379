"""The verbs that replace the learner's file, and restore it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workshop.actions.learner import LearnerActions
from workshop.cli.arguments import lesson_argument, named_lesson, one_lesson
from workshop.cli.exit_codes import PASSED
from workshop.cli.notes import print_notes

if TYPE_CHECKING:
    from workshop.progress import Replacement


@click.command("reset")
@lesson_argument
def reset(lesson: tuple[str, ...]) -> int:
    """Restore the starter. Your files are saved first."""
    actions = LearnerActions()
    return _print(actions.reset(named_lesson(lesson)), actions)


@click.command("catch-up")
@lesson_argument
@click.option("--step", type=int, help="Start this step. Default: your current one.")
def catch_up(lesson: tuple[str, ...], step: int | None) -> int:
    """Apply the solution of the earlier steps. Your files are saved first."""
    actions = LearnerActions()
    return _print(actions.catch_up(one_lesson(lesson), step), actions)


@click.command("undo")
@lesson_argument
@click.option("--list", "only_list", is_flag=True, help="List the saved states.")
@click.option("--to", "number", type=int, help="Restore this state of the list.")
def undo(lesson: tuple[str, ...], only_list: bool, number: int | None) -> int:
    """Restore the file that was replaced last. A second undo reverts the first."""
    actions = LearnerActions()
    it = named_lesson(lesson) if lesson else actions.last_replaced()
    if not only_list:
        return _print(actions.undo(it, number), actions)
    from workshop.screen.keeping import snapshot_lines

    for line in snapshot_lines(actions.copies(it)):
        click.echo(line)
    return PASSED


def _print(done: Replacement, actions: LearnerActions) -> int:
    from workshop.screen.keeping import replacement_lines

    for line in replacement_lines(done):
        click.echo(line)
    print_notes(actions.notes())
    return PASSED


VERBS: tuple[click.Command, ...] = (reset, catch_up, undo)
