"""What the learner's app does at a breakpoint."""

from __future__ import annotations

from workshop.commands import command

COMMAND = "WORKSHOP_DEBUG_COMMAND"
"""Environment variable of a server: the command that enables breakpoints."""

AT_TERMINAL = "WORKSHOP_DEBUG"
"""Environment variable of a server: whether the app has the terminal."""


def debugging_environment(verb: str, number: str, *, debug: bool) -> dict[str, str]:
    """Return the variables that say what the app does at a breakpoint.

    With *debug*, the app has the terminal, so that `breakpoint()` opens a debugger.
    """
    if debug:
        return {AT_TERMINAL: "1"}
    return {COMMAND: command(verb, number, "--debug"), AT_TERMINAL: ""}
