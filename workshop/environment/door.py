"""Where every command comes in: set up if need be, and go on inside.

What only some commands need is imported where they need it: a start that has
nothing to set up costs next to nothing.

Exit codes of its own: 2 for a command that says nothing sensible, 3 when the
set-up cannot go on, 130 after Ctrl-C. Everything else is the verb's.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys

from workshop.environment import verbs
from workshop.environment.model import Environment, SetupError, folder_named_by
from workshop.processes.signals import orderly_end
from workshop.terminal.output import safe

# Counts how often a command went in and out of the environment. Going in
# once is normal, going out again to repair it and back in is possible.
_ENTRIES = "WORKSHOP_ENTRIES"


def enter(arguments: list[str]) -> int:
    """Carry out the command *arguments* and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    for variable in ("WORKSHOP_VENV", "WORKSHOP_HOME"):
        # What we start may run in another folder, where `../venv` is another one.
        folder = folder_named_by(variable)
        if folder is not None:
            os.environ[variable] = str(folder)
    with orderly_end() as end:
        return end.exit_code(_enter_and_tell(arguments))


def _enter_and_tell(arguments: list[str]) -> int:
    try:
        return _enter(arguments)
    except SetupError as error:
        _say(str(error))
        return 3
    except KeyboardInterrupt:
        _say("Stopped. The next start goes on from here.")
        return 130


def _enter(arguments: list[str]) -> int:
    if arguments[:1] == ["--goals"]:
        from workshop.environment import goals

        cut = arguments.index("--") if "--" in arguments else len(arguments)
        try:
            arguments = goals.translate(arguments[1:cut]) + arguments[cut + 1 :]
        except goals.UnclearGoalsError as unclear:
            _say(str(unclear))
            return 2
    verb = arguments[0] if arguments else "help"
    if verb in verbs.HELP:
        sys.stdout.write(verbs.table() + "\n")
        return 0
    if verb not in verbs.BY_NAME:
        _say(verbs.unknown(arguments))
        return 2
    if verb == "doctor":
        from workshop import doctor

        return doctor.main(arguments[1:])
    return _inside(arguments)


def _inside(arguments: list[str]) -> int:
    """Run the verb on the environment's interpreter, made ready for it."""
    environment = Environment.here()
    entries = int(os.environ.pop(_ENTRIES, "0"))
    inside = environment.is_running()
    if inside and not environment.lacks(verbs.groups(arguments)):
        if arguments[0] == "pins":
            from workshop.environment import pins

            return pins.refresh(environment)
        try:
            from workshop import cli
        except ModuleNotFoundError as missing:
            if (missing.name or "").startswith("workshop"):
                raise
            from workshop.environment import setup

            # Somebody deleted a part of it. The stamp cannot know.
            environment.distrust()
            return _go_on(setup.own_base(), arguments, entries)
        return cli.main(arguments)
    if entries > 3:
        raise SetupError(
            f"{environment.place} does not hold together. Remove that folder and "
            "run the same command again."
        )
    from workshop.environment import setup

    if inside:
        # Repairs are made from outside: an interpreter cannot be replaced
        # while it runs. Only from here it can be seen that the Python below
        # has become another one, so that much is noted.
        environment.distrust_if_other_python()
        return _go_on(setup.own_base(), arguments, entries)
    setup.ensure(environment, verbs.groups(arguments))
    return _go_on(str(environment.python), arguments, entries)


def _go_on(python: str, arguments: list[str], entries: int) -> int:
    """Carry on with another interpreter, in this process where that is possible."""
    os.environ[_ENTRIES] = str(entries + 1)
    command = [python, "-m", "workshop", *arguments]
    if os.name != "nt":
        os.execv(python, command)  # noqa: S606 -- the interpreter we just made
    # Windows' exec gives the terminal back before the new process ends.
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The other one got it, too, and decides what it means.
            continue


def _say(sentence: str) -> None:
    # A path or the words of an installer may stand in it.
    sys.stderr.write(safe(sentence) + "\n")
