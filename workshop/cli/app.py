"""The command line, put together from its verbs."""

from __future__ import annotations

import sys

import click

from workshop import paths
from workshop.cli.failures import run_and_explain
from workshop.processes.signals import orderly_end
from workshop.room.retention import delete_old_room
from workshop.terminal.output import safe_standard_streams


def command_line() -> click.Group:
    """Return the command line with all its verbs.

    What a verb needs is imported when it is called: `list` answers before FastAPI
    would be imported.
    """
    from workshop.cli import (
        author,
        bundle,
        joining,
        keeping,
        learn,
        learner,
        notebooks,
        pictures,
        prepare,
        room,
        site,
        timeline,
        transfer,
        updating,
    )

    group = click.Group(
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Learn async FastAPI by repairing broken apps.",
    )
    for module in (
        *(learn, learner, keeping, timeline, notebooks, prepare, transfer),
        *(joining, updating, author, pictures, room, site, bundle),
    ):
        for verb in module.VERBS:
            group.add_command(verb)
    return group


def main(argv: list[str]) -> int:
    """Run the command line *argv* and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    delete_old_room(paths.home())
    with safe_standard_streams():
        group = command_line()
        with orderly_end() as end:
            return end.exit_code(run_and_explain(group, argv))
