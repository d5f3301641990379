"""The verb that brings the course's new files.

It replaces the very code that runs. So everything that it needs is imported here, at
the top, and nothing later.
"""

from __future__ import annotations

from pathlib import Path

import click

from workshop.cli import place
from workshop.cli.app import PASSED
from workshop.cli.learner import tell_notes
from workshop.screen.update import check_lines, undo_lines, update_lines
from workshop.update.checkout import open_checkout
from workshop.update.git import UpdateError
from workshop.update.update import Update


@click.command("update")
@click.option("--check", is_flag=True, help="Only show what would come.")
@click.option(
    "--from",
    "given",
    metavar="SOURCE",
    help="Another remote, an address, or a clone or bundle on a memory stick.",
)
@click.option("--branch", help="Another branch than the course's main one.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace other files that you have changed, too. Copies are kept.",
)
@click.option("--undo", is_flag=True, help="Back to before the last update.")
def update(
    check: bool, given: str | None, branch: str | None, overwrite: bool, undo: bool
) -> int:
    """The course's new files. Your app.py, and all files of your own, stay.

    Copies of your lessons are kept first. A merge that ended in conflicts is ended
    with your version.
    """
    if undo and (check or given or branch or overwrite):
        raise click.UsageError("--undo goes alone.")
    store = place.store()
    it = Update(open_checkout(place.ROOT), place.home(), store, place.snapshots())
    here = Path.cwd()
    try:
        if undo:
            lines = undo_lines(it.undo())
        elif check:
            lines = check_lines(it.check(given, branch, here, overwrite=overwrite))
        else:
            lines = update_lines(it.run(given, branch, here, overwrite=overwrite))
    except OSError as problem:
        raise UpdateError(
            f"The update could not be finished: {problem}. Run the same command again; "
            "it goes on from here."
        ) from None
    for line in lines:
        click.echo(line)
    tell_notes(store)
    return PASSED


VERBS: tuple[click.Command, ...] = (update,)
