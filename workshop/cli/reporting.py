"""Actions that tell an instructor's room what the learner does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workshop.actions.learner import LearnerActions

if TYPE_CHECKING:
    from workshop.actions.services import Choice


def reporting_actions(database: Choice | None = None) -> LearnerActions:
    """Return actions for one verb, which report to the room if there is one.

    After the verb's output, at most 300 ms remain for what has not been sent. The next
    command or watch mode sends the rest.
    """
    actions = LearnerActions(database)
    actions.room.start()
    click.get_current_context().call_on_close(actions.room.close)
    return actions
