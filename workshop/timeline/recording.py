"""Record who held the event loop: the entry point of this package.

async with record() as recording:
    await asyncio.gather(fetch("venue"), fetch("seats"))
print(recording)
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from workshop.timeline.assembly import Scale, assemble
from workshop.timeline.model import Timeline
from workshop.timeline.order import in_order
from workshop.timeline.places import Files
from workshop.timeline.recorder import Recorder
from workshop.timeline.tap import has_own_time
from workshop.timeline.threads import anyio_threads
from workshop.timeline.watcher import Watcher

JSON = "application/vnd.workshop.timeline+json"
"""What a notebook keeps of a recording: enough to draw it in another width."""

# Coroutines with this code separate a request from the task that serves it.
BOUNDARIES: set[CodeType] = set()


def record(
    *,
    title: str = "Who held the event loop",
    here: str | None = "you",
    blocking_ms: float = 50,
    users: Callable[[str], bool] | None = None,
    prefer: str | Path | None = None,
    watch: bool = True,
    ordered: bool = False,
) -> Recording:
    """Return a recording, to be used with `with` or `async with`.

    Everything that the running loop does inside the block is recorded, whichever code
    started it. Afterwards `Recording.timeline` has it. The recorded code behaves as
    always: the recording observes how the loop queues the steps of tasks, and changes
    neither tasks nor coroutines. It costs some microseconds a step, so it is not for
    load tests.

    The first request to a `def` endpoint imports and starts a lot. Make one request
    before you record, or all that is in the picture.

    Not seen, with asyncio's loop and with uvloop: what the loop itself does when data
    arrives at a socket, such as parsing a request, and how long that data has waited.
    Threads are seen if they are asked for through anyio (as Starlette and FastAPI do),
    `asyncio.to_thread` or `run_in_executor`. A task from before the recording is seen
    from its next step on.

    Args:
        title: what a notebook writes above the picture.
        here: the name of the lane of the block itself; None leaves it out.
        blocking_ms: code that holds the loop for this long blocks it.
        users: says of a file name whether it is the user's code. By default that is all
            code that is not installed, not Python's own and not the workshop's.
        prefer: a file; where its code takes part, a lane quotes it.
        watch: let a thread observe which line blocks the loop, while it does. Virtual
            time needs no such thread.
        ordered: record what came before what, and what went on at the same time, but no
            durations. For tests, where gates open at once.
    """
    files = Files(users, prefer)
    return Recording(title, here, blocking_ms, files, watch, ordered=ordered)


_FULL = "The loop took too many steps to record; what came later is missing."


class Recording:
    """What the event loop did during one block of code."""

    def __init__(
        self,
        title: str,
        here: str | None,
        blocking_ms: float,
        files: Files,
        watch: bool,
        *,
        ordered: bool = False,
    ) -> None:
        """Prepare it; see `record`."""
        self.title = title
        self._ordered = ordered
        self._here, self._blocking, self._files = here, blocking_ms, files
        self._watch = watch
        self._watcher: Watcher | None = None
        self._recorder: Recorder | None = None
        self._timeline: Timeline | None = None
        self._patches = ExitStack()

    @property
    def timeline(self) -> Timeline:
        """What was recorded.

        Raises:
            RuntimeError: before the block has ended.

        """
        recorder = self._recorder
        if recorder is None or not recorder.over:
            raise RuntimeError(
                "The recording has not ended, so there is no timeline yet. "
                "Ask for it after the `with record()` block."
            )
        if self._timeline is None:
            loop = recorder.tap.loop
            scale = Scale(
                recorder.began_at,
                recorder.ended_at,
                self._blocking,
                exact=self._ordered or has_own_time(loop),
                ordered=self._ordered,
            )
            found = assemble(
                recorder.tracks,
                scale,
                (_FULL,) if recorder.full else (),
                here=self._here is not None,
            )
            self._timeline = in_order(found) if self._ordered else found
        return self._timeline

    @property
    def recorder(self) -> Recorder | None:
        """The recorder that listens to the loop; None before the block begins."""
        return self._recorder

    def __enter__(self) -> Recording:
        if self._recorder is not None:
            raise RuntimeError("A recording can be made once. Call record() again.")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "There is no running event loop to record. Use `with record()` "
                "inside an `async def` function, or in a notebook's cell."
            ) from None
        recorder = self._recorder = Recorder(
            loop, self._files, frozenset(BOUNDARIES), ordered=self._ordered
        )
        self._patches.enter_context(anyio_threads(loop, recorder.handed_over))
        _recorders.setdefault(loop, []).append(recorder)
        if self._watch and not self._ordered and not has_own_time(loop):
            self._watcher = Watcher(recorder, self._blocking / 4000)
            self._watcher.start()
        recorder.start(self._here or "the recording code")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        recorder = self._recorder
        assert recorder is not None, "it was entered"
        if self._watcher is not None:
            self._watcher.stop()
        self._patches.close()
        recorder.stop(failure)
        loop = recorder.tap.loop
        _recorders[loop].remove(recorder)
        if not _recorders[loop]:
            del _recorders[loop]

    async def __aenter__(self) -> Recording:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, failure, traceback)

    def __repr__(self) -> str:
        if self._recorder is None:
            return "<Recording, not begun>"
        if not self._recorder.over:
            return "<Recording, going on>"
        lanes, duration = len(self.timeline.lanes), self.timeline.duration
        return f"<Recording of {lanes} lanes, {duration:.0f} ms>"

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> Mapping[str, Any]:
        """Show itself in a notebook."""
        if self._recorder is None or not self._recorder.over:
            return {"text/plain": repr(self)}
        # Drawing is not needed to record.
        from workshop.timeline.svg import svg
        from workshop.timeline.text import text

        return {
            JSON: {"title": self.title, **self.timeline.as_json()},
            "image/svg+xml": svg(self.timeline, title=self.title),
            "text/plain": text(self.timeline, title=self.title),
        }


def recorders_of(loop: asyncio.AbstractEventLoop) -> tuple[Recorder, ...]:
    """Return the recorders of *loop*."""
    return tuple(_recorders.get(loop, ()))


_recorders: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Recorder]] = (
    weakref.WeakKeyDictionary()
)
