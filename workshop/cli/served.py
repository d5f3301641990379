"""Serve a learner's app, reloaded when it is saved, until its owner ends it.

``python -m workshop.cli.served PORT FOLDER`` serves the app in FOLDER.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workshop.processes.environment import environment_of_apps
from workshop.processes.supervised import SupervisedProcess

_ROOT = Path(__file__).resolve().parents[2]
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

    *listen* is called with each line that the server or the app writes, from a
    thread; without it they write to our own streams, and the app may read from our
    terminal, as `breakpoint()` does. Relative paths in the app begin at *scratch*.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        environment: Mapping[str, str],
        scratch: Path,
        listen: Callable[[str], None] | None = None,
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._port = port
        # It runs in another folder, where a relative path leads nowhere.
        paths = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
        streams: dict[str, Any] = {}
        if listen is not None:
            streams = {
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.STDOUT,
                "encoding": "utf-8",
                "errors": "replace",
            }
        self._supervised = SupervisedProcess(
            [sys.executable, "-m", __name__, str(port), str(folder)],
            cwd=scratch,
            environment=environment_of_apps({**environment, "PYTHONPATH": paths}),
            grace=_SHUTDOWN_SECONDS,
            **streams,
        )
        self._reader: threading.Thread | None = None
        if listen is not None:
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

    def _read(self, listen: Callable[[str], None]) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in self._supervised.process.stdout or ():
                listen(line.rstrip())

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


def is_taken(port: int) -> bool:
    """Return whether a server accepts connections at *port* of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def main(port: int, folder: Path) -> None:
    """Serve the app in *folder*."""
    import uvicorn

    _accept_ctrl_c()
    uvicorn.run(
        "workshop.cli.own_docs:served",
        factory=True,
        app_dir=str(folder),
        host="127.0.0.1",
        port=port,
        reload=True,
        reload_dirs=[str(folder)],
        use_colors=sys.stdout.isatty(),
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )


def _accept_ctrl_c() -> None:
    """Let uvicorn's reloader end its process on Windows, which it does by Ctrl-C.

    A process that was started in a group of its own would ignore that.
    """
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetConsoleCtrlHandler(None, False)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
