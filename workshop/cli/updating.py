"""The verb that updates the course.

It replaces the code that is running, so everything it needs is imported at the top of
this module.
"""

from __future__ import annotations

from pathlib import Path

import click

from workshop import course, paths
from workshop.cli.exit_codes import PASSED
from workshop.cli.notes import print_notes
from workshop.screen.update import check_lines, undo_lines, update_lines
from workshop.update.checkout import open_checkout
from workshop.update.git import UpdateError
from workshop.update.update import Update


@click.command("update")
@click.option("--check", is_flag=True, help="Only show what would change.")
@click.option(
    "--from",
    "given",
    metavar="SOURCE",
    help="Fetch from this remote, address, or clone or bundle on a memory stick.",
)
@click.option("--branch", help="Default: the course's main branch.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Also replace other files that you have changed. Copies are kept.",
)
@click.option("--undo", is_flag=True, help="Return to before the last update.")
def update(
    check: bool, given: str | None, branch: str | None, overwrite: bool, undo: bool
) -> int:
    """Get the latest version of the course. Your app.py and your own files stay.

    Your lessons are copied first. If a merge has ended in conflicts, it is completed
    with your version of each app.py.
    """
    if undo and (check or given or branch or overwrite):
        raise click.UsageError("--undo cannot be combined with other options.")
    store = course.store()
    checkout = open_checkout(paths.ROOT)
    it = Update(checkout, paths.home(), store, course.snapshots())
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
            f"The update could not be finished: {problem}. Run the same command again "
            "to continue."
        ) from None
    for line in lines:
        click.echo(line)
    print_notes(store.notes)
    return PASSED


VERBS: tuple[click.Command, ...] = (update,)
