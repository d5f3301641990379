"""Recordings of what the event loop did while a lesson's app served a scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workshop.actions.errors import ActionError, RequestError, as_action_errors
from workshop.actions.services import services_for_app
from workshop.lesson import Lesson
from workshop.processes.temporary import temporary_folder

if TYPE_CHECKING:
    from workshop.scenario import Scene
    from workshop.timeline import Timeline


class NotRecordedError(ActionError):
    """The app could not be recorded. `reason` is a sentence that says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The app could not be recorded. {reason}")
        self.reason = reason


def scenes_of(lesson: Lesson) -> tuple[Scene, ...]:
    """Return the scenes that can be recorded of *lesson*, perhaps none.

    Raises:
        RequestError: if the lesson's scenes cannot be read.

    """
    from workshop.scenario import ScriptError, read_scenes

    if not lesson.scenario_file.is_file():
        return ()
    try:
        return read_scenes(lesson.scenario_file)
    except ScriptError as problem:
        raise RequestError(str(problem)) from None


def record(
    lesson: Lesson, scene: Scene, answer: Path, *, virtual: bool = False
) -> Timeline:
    """Record *scene* with the app in the file *answer*, in a process of its own.

    With *virtual* time, only the outside world takes time.

    Raises:
        ActionError: if a service cannot be started.
        NotRecordedError: if the app cannot be recorded.

    """
    from workshop.scenario import NotRecorded, ScenarioRun, play

    run = ScenarioRun(lesson.scenario_file, scene.name, answer)
    with (
        as_action_errors(),
        temporary_folder("timeline") as folder,
        # Which services these are is not what the learner has asked about.
        services_for_app(lesson, None, folder, say=lambda _: None) as environment,
    ):
        (found,) = play([run], exact=virtual, environment=environment)
    if isinstance(found, NotRecorded):
        raise NotRecordedError(found.words)
    return found.timeline


def save_picture(
    picture: Path, title: str, panels: Sequence[tuple[str, Timeline]]
) -> None:
    """Draw one named timeline, or two on the same axis, into the file *picture*.

    Raises:
        RequestError: if the file is not a picture, or cannot be written.

    """
    from workshop.timeline import svg, svg_pair

    (name, first), *others = panels
    if others:
        ((other, second),) = others
        drawn = svg_pair(first, second, title=title, names=(name, other))
    else:
        drawn = svg(first, title=title)
    try:
        if picture.exists() and not picture.read_bytes().lstrip().startswith(b"<svg"):
            raise RequestError(
                f"{picture} exists and is not an SVG picture, so it was not replaced. "
                "Choose another name."
            )
        picture.write_text(drawn, encoding="utf-8", newline="\n")
    except OSError as problem:
        raise RequestError(
            f"{picture} cannot be written: {problem.strerror}."
        ) from None
