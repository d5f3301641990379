"""Record what occupies the event loop: the entry point of this package.

async with record() as recording:
    await asyncio.gather(fetch("venue"), fetch("seats"))
print(recording)
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
"""The media type under which a notebook stores a recording, to draw it again."""

# Coroutines with this code separate a request from the task that serves it.
BOUNDARIES: set[CodeType] = set()


def record(
    *,
    title: str = "What occupied the event loop",
    here: str | None = "you",
    blocking_ms: float = 50,
    users: Callable[[str], bool] | None = None,
    prefer: str | Path | None = None,
    watch: bool = True,
    ordered: bool = False,
) -> Recording:
    """Return a recording, to be used with `with` or `async with`.

    It records everything that the running loop does inside the block, including tasks
    that other code has started. Afterwards, `Recording.timeline` has the result. The
    recorded code behaves as usual, because the recording only observes how the loop
    queues the steps of tasks. Each step takes some microseconds longer, so do not
    record load tests.

    The first request to a `def` endpoint imports modules and starts threads. Make one
    request before you record, so that the picture does not show this.

    The recording does not see what the loop itself does when data arrives at a socket,
    such as parsing a request, nor how long that data has waited. This holds for
    asyncio's loop and for uvloop. It sees threads that are started through anyio (as in
    Starlette and FastAPI), `asyncio.to_thread` or `run_in_executor`. A task that began
    earlier is recorded from its next step on.

    Args:
        title: the title of the picture in a notebook.
        here: the name of the lane of the block itself. With None it has no lane.
        blocking_ms: code that occupies the loop for this long blocks it.
        users: returns whether a file name is the user's code. By default, this is all
            code except installed packages, Python and the workshop.
        prefer: a file whose code is quoted if it takes part in a lane.
        watch: use a thread to observe which line blocks the loop. Virtual time does not
            need it.
        ordered: record the order and the overlap of events, but no durations. This is
            for tests, in which gates open at once.
    """
    files = Files(users, prefer)
    return Recording(title, here, blocking_ms, files, watch, ordered=ordered)


_FULL = "The loop took too many steps to record, so the end is missing."


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
            RuntimeError: the block has not ended.

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
        """The recorder that observes the loop; None before the block begins."""
        return self._recorder

    def __enter__(self) -> Recording:
        if self._recorder is not None:
            raise RuntimeError("A recording can be used once. Call record() again.")
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
            return "<Recording, not ended>"
        lanes, duration = len(self.timeline.lanes), self.timeline.duration
        return f"<Recording of {lanes} lanes, {duration:.0f} ms>"

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> Mapping[str, Any]:
        """Return what a notebook shows."""
        if self._recorder is None or not self._recorder.over:
            return {"text/plain": repr(self)}
        # Import these only for drawing.
        from workshop.timeline.svg import svg
        from workshop.timeline.text import text

        return {
            JSON: {"title": self.title, **self.timeline.as_json()},
            "image/svg+xml": svg(self.timeline, title=self.title),
            "text/plain": text(self.timeline, title=self.title),
        }


def mark(label: str, lane: str = "") -> None:
    """Mark this moment in all recordings of the running loop.

    A mark is a small triangle with a label, such as "commit". It belongs to the lane
    that is running, or to a lane of its own called *lane*. Without a recording, nothing
    happens.

    Args:
        label: what happens at this moment.
        lane: the name of a lane that has only marks, such as a customer's name.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # a thread
        return
    for recorder in recorders_of(loop):
        recorder.mark(label, lane)


@contextmanager
def call(name: str) -> Iterator[None]:
    """Give the awaited call in this block a lane of its own, below its caller.

    Without a recording, nothing happens.

    Args:
        name: the name of the lane, such as `ask_price('Apollo')`.
    """
    with ExitStack() as lanes:
        for recorder in recorders_of(asyncio.get_running_loop()):
            lanes.enter_context(recorder.call(name, waits=True))
        yield


def recorders_of(loop: asyncio.AbstractEventLoop) -> tuple[Recorder, ...]:
    """Return the recorders of *loop*."""
    return tuple(_recorders.get(loop, ()))


_recorders: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[Recorder]] = (
    weakref.WeakKeyDictionary()
)
