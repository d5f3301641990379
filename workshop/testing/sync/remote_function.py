"""Calling a stand-in from another process.

An app may hand its work to a process pool. A gate cannot be pickled, but its address
can: the other process calls back, and waits for the result there.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

Function = Callable[..., Any]


class RemoteFunction:
    """Lets other processes call a function of this one, until `close`."""

    def __init__(self, function: Function) -> None:
        """Listen on a local address, in a daemon thread, for calls of *function*."""
        self._function = function
        self._key = os.urandom(16)
        self._listener = Listener(None, authkey=self._key)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def handle(self) -> tuple[Function, tuple[Any, bytes]]:
        """What pickle needs to make a `RemoteCaller` on the other side."""
        return RemoteCaller, (self._listener.address, self._key)

    def close(self) -> None:
        """Accept no more calls."""
        with contextlib.suppress(OSError):
            self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                caller = self._listener.accept()
            except Exception:  # noqa: BLE001 -- closed, or a caller without the key
                return
            threading.Thread(target=self._serve, args=[caller], daemon=True).start()

    def _serve(self, caller: Connection) -> None:
        with caller, contextlib.suppress(OSError, EOFError):
            args, kwargs = caller.recv()
            try:
                answer = True, self._function(*args, **kwargs)
            except Exception as exc:  # noqa: BLE001 -- raised again on the other side
                answer = False, exc
            caller.send(answer)


class RemoteCaller:
    """The other side of a `RemoteFunction`, in another process."""

    def __init__(self, address: Any, key: bytes) -> None:
        """Call at *address*."""
        self._address, self._key = address, key

    def blocking(self, *args: Any, **kwargs: Any) -> Any:
        """Make the call, and wait for its result."""
        with Client(self._address, authkey=self._key) as connection:
            connection.send((args, kwargs))
            went_well, answer = connection.recv()
        if not went_well:
            raise answer
        return answer
