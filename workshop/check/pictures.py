"""The pictures on the pages: recorded from code, checked in, and kept up to date.

- `state-NAME.svg`: from the functions in `docs/pictures/states.py`.
- `04-before.svg` and `04-after.svg`: from a lesson's first scene, run with its starter
  and with the solution on one time axis; `04-SCENE-before.svg` and
  `04-SCENE-after.svg` from its other scenes.

Each picture has a `-narrow` version for phones. All are recorded in virtual time, so
the same code always produces the same bytes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from workshop.check.finding import Finding
from workshop.lesson import Catalogue, Lesson
from workshop.scenario import Recorded, ScenarioRun, Scene, play, read_scenes
from workshop.scenario.source import loaded
from workshop.services import redis_server
from workshop.services.redis import CLAIM_VARIABLE
from workshop.timeline import Timeline, record, svg, virtual

_OURS = re.compile(r"(state|\d\d)-.*\.svg")


class PictureError(Exception):
    """A picture cannot be recorded. The message says which and why."""


def pictures(root: Path, lessons: Sequence[Lesson]) -> dict[str, str]:
    """Return the current content of each picture in `docs/pictures`, by file name.

    Raises:
        PictureError: A picture cannot be recorded.
        ScriptError: A scenario cannot be loaded.
    """
    found: dict[str, str] = {}
    states = folder(root) / "states.py"
    if states.is_file():
        for name, title, timeline in _record_states(states):
            found |= _both(f"state-{name}", title, timeline, timeline.duration)
    found |= dict(_draw_scenes(lessons))
    return found


def renew(root: Path, lessons: Sequence[Lesson]) -> list[str]:
    """Write the changed pictures and delete those without a scene; return their names.

    The pictures of an incomplete lesson stay as they are. Raises the same errors as
    `pictures`.
    """
    today, there = pictures(root, lessons), _there(root, lessons)
    changed = sorted(it for it in {*today, *there} if today.get(it) != there.get(it))
    for name in changed:
        path = folder(root) / name
        if name in today:
            path.write_text(today[name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return changed


def check_pictures(root: Path, lessons: Sequence[Lesson]) -> Iterator[Finding]:
    """Yield a finding for each picture that is out of date."""
    today, there = pictures(root, lessons), _there(root, lessons)
    for name in sorted({*today, *there}):
        if name not in there:
            what = "is missing"
        elif name not in today:
            what = "no longer has a source"
        elif today[name] != there[name]:
            what = "is out of date"
        else:
            continue
        yield Finding(name, "picture", f"it {what}; run `make pictures`")


def folder(root: Path) -> Path:
    """Return the folder of the pictures."""
    return root / "docs" / "pictures"


def _there(root: Path, lessons: Sequence[Lesson]) -> dict[str, str]:
    left_out = {it.number for it in Catalogue(root).named()}
    left_out -= {it.number for it in lessons}
    return {
        path.name: path.read_text(encoding="utf-8", errors="replace")
        for path in folder(root).glob("*.svg")
        if _OURS.fullmatch(path.name) and path.name[:2] not in left_out
    }


def _both(
    file: str, title: str, timeline: Timeline, duration: float, name: str = ""
) -> dict[str, str]:
    timeline = _without_lines(timeline)
    return {
        f"{file}{suffix}.svg": svg(
            timeline, title=title, name=name, duration=duration, narrow=narrow
        )
        for suffix, narrow in (("", False), ("-narrow", True))
    }


def _without_lines(timeline: Timeline) -> Timeline:
    """Return *timeline* without line numbers, so that a comment changes no picture."""
    lanes = (
        replace(
            lane,
            spans=tuple(
                replace(span, where=span.where.partition(":")[0]) for span in lane.spans
            ),
        )
        for lane in timeline.lanes
    )
    return replace(timeline, lanes=tuple(lanes))


def _record_states(file: Path) -> Iterator[tuple[str, str, Timeline]]:
    for name, example in vars(loaded(file, "states")).items():
        if inspect.iscoroutinefunction(example) and example.__doc__:
            title = example.__doc__.strip().partition("\n")[0].rstrip(".")
            yield name, title, virtual.run(_recorder_of(example), threads="modelled")


def _recorder_of(example: Any) -> Any:
    async def recorded() -> Timeline:
        async with record(here=None) as recording:
            await example()
        return recording.timeline

    return recorded


def _draw_scenes(lessons: Sequence[Lesson]) -> Iterator[tuple[str, str]]:
    wanted: list[tuple[str, Scene, ScenarioRun, ScenarioRun]] = []
    for lesson in lessons:
        script = lesson.scenario_file
        if not script.is_file():
            continue
        for number, scene in enumerate(read_scenes(script)):
            own = f"-{scene.name}" if number else ""
            before, after = (
                ScenarioRun(script, scene.name, answer)
                for answer in (lesson.state_file(0), lesson.solution_file)
            )
            wanted.append((f"{lesson.number}{own}", scene, before, after))
    if not wanted:
        return
    plays = [it for _, _, before, after in wanted for it in (before, after)]
    with _services(lessons) as environment:
        found = iter(play(plays, exact=True, environment=environment))
    for name, scene, *pair in wanted:
        timelines = [_timeline(name, it, next(found)) for it in pair]
        longest = max(it.duration for it in timelines)
        for which, timeline in zip(("before", "after"), timelines, strict=True):
            drawn = _both(
                f"{name}-{which}", scene.title, timeline, longest, which.capitalize()
            )
            yield from drawn.items()


@contextmanager
def _services(lessons: Sequence[Lesson]) -> Iterator[dict[str, str]]:
    """Yield the services that scenes need, ignoring the caller's own servers."""
    environment = {"DATABASE_URL": "", "REDIS_URL": ""}
    scenic = [it for it in lessons if it.scenario_file.is_file()]
    with ExitStack() as stack:
        if any("redis" in it.fixtures for it in scenic):
            service = stack.enter_context(redis_server())
            environment["REDIS_URL"] = service.url
            environment[CLAIM_VARIABLE] = service.claim
        yield environment


def _timeline(name: str, wanted: ScenarioRun, found: object) -> Timeline:
    if isinstance(found, Recorded):
        return found.timeline
    words = getattr(found, "words", "")
    raise PictureError(f"{name}: {wanted.answer} cannot be recorded: {words}")
