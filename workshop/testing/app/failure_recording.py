"""Recording what the event loop does in the current test, for the report of a failure.

A test marked `timeline` is recorded as soon as its app has started. Calls of stand-ins
appear as calls of what they stand for. The test itself does not appear.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from workshop.testing.app.exchange import Asgi
from workshop.testing.sync.condition import on_event_loop
from workshop.timeline import NameRequests, Recording, Timeline, record
from workshop.timeline.fold import fold
from workshop.timeline.places import short_value

OFF = "WORKSHOP_NO_FAILURE_RECORDING"
"""With this in the environment nothing is recorded; for comparing the two."""

_LANES = 6
_BYTES = 20_000


class _Current:
    """The state of the current test's recording."""

    wanted = False
    recording: Recording | None = None
    over = False


def choose_recording(wanted: bool) -> None:
    """Set whether the test that begins is to be recorded."""
    forget_recording()
    _Current.wanted = wanted and OFF not in os.environ


def start_recording(file: Path) -> None:
    """Record the running loop from now on, for the app in *file*, if wanted."""
    if not _Current.wanted or _Current.recording is not None:
        return
    learners = str(file)
    _Current.recording = record(
        here=None,
        users=lambda name: name == learners,
        prefer=file,
        ordered=True,
    )
    _Current.recording.__enter__()


def end_recording() -> None:
    """Stop recording: what follows is the end of the test."""
    if _Current.recording is not None and not _Current.over:
        _Current.over = True
        _Current.recording.__exit__(None, None, None)


def forget_recording() -> None:
    """Drop the recording of the previous test."""
    end_recording()
    _Current.wanted, _Current.recording, _Current.over = False, None, False


def recording_as_json() -> dict[str, Any] | None:
    """Return what was recorded, if it can show an order or an overlap.

    It is cut to what fits in a terminal.
    """
    if _Current.recording is None:
        return None
    end_recording()
    timeline = _cut(_Current.recording.timeline)
    if len(timeline.lanes) < 2:
        return None
    found = timeline.as_json()
    return found if len(repr(found)) <= _BYTES else None


def _cut(timeline: Timeline) -> Timeline:
    return replace(timeline, lanes=fold(timeline, _LANES))


def name_requests(app: Asgi) -> Asgi:
    """Return *app* with a lane for each request, if a recording is being made."""
    return app if _Current.recording is None or _Current.over else NameRequests(app)


def record_calls(name: str, stand_in: Any) -> Any:
    """Return *stand_in* so that its calls are recorded as calls of *name*."""
    if not _Current.wanted or not callable(stand_in) or isinstance(stand_in, type):
        return stand_in
    called = stand_in if inspect.isroutine(stand_in) else type(stand_in).__call__
    if inspect.isasyncgenfunction(called) or inspect.isgeneratorfunction(called):
        return stand_in
    if inspect.iscoroutinefunction(called):
        return _awaited(name, stand_in, called)
    return RecordedStandIn(name, stand_in)


def _awaited(
    name: str, stand_in: Callable[..., Any], called: Callable[..., Any]
) -> Callable[..., Any]:
    # A coroutine that is never awaited is told by the name of what was called.
    @functools.wraps(called, updated=())
    async def awaited(*args: Any, **options: Any) -> Any:
        with _lane(_call(name, args, options), waits=True):
            return await stand_in(*args, **options)

    return awaited


class RecordedStandIn:
    """A stand-in whose calls, by threads or on the loop, are recorded.

    Apart from that it behaves as the stand-in itself.
    """

    def __init__(self, name: str, stand_in: Callable[..., Any]) -> None:
        """Wrap *stand_in*, which stands for *name*."""
        self._name, self._stand_in = name, stand_in
        functools.update_wrapper(self, stand_in, updated=())

    def __getattr__(self, name: str) -> Any:
        """Return the stand-in's attribute."""
        return getattr(self._stand_in, name)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Pickle as the stand-in alone, because other processes do not record."""
        return _itself, (self._stand_in,)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call it, in a lane of its own unless the call blocks the loop."""
        if not on_event_loop():
            with _lane(_call(self._name, args, options), waits=False):
                return self._stand_in(*args, **options)
        owner = getattr(self._stand_in, "__self__", self._stand_in)
        before = getattr(owner, "held", None)
        answer = self._stand_in(*args, **options)
        if before is None and getattr(owner, "held", None) is not None:
            _hold()
        return answer


def _itself(stand_in: Any) -> Any:
    return stand_in


@contextmanager
def _lane(name: str, *, waits: bool) -> Iterator[None]:
    recorder = (
        None
        if _Current.recording is None or _Current.over
        else _Current.recording.recorder
    )
    if recorder is None:
        yield
        return
    with recorder.call(name, waits=waits):
        yield


def _hold() -> None:
    """End the recording: without the gate, this call would block the loop."""
    if (
        _Current.recording is not None
        and not _Current.over
        and _Current.recording.recorder is not None
    ):
        _Current.recording.recorder.hold(sys._getframe(2))


def _call(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> str:
    values = filter(None, map(short_value, (*args, *options.values())))
    return f"{name}({', '.join(values)})"
