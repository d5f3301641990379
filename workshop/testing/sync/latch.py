"""A latch on which callers wait, in an event loop or in a thread, until it opens."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from workshop.testing.sync.condition import Condition
from workshop.testing.time.event_loop import owner


class Latch:
    """Opens once, for everyone, or earlier for callers on behalf of one app."""

    def __init__(self, condition: Condition) -> None:
        """Notify *condition* when it opens."""
        self._condition = condition
        self._changed = threading.Condition()
        self._open = False
        self._let_go: weakref.WeakSet[object] = weakref.WeakSet()

    @property
    def is_open(self) -> bool:
        """Whether every caller passes."""
        return self._open

    def open(self) -> None:
        """Let every caller pass, now and from now on. Safe in any thread."""
        self._open = True
        self._tell()

    def let_go(self, app: object) -> None:
        """Let callers on behalf of *app* pass, now and from now on."""
        self._let_go.add(app)
        self._tell()

    def opens_for_me(self) -> Callable[[], bool]:
        """Return a function that says whether the present caller may pass."""
        app = owner.get()
        return lambda: self._open or (app is not None and app in self._let_go)

    def wait(self, seconds: float | None) -> bool:
        """Wait in a thread for at most *seconds*; return whether the caller may pass.

        None means no limit.
        """
        opens = self.opens_for_me()
        with self._changed:
            return self._changed.wait_for(opens, seconds)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._condition.notify_all()
