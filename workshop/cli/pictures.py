"""The verb that updates the pictures on the pages."""

from __future__ import annotations

from pathlib import Path

import click

from workshop import paths
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.cli.notes import complete_lessons, say
from workshop.lesson import Lesson


@click.command("pictures")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; only report.")
def pictures(only_check: bool) -> int:
    """Record the pictures in docs/pictures/ again."""
    from workshop.check.finding import Finding
    from workshop.check.pictures import PictureError, check_pictures, folder, renew
    from workshop.cli.watch_picture import watch_pictures
    from workshop.scenario import ScriptError

    lessons = [it for it in complete_lessons() if _can_be_played(it)]
    stale = {
        name: screen
        for name, screen in watch_pictures().items()
        if _read(folder(paths.ROOT) / name) != screen
    }
    try:
        if only_check:
            what = "it differs from the screen; run `make pictures`"
            findings = list(check_pictures(paths.ROOT, lessons))
            findings += [Finding(name, "picture", what) for name in stale]
            for finding in findings:
                click.echo(str(finding))
            return NOT_PASSED if findings else PASSED
        for name, screen in stale.items():
            path = folder(paths.ROOT) / name
            path.write_text(screen, encoding="utf-8", newline="\n")
        for name in [*renew(paths.ROOT, lessons), *stale]:
            say(f"Updated docs/pictures/{name}.")
    except (PictureError, ScriptError) as problem:
        click.echo(str(problem))
        return NOT_PASSED
    return PASSED


def _can_be_played(lesson: Lesson) -> bool:
    """Return whether the scenes of *lesson* can be loaded. Print a note if not."""
    from workshop.scenario import ScriptError, read_scenes

    if not lesson.scenario_file.is_file():
        return True
    try:
        read_scenes(lesson.scenario_file)
    except ScriptError as problem:
        say(f"The pictures of lesson {lesson.number} are not updated: {problem}")
        return False
    return True


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


VERBS: tuple[click.Command, ...] = (pictures,)
