"""The verb that downloads everything while there is a network."""

from __future__ import annotations

import click

from workshop.cli.exit_codes import PASSED, TOOL_FAILED
from workshop.cli.notebooks import jupyter


@click.command("prepare")
def prepare() -> int:
    """Download the packages of all verbs, to work without a network."""
    from workshop.environment.model import SetupError

    # The other packages are already installed, because each verb gets its own first.
    try:
        jupyter()
    except SetupError as problem:
        click.echo(str(problem), err=True)
        return TOOL_FAILED
    click.echo(
        "Everything is installed: lessons, notebooks, PostgreSQL, the room and the "
        "site now work without a network."
    )
    return PASSED


VERBS: tuple[click.Command, ...] = (prepare,)
