"""The verb that shows what the event loop did in a lesson's scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.cli.learner import lesson_argument, one_lesson, say
from workshop.lesson import Lesson

if TYPE_CHECKING:
    from workshop.scenario import NotRecorded, Recorded, ScenarioRun, Scene
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
    """Show which task held the event loop, and which ones waited."""
    from workshop.scenario import NotRecorded, ScenarioRun
    from workshop.screen.pages import short
    from workshop.screen.timeline import print_timeline

    it = one_lesson(lesson)
    if solution and compare:
        raise click.UsageError("Either --solution or --compare, not both.")
    script = it.scenario_file
    if not script.is_file():
        raise click.UsageError(
            f"Lesson {it.number} has no scene to record. These lessons have one: "
            f"{', '.join(other.number for other in _with_scenes())}."
        )
    scenes = _scenes(script)
    scene = _chosen(it, scenes, name)
    answers = {"yours": it.app_file, "solution": it.solution_file}
    if not compare:
        answers.pop("yours" if solution else "solution")
    panels: list[tuple[str, Timeline]] = []
    for whose, answer in answers.items():
        found = record(it, ScenarioRun(script, scene.name, answer), exact=virtual)
        if isinstance(found, NotRecorded):
            click.echo(f"{short(answer)} could not be recorded. {found.words}")
            return NOT_PASSED
        panels.append((whose.capitalize() if compare else "", found.timeline))
    print_timeline(it, next(iter(answers.values())), scenes, scene, panels)
    if picture is not None:
        _write(picture, scene.title, panels)
    return PASSED


def _with_scenes() -> list[Lesson]:
    lessons = place.catalogue().lessons()
    return [it for it in lessons if it.scenario_file.is_file()]


def _scenes(script: Path) -> tuple[Scene, ...]:
    from workshop.scenario import ScriptError, read_scenes

    try:
        return read_scenes(script)
    except ScriptError as problem:
        raise click.ClickException(str(problem)) from None


def _chosen(lesson: Lesson, scenes: tuple[Scene, ...], name: str | None) -> Scene:
    for scene in scenes:
        if name in (None, scene.name):
            return scene
    there = ", ".join(scene.name for scene in scenes)
    raise click.UsageError(
        f"Lesson {lesson.number} has no scene {name!r}. Its scenes are: {there}."
    )


def record(
    lesson: Lesson, wanted: ScenarioRun, *, exact: bool = False
) -> Recorded | NotRecorded:
    """Record a file in its own process with its own services. *exact*: virtual time."""
    from workshop.actions.services import services_for_app
    from workshop.processes.temporary import temporary_folder
    from workshop.scenario import play

    with (
        temporary_folder("timeline") as folder,
        services_for_app(lesson, None, folder, say=_quietly) as environment,
    ):
        return play([wanted], exact=exact, environment=environment)[0]


def _quietly(sentence: str) -> None:
    """Print nothing, because the learner did not ask about the services."""


def _write(picture: Path, title: str, panels: list[tuple[str, Timeline]]) -> None:
    from workshop.timeline import svg, svg_pair

    (name, first), *others = panels
    if others:
        ((other, second),) = others
        drawn = svg_pair(first, second, title=title, names=(name, other))
    else:
        drawn = svg(first, title=title)
    try:
        if picture.exists() and not picture.read_bytes().lstrip().startswith(b"<svg"):
            raise click.ClickException(
                f"{picture} exists and is not an SVG picture, so it was not replaced. "
                "Choose another name."
            )
        picture.write_text(drawn, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise click.ClickException(
            f"{picture} cannot be written: {problem.strerror}."
        ) from None
    say(f"The picture is in {picture}. Open it in a browser.")


VERBS: tuple[click.Command, ...] = (timeline,)
