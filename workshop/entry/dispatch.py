"""The entry point of every command: set up if necessary, then run in the environment.

Modules that only some commands need are imported there, so that a command without a
set-up starts fast.

Its own exit codes are 2 for an unknown command, 3 if the set-up fails, and 130 after
Ctrl-C. All others come from the verb.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys

from workshop import commands
from workshop.environment.model import Environment, SetupError
from workshop.paths import folder_named_by
from workshop.private_apis.interpreter import base_python
from workshop.processes.signals import orderly_end
from workshop.terminal.output import safe

# Counts how often a command has entered the environment. The usual value is 1. If it
# leaves the environment to repair it, it enters again.
_ENTRIES = "WORKSHOP_ENTRIES"


def run(arguments: list[str]) -> int:
    """Run the command *arguments* and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    for variable in ("WORKSHOP_VENV", "WORKSHOP_HOME"):
        # A child process may run in another folder, so a relative path would refer to
        # another file.
        folder = folder_named_by(variable)
        if folder is not None:
            os.environ[variable] = str(folder)
    with orderly_end() as end:
        return end.exit_code(_enter_and_tell(arguments))


def _enter_and_tell(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except SetupError as error:
        _say(str(error))
        return 3
    except KeyboardInterrupt:
        _say("Stopped. The next command continues from here.")
        return 130


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["--goals"]:
        from workshop import goals

        cut = arguments.index("--") if "--" in arguments else len(arguments)
        try:
            arguments = goals.translate(arguments[1:cut]) + arguments[cut + 1 :]
        except goals.UnclearGoalsError as unclear:
            _say(str(unclear))
            return 2
    verb = arguments[0] if arguments else "help"
    if verb in commands.HELP:
        sys.stdout.write(commands.table() + "\n")
        return 0
    if verb not in commands.BY_NAME:
        _say(commands.unknown(arguments))
        return 2
    has_no_options = not commands.BY_NAME[verb].groups
    if commands.asks_for_help(arguments) and (
        has_no_options or Environment.here().missing(("core",))
    ):
        # Not worth a set-up, and `pins` would rewrite files.
        sys.stdout.write(commands.help_of(verb) + "\n")
        return 0
    if verb == "pins" and arguments[1:]:
        _say("`python -m workshop pins` takes no arguments.")
        return 2
    if verb == "doctor":
        from workshop import doctor

        return doctor.main(arguments[1:])
    return _inside(arguments)


def _inside(arguments: list[str]) -> int:
    """Run the verb with the environment's interpreter, after a set-up if necessary."""
    environment = Environment.here()
    entries = int(os.environ.pop(_ENTRIES, "0"))
    inside = environment.is_running()
    if inside and not environment.missing(commands.groups(arguments)):
        if arguments[0] == "pins":
            from workshop.environment import pins

            return pins.refresh(environment)
        try:
            from workshop import cli
        except ModuleNotFoundError as missing:
            if (missing.name or "").startswith("workshop"):
                raise
            # A part was deleted, which the stamp does not show.
            environment.mark_stale()
            return _go_on(base_python(), arguments, entries)
        return cli.main(arguments)
    if entries > 3:
        raise SetupError(
            f"{environment.place} is still broken after a repair. Remove that folder "
            "and run the same command again."
        )
    from workshop.environment import setup

    if inside:
        # Repairs run outside the environment, because a running interpreter cannot be
        # replaced. Only here it is visible that the base Python has changed, so record
        # it now.
        environment.mark_stale_if_other_python()
        return _go_on(base_python(), arguments, entries)
    setup.ensure(environment, commands.groups(arguments))
    return _go_on(str(environment.python), arguments, entries)


def _go_on(python: str, arguments: list[str], entries: int) -> int:
    """Continue with another interpreter, in the same process if possible."""
    os.environ[_ENTRIES] = str(entries + 1)
    command = [python, "-m", "workshop", *arguments]
    if os.name != "nt":
        os.execv(python, command)  # noqa: S606 -- the environment's interpreter
    # On Windows, exec returns control of the terminal before the new process ends.
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The other process received the signal too, and handles it.
            continue


def _say(sentence: str) -> None:
    # The sentence may quote a path or an installer's output.
    sys.stderr.write(safe(sentence) + "\n")
