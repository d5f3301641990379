"""Notice that a file may have changed, even where the system does not report it."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_STEP_MS = 2
"""How long to wait for a further change, because editors write in bursts."""
_BURST_MS = 50
_TURN_MS = 20
"""How long one wait for a change lasts."""
_GLANCE_SECONDS = 1.0
"""How often to look at the file although no change was reported."""
_POLL_SECONDS = 0.1
_PROBE_SECONDS = 1.0
POLLING = "WORKSHOP_POLLING"
"""Environment variable: read the file again and again, whatever is reported."""

_MUTE = "The file system of this folder does not report changes."


class Watcher:
    """Calls `look` whenever one of `files` may have changed, in a thread of its own.

    That is only a hint: `look` finds out whether a file did change. The operating
    system reports changes, and a probe file shows at the start whether it does so
    in this folder. Folders shared with a virtual machine or over a network often
    report nothing. There, `look` is called ten times a second. `report` is called once
    with whether that is so, and why.
    """

    def __init__(
        self,
        files: Iterable[Path],
        look: Callable[[], None],
        report: Callable[[bool, str], None],
    ) -> None:
        self._files = {os.fspath(file) for file in files}
        self._folders = sorted({os.fspath(Path(file).parent) for file in self._files})
        self._look = look
        self._report = report
        self._reported = False
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
        self._report(True, f"{reason} So app.py is read ten times a second instead.")
        while not self._stop.wait(_POLL_SECONDS):
            self._look()

    def _listen(self) -> str:
        """Wait for reports of the operating system.

        Returns why they are of no use here; nothing if the folder has been
        replaced by another one, or if it is time to stop.
        """
        import watchfiles

        waiting = watchfiles.watch(
            *self._folders,
            watch_filter=None,
            debounce=_BURST_MS,
            step=_STEP_MS,
            stop_event=self._stop,
            rust_timeout=_TURN_MS,
            yield_on_timeout=True,
            debug=False,
            raise_interrupt=False,
            # By default it polls anywhere in WSL.
            force_polling=False,
            recursive=False,
            ignore_permission_denied=True,
        )
        with contextlib.closing(waiting):
            try:
                identity = self._identity()
                # Watching begins with the first wait, so the probe comes after it.
                first = next(waiting, set())
            except FileNotFoundError:
                return ""
            except Exception as problem:  # noqa: BLE001 -- it has an error of its own
                return f"The system refused to watch this folder ({problem})."
            glance = time.monotonic() + _GLANCE_SECONDS
            with Probe(self._folders[0], needed=not self._reported) as probe:
                for changes in itertools.chain([first], waiting):
                    paths = {path for _, path in changes}
                    is_due = time.monotonic() >= glance
                    if is_due or paths & self._files:
                        self._look()
                    if probe.needed and (paths or probe.is_late()):
                        if not paths:
                            return _MUTE
                        probe.remove()
                        self._reported = True
                        self._report(False, "")
                    if is_due:
                        glance = time.monotonic() + _GLANCE_SECONDS
                        if self._is_replaced(identity):
                            return ""
        return ""

    def _identity(self) -> list[tuple[int, int]]:
        stats = [Path(folder).stat() for folder in self._folders]
        return [(stat.st_dev, stat.st_ino) for stat in stats]

    def _is_replaced(self, identity: list[tuple[int, int]]) -> bool:
        with contextlib.suppress(OSError):
            return self._identity() != identity
        return False


class Probe:
    """A file that is made to see whether the system reports that it was made."""

    def __init__(self, folder: str, *, needed: bool) -> None:
        self.path = Path(folder, f".watching-{os.getpid()}")
        self.needed = needed
        self._deadline = time.monotonic() + _PROBE_SECONDS
        if needed:
            # In a folder that cannot be written, a change of app.py has to show it.
            with contextlib.suppress(OSError):
                self.path.touch()

    def __enter__(self) -> Probe:
        """Return the probe itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave no file."""
        self.remove()

    def is_late(self) -> bool:
        """Return whether it should have been reported by now."""
        return time.monotonic() >= self._deadline

    def remove(self) -> None:
        """Remove the file, which is no longer needed."""
        if self.needed:
            self.needed = False
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
