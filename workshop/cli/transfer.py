"""The verbs that move progress between machines."""

from __future__ import annotations

from pathlib import Path

import click

from workshop import course
from workshop.cli.exit_codes import PASSED
from workshop.cli.learner import list_lessons
from workshop.cli.notes import print_notes
from workshop.commands import command
from workshop.progress import (
    Store,
    TransferError,
    bring,
    read_export,
    write_export,
)

file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.group("progress", invoke_without_command=True)
@click.pass_context
def progress(ctx: click.Context) -> int:
    """Move your progress to another machine or clone.

    `progress export FILE` writes it to a file, and `progress import FILE` adds it
    there; with make, `make progress ARGS="export FILE"`. An import never lowers your
    progress, and adds another learner's progress only with `--merge`. Without either,
    the verb shows your progress, as `list` does.
    """
    if ctx.invoked_subcommand is not None:
        return PASSED
    code: int = ctx.invoke(list_lessons)
    return code


@progress.command("export")
@file_argument
def export(file: Path) -> int:
    """Write your progress to FILE."""
    from workshop.screen.transfer import known

    store = course.store()
    # Saved first: progress of earlier releases does not say whose it is.
    state = store.update(lambda state: state)
    _refuse_if_left_alone(store)
    try:
        write_export(state, file)
    except TransferError as problem:
        raise click.UsageError(str(problem)) from None
    click.echo(f"{known(state)} written to {file}.")
    there = command("progress", options=f"import {file.name}")
    click.echo(f"On the other machine, where the file is: {there}")
    print_notes(store.notes)
    return PASSED


@progress.command("import")
@file_argument
@click.option(
    "--merge", is_flag=True, help="Add it even if it may be another learner's."
)
def import_(file: Path, merge: bool) -> int:
    """Add the progress in FILE to yours. Your progress is never lowered."""
    from workshop.screen.transfer import brought_line, known

    store = course.store()
    try:
        other = read_export(file)
    except TransferError as problem:
        raise click.UsageError(str(problem)) from None
    brought = store.update(lambda state: bring(state, other, of_anyone=merge))
    _refuse_if_left_alone(store)
    if brought is None:
        again = command("progress", options=f"import {file} --merge")
        raise click.UsageError(
            f"{file} holds {known(other)} of another learner, or of a clone in which "
            "you began anew, so nothing was added. If both are yours, this adds them "
            f"up: {again}"
        )
    if not store.is_saved:
        raise click.UsageError("\n".join(store.notes))
    click.echo(brought_line(brought, file))
    print_notes(store.notes)
    return PASSED


def _refuse_if_left_alone(store: Store) -> None:
    if store.is_left_alone:
        raise click.UsageError("\n".join(store.notes))


VERBS: tuple[click.Command, ...] = (progress,)
