"""Show what the event loop did in a lesson's scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from workshop.commands import command
from workshop.lesson import Lesson
from workshop.scenario import Scene
from workshop.screen.console import out
from workshop.screen.pages import short
from workshop.timeline import Timeline, TimelineText

_WIDTH = 100


def print_timeline(
    lesson: Lesson,
    answer: Path,
    scenes: Sequence[Scene],
    scene: Scene,
    panels: Sequence[tuple[str, Timeline]],
) -> None:
    """Print one timeline, or two on the same axis, and which others there are.

    *scene* is one of *scenes*, recorded with the file *answer*.
    """
    console = out()
    console.print(
        Text(f"Lesson {lesson.number} · {lesson.title}   {short(answer)}"),
        soft_wrap=True,
    )
    console.print()
    console.print(TimelineText(panels, title=scene.title, width=_WIDTH))
    console.print()
    rows = [
        (f"Scene {it.name}:", command("timeline", lesson.number, f"--scene {it.name}"))
        for it in scenes
        if it != scene
    ]
    if len(panels) == 1:
        chosen = "" if scene == scenes[0] else f" --scene {scene.name}"
        beside = command("timeline", lesson.number, f"--compare{chosen}")
        rows.insert(0, ("Compare:", beside))
    rows.append(("How to read it:", "docs/reference/reading_timelines.md"))
    width = max(len(name) for name, _ in rows) + 1
    for name, text in rows:
        console.print(f"{name:<{width}}{text}", soft_wrap=True)
