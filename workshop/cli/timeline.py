"""The verb that shows what the event loop did in a lesson's scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workshop.actions.learner import LearnerActions
from workshop.cli.arguments import lesson_argument, one_lesson
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import say

if TYPE_CHECKING:
    from workshop.timeline import Timeline


@click.command("timeline")
@lesson_argument
@click.option("--scene", "name", help="Default: the lesson's first scene.")
@click.option("--solution", is_flag=True, help="Record the solution instead.")
@click.option("--compare", is_flag=True, help="Show the solution below yours.")
@click.option(
    "--virtual",
    is_flag=True,
    help="Use virtual time: only the outside world takes time.",
)
@click.option(
    "--svg",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the picture to this file.",
)
def timeline(
    lesson: tuple[str, ...],
    name: str | None,
    solution: bool,
    compare: bool,
    virtual: bool,
    picture: Path | None,
) -> int:
    """Show which task blocked the event loop, and which ones waited."""
    from workshop.actions.recordings import NotRecordedError, save_picture
    from workshop.screen.pages import short
    from workshop.screen.timeline import print_timeline

    it = one_lesson(lesson)
    if solution and compare:
        raise click.UsageError("Either --solution or --compare, not both.")
    actions = LearnerActions()
    scene = actions.scene(it, name)
    answers = {"yours": it.app_file, "solution": it.solution_file}
    if not compare:
        answers.pop("yours" if solution else "solution")
    panels: list[tuple[str, Timeline]] = []
    for whose, answer in answers.items():
        try:
            recorded = actions.timeline(it, scene, answer, virtual=virtual)
        except NotRecordedError as problem:
            click.echo(f"{short(answer)} could not be recorded. {problem.reason}")
            return NOT_PASSED
        panels.append((whose.capitalize() if compare else "", recorded))
    first = next(iter(answers.values()))
    print_timeline(it, first, actions.scenes(it), scene, panels)
    if picture is not None:
        save_picture(picture, scene.title, panels)
        say(f"The picture is in {picture}. Open it in a browser.")
    return PASSED


VERBS: tuple[click.Command, ...] = (timeline,)
