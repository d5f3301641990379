"""Actions that report what the learner does to an instructor's room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workshop.actions.learner import LearnerActions
from workshop.cli.notes import say

if TYPE_CHECKING:
    from workshop.actions.services import Choice


def reporting_actions(database: Choice | None = None) -> LearnerActions:
    """Return actions for one verb, which report to the room if there is one.

    After the verb's output, at most 300 ms remain for what has not been sent. The next
    command or watch mode sends the rest.
    """
    actions = LearnerActions(database)
    actions.room.start()

    def close() -> None:
        note = actions.room.close()
        if note:
            say(note)

    click.get_current_context().call_on_close(close)
    return actions
