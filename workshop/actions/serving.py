"""Serve a learner's app, reloaded when it is saved, until its owner ends it.

``python -m workshop.actions.serving PORT FOLDER`` serves the app in FOLDER. With
``--colours`` the server's own words have some; ``--debug`` is for a debugger.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from workshop.actions.ports import is_taken
from workshop.processes.environment import environment_of_apps
from workshop.processes.supervised import SupervisedProcess
from workshop.terminal.output import (
    colours_are_wanted,
    copy_sanitized,
    safe,
    trusted,
)

if TYPE_CHECKING:
    import uvicorn

_ROOT = Path(__file__).resolve().parents[2]
_DEBUG = "--debug"
_COLOURS = "--colours"
_TICK_SECONDS = 0.05
_CLOSE_SECONDS = 2
"""How long the server lets open requests go on before it cancels them.

Without a limit a stream that a browser has open would keep the app from its own
shutdown code until it is killed.
"""

_SHUTDOWN_SECONDS = 10.0
"""How long that and the app's shutdown code may take before all is killed."""


class Served:
    """The app in *folder*, served at `address` and reloaded when it is saved.

    What the server and the app write is sanitized: *listen* is called with each line,
    from a thread; without it everything goes to standard output. With *debug* the app
    has the terminal instead, for a debugger, and is not reloaded. Relative paths in
    the app begin at *scratch*.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        environment: Mapping[str, str],
        scratch: Path,
        listen: Callable[[str], None] | None = None,
        debug: bool = False,
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._port = port
        # It runs in another folder, where a relative path leads nowhere.
        paths = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
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
            [sys.executable, "-m", __name__, str(port), str(folder), *options],
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
        """Return the served app itself."""
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
        """Wait for the first connection that can be made to the app.

        Return False if the server ends before that. An app that cannot be loaded is
        loaded again when it is saved, so this may take until then.
        """
        while self._supervised.poll() is None:
            if is_taken(self._port):
                return True
            time.sleep(_TICK_SECONDS)
        return False

    def wait(self) -> int:
        """Wait until the server has ended, and return its exit code."""
        return self._supervised.wait()

    def close(self) -> None:
        """End the server, with the app's own shutdown, and all that it has started."""
        self._supervised.end()
        if self._reader is not None:
            self._reader.join(1)  # its last lines, before the pipe is closed
        self._supervised.close()


def _options(debug: bool, in_colours: bool) -> list[tuple[str, bool]]:
    return [(_DEBUG, debug), (_COLOURS, in_colours)]


def main(port: int, folder: Path, options: Collection[str]) -> None:
    """Serve the app in *folder*; *options* are those of this module."""
    import uvicorn

    _accept_ctrl_c()
    config: dict[str, Any] = {
        "app": "workshop.actions.offline_docs:served",
        "factory": True,
        "host": "127.0.0.1",
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
    """Serve the app, and let it shut down however often Ctrl-C arrives.

    One Ctrl-C arrives twice: the terminal sends it to all of its programs, and the
    front end passes on its own. uvicorn would take the second for impatience, and
    leave the app's shutdown out. A person's second Ctrl-C is for the front end.
    """
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:
                super().handle_exit(sig, frame)

    server = Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


def _accept_ctrl_c() -> None:
    """Let uvicorn's reloader end its process on Windows, which it does by Ctrl-C.

    A process that was started in a group of its own would ignore that.
    """
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetConsoleCtrlHandler(None, False)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
