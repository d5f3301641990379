"""Notice that a file may have changed, also where nobody tells of it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_STEP_MS = 2
"""So long after a change another one is waited for: editors write in bursts."""
_BURST_MS = 50
_GLANCE_SECONDS = 1.0
"""How often the file is looked at although nothing was told of it."""
_POLL_SECONDS = 0.1
_PROBE_SECONDS = 1.0
POLLING = "WORKSHOP_POLLING"
"""Environment variable: read the file again and again, whatever is told."""

_MUTE = "The file system of this folder does not tell of changes."


class Watcher:
    """Calls *look* whenever one of *files* may have changed, in its own thread.

    It only hints; whether a file did change is for *look* to find out. The
    operating system tells of changes, and a probe file shows at the start
    whether it does so in this folder. Folders shared with a virtual machine or
    over a network often keep silent: then *look* is called ten times a
    second. *told* hears once which of the two it is, and why.
    """

    def __init__(
        self,
        files: Iterable[Path],
        look: Callable[[], None],
        told: Callable[[bool, str], None],
    ) -> None:
        self._files = {os.fspath(file) for file in files}
        self._folders = sorted({os.fspath(Path(file).parent) for file in self._files})
        self._look = look
        self._told = told
        self._heard = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching. No call comes afterwards."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        reason = f"{POLLING} is set."
        while not os.environ.get(POLLING):
            reason = self._listen()
            if reason or self._stop.wait(_GLANCE_SECONDS):
                break
            self._look()
        if self._stop.is_set():
            return
        self._told(True, f"{reason} So app.py is read ten times a second instead.")
        while not self._stop.wait(_POLL_SECONDS):
            self._look()

    def _listen(self) -> str:
        """Listen to the operating system.

        Returns why that is of no use here; nothing when the folder has been
        replaced by another one, or when it is time to stop.
        """
        from watchfiles._rust_notify import RustNotify

        try:
            identity = self._identity()
            # It is not to poll by itself, as it would anywhere in WSL.
            rust = RustNotify(self._folders, False, False, 0, False, True)
        except FileNotFoundError:
            return ""
        except Exception as problem:  # noqa: BLE001 -- it has an error of its own
            return f"The system refused to watch this folder ({problem})."
        with rust, Probe(self._folders[0], needed=not self._heard) as probe:
            while True:
                changes = rust.watch(
                    _BURST_MS, _STEP_MS, int(1000 * _GLANCE_SECONDS), self._stop
                )
                if changes == "stop" or self._stop.is_set():
                    return ""
                told = () if isinstance(changes, str) else changes
                paths = {path for _, path in told}
                if not paths or paths & self._files:
                    self._look()
                if probe.needed and (paths or probe.is_late()):
                    if not paths:
                        return _MUTE
                    probe.remove()
                    self._heard = True
                    self._told(False, "")
                with contextlib.suppress(OSError):
                    if not paths and self._identity() != identity:
                        return ""

    def _identity(self) -> list[tuple[int, int]]:
        stats = [Path(folder).stat() for folder in self._folders]
        return [(stat.st_dev, stat.st_ino) for stat in stats]


class Probe:
    """A file that is made to see whether its making is told."""

    def __init__(self, folder: str, *, needed: bool) -> None:
        self.path = Path(folder, f".watching-{os.getpid()}")
        self.needed = needed
        self._deadline = time.monotonic() + _PROBE_SECONDS
        if needed:
            # Where we may not write, a change of app.py has to show it.
            with contextlib.suppress(OSError):
                self.path.touch()

    def __enter__(self) -> Probe:
        """Return the probe itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave no file."""
        self.remove()

    def is_late(self) -> bool:
        """Whether it should have been told by now."""
        return time.monotonic() >= self._deadline

    def remove(self) -> None:
        """Remove the file; it has done its work."""
        if self.needed:
            self.needed = False
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
