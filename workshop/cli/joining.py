"""The commands for learners in an instructor's room."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from workshop.actions.room import NEVER_SENT, PURPOSE, SENT, RoomActions
from workshop.cli.exit_codes import NOT_PASSED, PASSED
from workshop.commands import command
from workshop.room.client.address import Invitation, InvitationError, invitation

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUESTIONS = {
    "address": "The room's address (shown on the projector)",
    "code": "The code",
    "name": "Your name, as the board should show it",
}


@click.command("join")
@click.argument("words", nargs=-1, metavar="ADDRESS CODE NAME")
@click.option("--yes", is_flag=True, help="Join without asking.")
def join(words: tuple[str, ...], yes: bool) -> int:
    """Join the room of an instructor-led workshop, so that its board shows your step.

    With make: `make join ARGS="http://192.168.0.7:8080 K7QF Ann"`. Before you join,
    nothing is sent. The command lists what will be sent, and asks you to confirm.
    """
    actions = RoomActions()
    wanted = _completed(words)
    for line in (
        f"{wanted.name} joins the room at {wanted.address}.",
        PURPOSE,
        f"Sent until you leave: {SENT}.",
        f"{NEVER_SENT} To leave and delete your data: {command('leave')}",
    ):
        click.echo(line)
    if not yes and not _agrees():
        click.echo("You have not joined. Nothing was sent.")
        return NOT_PASSED
    joined = actions.join(wanted)
    actions.close()
    click.echo(f"You are in the room {joined.room!r} as {joined.name}.")
    click.echo(f"To continue with the course: {command('learn')}")
    return PASSED


def _agrees() -> bool:
    if not _has_terminal():
        again = command("join", options="ADDRESS CODE NAME --yes")
        raise click.UsageError(
            f"The command cannot ask you without a terminal. If you agree: {again}"
        )
    return click.confirm("Join?", default=True)


def _completed(words: Sequence[str]) -> Invitation:
    """Return the invitation in *words*, and prompt for missing parts.

    Raises:
        click.UsageError: A part is missing, and there is no terminal.

    """
    try:
        wanted = invitation(words)
        if wanted.missing and not _has_terminal():
            how = command("join", options="http://192.168.0.7:8080 K7QF Ann")
            raise click.UsageError(
                f"Missing: {', '.join(wanted.missing)}. For example: {how}"
            )
        while wanted.missing:
            part = wanted.missing[0]
            given = {
                "address": wanted.address,
                "code": wanted.code,
                "name": wanted.name,
                part: click.prompt(_QUESTIONS[part]).strip(),
            }
            # A link typed as the address contains the code.
            wanted = invitation([given["address"], given["code"], given["name"]])
    except InvitationError as problem:
        raise click.UsageError(str(problem)) from None
    return wanted


def _has_terminal() -> bool:
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


@click.command("leave")
@click.option(
    "--local",
    is_flag=True,
    help="Only forget the room on this machine. Your data stays in the room.",
)
def leave(local: bool) -> int:
    """Leave the room. It deletes your data at once."""
    left = RoomActions().leave(local=local)
    where = f"the room {left.room!r}" if left.room else "the room"
    if local:
        click.echo(
            f"This machine has forgotten {where}. The room deletes your data 7 days "
            "after the workshop at the latest."
        )
    else:
        click.echo(f"You have left {where}. It has deleted your data.")
    return PASSED


VERBS: tuple[click.Command, ...] = (join, leave)
"""Learners' commands for a room."""
