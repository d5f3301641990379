"""Run a server for as long as the person wants it, and show what it says."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from workshop.terminal.output import colours_are_wanted, copy_sanitized, trusted

_SECONDS = 5.0
"""How long the last lines of a server that has ended may take to come."""


def call_server(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    in_foreground: bool,
) -> int:
    """Run the uvicorn *command* until it ends, and return its exit code.

    What it and the app print is sanitized on its way to standard output.
    *in_foreground* gives it the terminal instead, for a debugger. Ctrl-C reaches the
    server, too: it closes its connections before it ends.
    """
    colours = colours_are_wanted() and sys.stdout.isatty()
    process = subprocess.Popen(
        [*command, "--use-colors" if colours else "--no-use-colors"],
        cwd=cwd,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=None if in_foreground else subprocess.PIPE,
        stderr=None if in_foreground else subprocess.STDOUT,
    )
    reader = None
    if process.stdout is not None:
        options = {"colours": colours_are_wanted()}
        reader = threading.Thread(
            target=copy_sanitized,
            args=(process.stdout, trusted(sys.stdout)),
            kwargs=options,
            daemon=True,
        )
        reader.start()
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue
    if reader is not None:
        # A process that the app has started may hold the pipe open for ever.
        reader.join(_SECONDS)
    return code
