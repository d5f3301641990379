"""Serve a learner's app beside watch mode, and end it for sure.

``python -m workshop.cli.served PORT FOLDER`` serves the app in FOLDER until its
standard input ends. That is when its owner closes the pipe, or dies in whatever
way: then no server stays behind to hold the port.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from workshop.terminal.output import safe

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 5.0


class Served:
    """The app in *folder*, served at `address` and reloaded when it is saved.

    *listen* is told each line that the server or the app writes, from a
    thread. What the app writes to files goes to *scratch*.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        environment: Mapping[str, str],
        scratch: Path,
        listen: Callable[[str], None],
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        # It runs in another folder, where a relative path leads nowhere.
        paths = os.pathsep.join([str(_ROOT), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(port), str(folder)],
            cwd=scratch,
            env={
                **os.environ,
                **environment,
                "PYTHONPATH": paths,
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, args=(listen,), daemon=True)
        self._reader.start()

    def _read(self, listen: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                listen(safe(line).rstrip())

    def close(self) -> None:
        """End the server and all that it has started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            _kill(self._process.pid)
            self._process.wait()
        self._reader.join(_SECONDS)
        self._process.stdout.close()


def _kill(pid: int) -> None:
    """Kill a process and its descendants: a learner's app may refuse to go."""
    family = []
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _end_with_owner() -> None:
    sys.stdin.buffer.read()
    _kill(os.getpid())


def main(port: int, folder: Path) -> None:
    """Serve the app in *folder* until standard input ends."""
    import uvicorn

    threading.Thread(target=_end_with_owner, daemon=True).start()
    uvicorn.run(
        "workshop.cli.own_docs:served",
        factory=True,
        app_dir=str(folder),
        host="127.0.0.1",
        port=port,
        reload=True,
        reload_dirs=[str(folder)],
        use_colors=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
