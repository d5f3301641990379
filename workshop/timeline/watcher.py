"""Observe blocking code from a thread, which the loop cannot block."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Protocol


class Watched(Protocol):
    """The object that a watcher observes."""

    def turn(self) -> object:
        """Return a value that changes with each step of the loop, or None."""

    def note_held(self, turn: object, frame: FrameType | None) -> None:
        """Note that the loop executed *frame* during *turn*."""


class Watcher:
    """Checks regularly whether the loop is still in the same step."""

    def __init__(self, watched: Watched, seconds: float) -> None:
        """Watch the loop of the thread that calls this."""
        self._watched, self._seconds = watched, seconds
        self._loop_thread = threading.get_ident()
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="timeline watcher", daemon=True
        )

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before = None
        while not self._over.wait(self._seconds):
            turn = self._watched.turn()
            if turn is not None and turn == before:
                frame = sys._current_frames().get(self._loop_thread)
                self._watched.note_held(turn, frame)
                del frame  # otherwise the frame would keep its variables alive
            before = turn
