"""What callers wait at, in a loop or in a thread, until somebody lets them go."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from workshop.testing.sync.condition import Condition
from workshop.testing.time.event_loop import owner


class Latch:
    """Opens once, for everyone; or lets those go who wait on behalf of one app."""

    def __init__(self, condition: Condition) -> None:
        """Notify *condition* when it opens."""
        self._condition = condition
        self._changed = threading.Condition()
        self._open = False
        self._let_go: weakref.WeakSet[object] = weakref.WeakSet()

    @property
    def is_open(self) -> bool:
        """Whether everyone passes."""
        return self._open

    def open(self) -> None:
        """Let everyone pass, now and from now on. Safe in any thread."""
        self._open = True
        self._tell()

    def let_go(self, app: object) -> None:
        """Let pass, now and from now on, who calls on behalf of *app*."""
        self._let_go.add(app)
        self._tell()

    def opens_for_me(self) -> Callable[[], bool]:
        """Return the question whether the present caller may pass."""
        app = owner.get()
        return lambda: self._open or (app is not None and app in self._let_go)

    def wait(self, seconds: float | None) -> bool:
        """Wait in a thread for *seconds* at most; return whether one may pass.

        None is no limit.
        """
        opens = self.opens_for_me()
        with self._changed:
            return self._changed.wait_for(opens, seconds)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        self._condition.notify_all()
