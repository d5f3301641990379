"""The verb that keeps the pictures on pages true."""

from __future__ import annotations

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.cli.learner import say


@click.command("pictures")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; tell.")
def pictures(only_check: bool) -> int:
    """Record the pictures in docs/pictures/ anew."""
    from workshop.check.pictures import PictureError, check_pictures, folder, renew
    from workshop.check.texts import Finding
    from workshop.cli.watch_picture import NAME, watch_picture
    from workshop.scenario import ScriptError

    lessons = place.catalogue().lessons()
    screen, path = watch_picture(), folder(place.ROOT) / NAME
    stale = not path.is_file() or path.read_text(encoding="utf-8") != screen
    try:
        if only_check:
            findings = list(check_pictures(place.ROOT, lessons))
            if stale:
                what = "it is not what the screen shows; `make pictures` renews it"
                findings.append(Finding(NAME, "picture", what))
            for finding in findings:
                click.echo(str(finding))
            return NOT_PASSED if findings else PASSED
        renewed = renew(place.ROOT, lessons)
        if stale:
            path.write_text(screen, encoding="utf-8", newline="\n")
            renewed.append(NAME)
        for name in renewed:
            say(f"Renewed docs/pictures/{name}.")
    except (PictureError, ScriptError) as problem:
        click.echo(str(problem))
        return NOT_PASSED
    return PASSED


VERBS: tuple[click.Command, ...] = (pictures,)
