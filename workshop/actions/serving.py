"""Serve a learner's app, with reload, until its owner ends it.

`python -m workshop.actions.serving HOST PORT FOLDER` serves the app in FOLDER.
`--colours` colours the server's log; `--debug` is for a debugger.
"""

from __future__ import annotations

import bdb
import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from workshop.paths import ROOT
from workshop.processes.environment import environment_of_apps
from workshop.processes.loopback import bracketed, is_taken
from workshop.processes.supervised import SupervisedProcess
from workshop.terminal.output import (
    SafeStream,
    colours_are_wanted,
    copy_sanitized,
    safe,
    trusted,
)

if TYPE_CHECKING:
    import uvicorn

_DEBUG = "--debug"
_COLOURS = "--colours"
_TICK_SECONDS = 0.05
_CLOSE_SECONDS = 2
"""How long the server lets open requests continue before it cancels them.

Without a limit, a stream that a browser keeps open would delay the app's shutdown until
the app is killed.
"""

_SHUTDOWN_SECONDS = 10.0
"""The limit for that and the app's shutdown, after which everything is killed."""


class Served:
    """The app in *folder*, served at `address` and reloaded after each save.

    *host* is this machine's loopback address.

    The output of the server and the app is sanitized and goes to *listen*, which is
    called with each line from a thread, or to standard output by default. With *debug*
    the app owns the terminal instead, for a debugger, and is not reloaded. Relative
    paths in the app start at *scratch*.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        *,
        environment: Mapping[str, str],
        scratch: Path,
        listen: Callable[[str], None] | None = None,
        debug: bool = False,
    ) -> None:
        self.address = f"http://{bracketed(host)}:{port}"
        self._place = host, port
        # The server runs in another folder, so the path must be absolute.
        paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        in_colours = listen is None and colours_are_wanted() and sys.stdout.isatty()
        options = [name for name, on in _options(debug, in_colours) if on]
        streams: dict[str, Any] = {}
        if not debug:
            streams = {
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
            }
        self._supervised = SupervisedProcess(
            [sys.executable, "-m", __name__, host, str(port), str(folder), *options],
            cwd=scratch,
            environment=environment_of_apps({**environment, "PYTHONPATH": paths}),
            grace=_SHUTDOWN_SECONDS,
            in_foreground=debug,
            **streams,
        )
        self._reader: threading.Thread | None = None
        if not debug:
            self._reader = threading.Thread(
                target=self._read, args=(listen,), daemon=True
            )
            self._reader.start()

    def __enter__(self) -> Served:
        """Return the served app."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End it."""
        self.close()

    def _read(self, listen: Callable[[str], None] | None) -> None:
        pipe = self._supervised.process.stdout
        assert pipe is not None
        with contextlib.suppress(ValueError, OSError):
            if listen is None:
                colours = colours_are_wanted()
                copy_sanitized(pipe, trusted(sys.stdout), colours=colours)
            else:
                for line in pipe:
                    listen(safe(line.decode("utf-8", "replace")).rstrip())

    def wait_until_it_accepts(self) -> bool:
        """Wait until the app accepts a connection.

        Return False if the server ends before that. An app that cannot be imported is
        reloaded after each save, so this may take until the learner repairs it.
        """
        while self._supervised.poll() is None:
            if is_taken(*self._place):
                return True
            time.sleep(_TICK_SECONDS)
        return False

    def wait(self) -> int:
        """Wait until the server has ended, and return its exit code."""
        return self._supervised.wait()

    def close(self) -> None:
        """Shut the app down, then end the server and everything that it has started."""
        self._supervised.end()
        if self._reader is not None:
            self._reader.join(1)  # read the last lines before closing the pipe
        self._supervised.close()


def _options(debug: bool, in_colours: bool) -> list[tuple[str, bool]]:
    return [(_DEBUG, debug), (_COLOURS, in_colours)]


def main(host: str, port: int, folder: Path, options: Collection[str]) -> None:
    """Serve the app in *folder*; *options* are those of this module."""
    import uvicorn

    _accept_ctrl_c()
    config: dict[str, Any] = {
        "app": "workshop.actions.offline_docs:served",
        "factory": True,
        "host": host,
        "port": port,
        "timeout_graceful_shutdown": _CLOSE_SECONDS,
    }
    if _DEBUG in options:
        sys.path.insert(0, str(folder))
        _serve_at_terminal(uvicorn.Config(**config, use_colors=sys.stdout.isatty()))
        return
    uvicorn.run(
        **config,
        app_dir=str(folder),
        reload=True,
        reload_dirs=[str(folder)],
        use_colors=_COLOURS in options,
    )


def _serve_at_terminal(config: uvicorn.Config) -> None:
    """Serve the app, and shut it down cleanly however often Ctrl-C arrives.

    One Ctrl-C arrives twice: the terminal sends it to all its processes, and the front
    end passes on its own. uvicorn would take the second as a request to skip the app's
    shutdown. A user's second Ctrl-C is handled by the front end.
    """
    import uvicorn

    from workshop.testing.app.breakpoints import debug_at_breakpoints

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:
                super().handle_exit(sig, frame)

    server = Server(config)
    sys.stdout = SafeStream(sys.stdout)
    sys.stderr = SafeStream(sys.stderr)
    end = _EndByDebugger(server)
    debug_at_breakpoints(end)
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(end)
    with contextlib.suppress(KeyboardInterrupt, bdb.BdbQuit):
        server.run()
    if not server.started:
        sys.exit(1)


class _EndByDebugger(logging.Filter):
    """Ends *server* when its debugger is quit, without a traceback of that."""

    def __init__(self, server: uvicorn.Server) -> None:
        super().__init__()
        self._server = server
        self._has_quit = False

    def __call__(self) -> None:
        """Say that the debugger was quit, and let the server shut down."""
        if not self._has_quit:
            self._has_quit = True
            sys.stderr.write("You quit the debugger, so the app shuts down.\n")
        self._server.should_exit = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether *record* may be shown."""
        error = record.exc_info[1] if record.exc_info else None
        # uvicorn reports what failed at startup as text.
        if (
            _is_quit(error)
            or f"{bdb.BdbQuit.__module__}.BdbQuit" in record.getMessage()
        ):
            self()
            return False
        # After a quit at startup, "Application startup failed" would be misleading.
        return self._server.started or not self._has_quit


def _is_quit(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_quit, error.exceptions))
    return isinstance(error, bdb.BdbQuit)


def _accept_ctrl_c() -> None:
    """Let uvicorn's reloader end its process on Windows, which it does with Ctrl-C.

    A process started in its own group would ignore that.
    """
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetConsoleCtrlHandler(None, False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
