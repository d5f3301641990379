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
    from workshop.check.pictures import PictureError, check_pictures, renew
    from workshop.scenario import ScriptError

    lessons = place.catalogue().lessons()
    try:
        if only_check:
            findings = list(check_pictures(place.ROOT, lessons))
            for finding in findings:
                click.echo(str(finding))
            return NOT_PASSED if findings else PASSED
        for name in renew(place.ROOT, lessons):
            say(f"Renewed docs/pictures/{name}.")
    except (PictureError, ScriptError) as problem:
        click.echo(str(problem))
        return NOT_PASSED
    return PASSED


VERBS: tuple[click.Command, ...] = (pictures,)
