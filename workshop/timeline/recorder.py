"""Follow every task of an event loop, and note when it did what."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import CORO_CREATED, getcoroutinestate
from types import CodeType, FrameType
from typing import Any

from workshop.private_apis.event_loop import error_of
from workshop.timeline.model import Outcome
from workshop.timeline.places import (
    CodeLocation,
    Files,
    frames_above,
    frames_of,
    name_of,
    without_addresses,
)
from workshop.timeline.tap import Tap, Task
from workshop.timeline.threads import function_of, handed_over_by_users
from workshop.timeline.tracks import Kind, Slice, Track


@dataclass(eq=False, slots=True)
class Open:
    """A slice that has not ended.

    `task` is the task whose step it is. While a task is being created that may run at
    once, the task is not known yet, and `making` is its coroutine.
    """

    track: Track | None
    ready: float
    start: float
    task: Task | None = None
    making: object = None
    held: tuple[CodeLocation, ...] = ()
    longest: float = 0.0
    blocks: bool = False

    def close(self, end: float, parked: tuple[CodeLocation, ...] = ()) -> None:
        """Add the slice to its track."""
        if self.track is not None:
            self.track.slices.append(
                Slice(self.ready, self.start, end, parked, self.held, self.blocks)
            )
        self.held, self.longest, self.blocks = (), 0.0, False


class Recorder:
    """Listens to a loop and keeps the tracks."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        files: Files,
        boundaries: frozenset[CodeType],
        *,
        ordered: bool = False,
    ) -> None:
        """Follow *loop*. Frames of *boundaries* separate requests from their task.

        An *ordered* recording does not use the loop's own clock, which may stand still.
        """
        self.ordered = ordered
        self.tap = Tap(loop, self, time.perf_counter if ordered else None)
        self._threads = threading.local()
        self.tracks: list[Track] = []
        self.running: list[Open] = []
        self.files = files
        self._boundaries = boundaries
        # The code that contains the recording block. Its callers do not matter.
        self._block: CodeType | None = None
        # A task has one track, and a second one while it serves a request.
        self._tracks_of: weakref.WeakKeyDictionary[Task, list[Track]] = (
            weakref.WeakKeyDictionary()
        )
        self._requests = 0
        self._responses: dict[Track, Track] = {}
        self._named: dict[str, Track] = {}
        self.began_at = self.ended_at = 0.0
        self.over = self.full = False
        self._steps = 0

    # ---- from beginning to end

    def start(self, here: str) -> None:
        """Start recording. The running task gets a track called *here*."""
        task = _current_task(self.tap.loop)
        around = self.files.nearest(frames_above(sys._getframe(1), None))
        self._block = around[-1].code if around else None
        self.tap.install()
        self.began_at = self.tap.clock()
        if task is not None:
            track = Track(here, Kind.HERE, None, self.began_at, users=False)
            self.tracks.append(track)
            self._tracks_of[task] = [track]
            self._adopt(task, track)

    def stop(self, failure: BaseException | None) -> None:
        """Close all open slices. *failure* is the error that ended the recording."""
        if self.over:
            return
        self.tap.remove()
        self.over, self.ended_at = True, self.tap.clock()
        now = self.ended_at
        while self.running:
            opened = self.running.pop()
            opened.close(now)
        for track in self.tracks:
            if track.kind is Kind.HERE and not self.full:
                _finish(track, now, failure)

    def _adopt(self, task: Task, track: Track) -> None:
        """Follow a task in the middle of a step whose beginning was not observed."""
        now = self.tap.clock()
        self.running.append(Open(track, now, now, task))
        # The end of this step is not observed either. The next step closes it. If
        # there is none, this callback does, because the loop's queue is short.
        self.tap.queue(self._close_adopted)

    def _close_adopted(self) -> None:
        while self.running and not self.over:
            opened = self.running.pop()
            now = self.tap.clock()
            opened.close(now)
            tracks = opened.task and self._tracks_of.get(opened.task)
            if opened.task and tracks:
                self._look_at(opened.task, tracks, now)

    # ---- calls of the tap

    def queued(self, task: Task, since: float) -> None:
        """Note since when *task* has been ready. A new task gets a track."""
        track = self._tracks(task)[-1]
        if track.queued is None:
            track.queued = since

    def began(self, task: Task | None, since: float) -> None:
        """Open a slice."""
        self._close_adopted()
        now = self.tap.clock()
        since = min(since, now)
        if task is None:
            self.running.append(Open(None, since, now))
            return
        tracks = self._tracks(task)
        track = tracks[-1]
        ready = since if track.queued is None else min(track.queued, now)
        track.queued = None
        self._rename(task, tracks[0])
        self.running.append(Open(track, ready, now, task))

    def ended(self, task: Task | None, callback: object) -> None:
        """Close the slice, and note where the task is suspended."""
        if not self.running:  # the recording began in this very step
            return
        now = self.tap.clock()
        opened = self.running.pop()
        if task is None:
            self._note_callback(opened, now, callback)
        else:
            opened.close(now)
            self._look_at(task, self._tracks(task), now)
        self._steps += 1
        if self._steps >= MOST_STEPS:
            self.full = True
            self.stop(None)

    def starting(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Prepare for a task that takes its first step while it is created."""
        track = self._track(coroutine, born=self.tap.clock())
        self.tracks.append(track)
        self.running.append(Open(track, track.born, track.born, making=coroutine))

    def started(self, task: Task | None) -> None:
        """Note whether it ran at once. If so, its creator was suspended meanwhile."""
        opened = self.running.pop() if self.running else None
        if opened is None or opened.track is None:
            return
        met = None if task is None else self._tracks_of.get(task)
        if task is None or (met and met[0] is not opened.track):
            self.tracks.remove(opened.track)
            return
        now = self.tap.clock()
        tracks = self._tracks_of.setdefault(task, [opened.track])
        opened.close(now)
        self._look_at(task, tracks, now)
        if self.running:
            maker, began = self.running[-1], opened.track.born
            maker.close(began)
            maker.ready, maker.start = began, now

    def handed_over(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Callable[..., Any]:
        """Return *function* in a wrapper that notes when a thread runs it."""
        if self.over:
            return function
        inner, values = function_of(function, args, self.files)
        code = getattr(inner, "__code__", getattr(inner, "gi_code", None))
        name = (
            name_of(code, values)
            if isinstance(code, CodeType)
            else f"{getattr(inner, '__qualname__', type(inner).__name__)}()"
        )
        now = self.tap.clock()
        track = Track(
            f"thread: {name}",
            Kind.THREAD,
            self._current_track(),
            now,
            users=self.files.is_users(code),
            chosen=handed_over_by_users(sys._getframe(2), self.files),
        )
        track.queued = now
        self.tracks.append(track)
        clock = self.tap.clock

        def run(*args: Any, **options: Any) -> Any:
            # The slice ends when the recording does, if not before.
            work = Slice(now, clock(), math.inf)
            track.slices.append(work)
            track.queued = None
            self._threads.track = track
            failure: BaseException | None = None
            try:
                return function(*args, **options)
            except BaseException as caught:
                failure = caught
                raise
            finally:
                self._threads.track = None
                work.end = clock()
                _finish(track, work.end, failure)

        return run

    @contextmanager
    def call(self, name: str, *, waits: bool) -> Iterator[None]:
        """Show the call in this block in a lane of its own.

        Can be used in any thread. *waits* means that the call awaits on the loop.
        """
        if self.over:
            yield
            return
        kind = Kind.CALL if waits else Kind.THREAD
        now = self.tap.clock()
        track = Track(name, kind, self._current_track(), now, users=True)
        work = Slice(now, now, math.inf)
        if not waits:
            track.slices.append(work)
        self.tracks.append(track)
        failure: BaseException | None = None
        try:
            yield
        except BaseException as caught:
            failure = caught
            raise
        finally:
            if not self.over:
                work.end = self.tap.clock()
                if waits:
                    work.ready = work.start = work.end
                    track.slices.append(work)
                _finish(track, work.end, failure)

    def hold(self, frame: FrameType | None) -> None:
        """End the recording, because *frame* blocks the loop for an unknown time."""
        if self.over or not self.running:
            return
        opened, now = self.running[-1], self.tap.clock()
        opened.close(now)
        opened.ready = opened.start = now
        opened.held, opened.blocks = self._here(frame), True
        self.stop(None)

    # ---- blocking code

    def turn(self) -> object:
        """Return a value that is different for each slice, for the watcher's thread."""
        try:
            opened = self.running[-1]
        except IndexError:
            return None
        return opened, opened.start

    def note_held(self, turn: object, frame: FrameType | None) -> None:
        """Note the line that *turn* executes, unless it has ended meanwhile."""
        places = self._here(frame)
        if places and self.turn() == turn:
            self.running[-1].held = places

    def blocked(self, seconds: float, frame: FrameType | None) -> None:
        """Note which code blocked the loop for *seconds* of virtual time."""
        if self.running and seconds > self.running[-1].longest:
            self.running[-1].held = self._here(frame)
            self.running[-1].longest = seconds

    # ---- requests

    @contextmanager
    def request(self, name: str, customer: str = "") -> Iterator[Track | None]:
        """Give the request that is served in this block a track of its own.

        Its name begins with the *customer*, or with a number.
        """
        task = _current_task(self.tap.loop)
        if task is None or self.over:
            yield None
            return
        now = self.tap.clock()
        tracks = self._tracks(task)
        if not self.running:
            self._adopt(task, tracks[-1])
        self._requests += 1
        # In the first step of its task, it has waited as long as the task.
        since = now if tracks[-1].slices else self.running[-1].ready
        track = Track(
            f"{customer}: {name}" if customer else f"#{self._requests} {name}",
            Kind.REQUEST,
            tracks[-1],
            since,
            users=True,
        )
        self.tracks.append(track)
        tracks.append(track)
        self._switch(track, now, self._here(sys._getframe(2)))
        self.running[-1].ready = since
        failure: BaseException | None = None
        try:
            yield track
        except BaseException as caught:
            failure = caught
            raise
        finally:
            if not self.over:
                now = self.tap.clock()
                if self.running and self.running[-1].track is track:
                    self._switch(tracks[tracks.index(track) - 1], now)
                tracks.remove(track)
                _finish(track, now, failure)

    def sent(self, request: Track, message: MutableMapping[str, Any]) -> None:
        """Note that *message* was sent to the client of *request*."""
        if self.over:
            return
        now = self.tap.clock()
        if not self.ordered:
            if "status" in message:
                request.marks.append((now, f"response {message['status']}"))
            return
        response = self._responses.get(request)
        if response is None:
            if "status" not in message:
                return
            name = f"response {message['status']}"
            response = Track(name, Kind.RESPONSE, request, now, users=True)
            self._responses[request] = response
            self.tracks.append(response)
        response.slices.append(Slice(now, now, now))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            _finish(response, now, None)

    # ---- marks

    def mark(self, label: str, lane: str = "") -> None:
        """Mark this moment in the current lane, or in the one called *lane*.

        An ordered recording has no marks.
        """
        if self.over or self.ordered:
            return
        now = self.tap.clock()
        track = self._track_named(lane, now) if lane else self._current_track()
        if track is not None:
            track.marks.append((now, label))

    def _track_named(self, name: str, now: float) -> Track:
        track = self._named.get(name)
        if track is None:
            track = Track(name, Kind.MARKS, None, now, users=True)
            self._named[name] = track
            self.tracks.append(track)
        _finish(track, now, None)
        return track

    def _switch(
        self, track: Track, now: float, parked: tuple[CodeLocation, ...] = ()
    ) -> None:
        """Attribute the rest of the running step to *track*."""
        opened = self.running[-1]
        opened.close(now, parked)
        opened.track, opened.ready, opened.start = track, now, now

    # ---- tasks

    def _tracks(self, task: Task) -> list[Track]:
        """Return the tracks of *task*. A new task gets one."""
        tracks = self._tracks_of.get(task)
        if tracks is not None:
            return tracks
        coroutine = _coroutine(task)
        making = next((o for o in self.running if o.making is coroutine), None)
        if (
            making is not None
            and making.track is not None
            and not _is_unstarted(coroutine)
        ):
            track = making.track
        elif _is_unstarted(coroutine):
            track = self._track(coroutine, born=self.tap.clock())
            self.tracks.append(track)
        else:  # it began before the recording
            track = self._track(coroutine, born=self.began_at)
            track.parent = None
            track.parked = self._waits_in(coroutine, 1, Kind.TASK)
            self.tracks.append(track)
        tracks = self._tracks_of[task] = [track]
        return tracks

    def _track(self, coroutine: object, born: float) -> Track:
        frame = next(frames_of(coroutine), None)
        users = frame is not None and self.files.is_users(frame.f_code)
        return Track(
            name_of(frame.f_code, frame.f_locals)
            if frame
            else f"{getattr(coroutine, '__qualname__', 'task')}()",
            Kind.TASK,
            self._current_track(),
            born,
            users,
            chosen=not users and self._made_by_users(),
        )

    def _made_by_users(self) -> bool:
        """Return whether the user's code creates the current task."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            module = str(frame.f_globals.get("__name__"))
            if not module.startswith(("asyncio.", "workshop.timeline.", "uvloop")):
                return self.files.is_users(frame.f_code)
            frame = frame.f_back
        return False

    def _current_track(self) -> Track | None:
        if threading.get_ident() != self.tap.thread:
            return getattr(self._threads, "track", None)
        return self.running[-1].track if self.running else None

    def _rename(self, task: Task, track: Track) -> None:
        """Use the name that the user gave the task, unless it is a generic one."""
        if track.kind is not Kind.TASK or track.slices:
            return
        given = task.get_name()
        qualified = getattr(_coroutine(task), "__qualname__", "")
        if given == "None" or given.startswith("Task-"):
            return
        if not given.endswith(qualified or given):
            track.name = given
            # The user named it, so the user wants to see it.
            track.users = track.users or track.chosen

    def _look_at(self, task: Task, tracks: list[Track], now: float) -> None:
        if not task.done():
            self._park(task, tracks)
            return
        # task.exception() would mark the exception as retrieved, and so suppress
        # asyncio's warning "Task exception was never retrieved".
        failure = asyncio.CancelledError() if task.cancelled() else error_of(task)
        for track in tracks:
            _finish(track, now, failure)

    def _park(self, task: Task, tracks: list[Track]) -> None:
        """Note where the last of a task's tracks is suspended."""
        places = self._waits_in(_coroutine(task), len(tracks), tracks[-1].kind)
        slices = tracks[-1].slices
        if slices:
            # A loop is suspended at the same line again and again. Keep it once.
            if len(slices) > 1 and slices[-2].parked == places:
                places = slices[-2].parked
            slices[-1].parked = places

    def _waits_in(
        self, coroutine: object, tracks: int, kind: Kind
    ) -> tuple[CodeLocation, ...]:
        """Return the user's frames in which a coroutine is suspended.

        During a request (two *tracks*), these are only the frames of the request.
        """
        parts: list[list[FrameType]] = [[]]
        for frame in frames_of(coroutine):
            if frame.f_code in self._boundaries:
                parts.append([])
            else:
                parts[-1].append(frame)
        if len(parts) < tracks:
            return ()
        return self._nearest(parts[-1], kind)

    def _nearest(
        self, frames: list[FrameType], kind: Kind | None
    ) -> tuple[CodeLocation, ...]:
        if kind is Kind.HERE:
            within = [n for n, f in enumerate(frames) if f.f_code is self._block]
            frames = frames[within[-1] :] if within else frames
        return self.files.nearest(frames)

    def _here(self, frame: FrameType | None) -> tuple[CodeLocation, ...]:
        track = self._current_track()
        frames = frames_above(frame, Tap.run.__code__)
        return self._nearest(frames, track.kind if track else None)

    def _note_callback(self, opened: Open, now: float, callback: object) -> None:
        """Keep a callback that belongs to no task. It may be shown later."""
        inner = getattr(callback, "func", callback)
        name = getattr(inner, "__qualname__", type(inner).__name__)
        code = getattr(inner, "__code__", None)
        if now - opened.start < _SHORT:
            return
        track = Track(
            f"callback: {name.rpartition('<locals>.')[2]}()",
            Kind.CALLBACK,
            None,
            opened.ready,
            users=self.files.is_users(code),
        )
        opened.track = track
        opened.close(now)
        _finish(track, now, None)
        self.tracks.append(track)


# More steps cannot be drawn, and would use too much memory.
MOST_STEPS = 200_000

# A callback that belongs to no task and takes fewer seconds is not kept.
_SHORT = 0.001


def _current_task(loop: asyncio.AbstractEventLoop) -> Task | None:
    try:
        return asyncio.current_task(loop)
    except RuntimeError:
        return None


def _coroutine(task: Task) -> object:
    return task.get_coro()  # None if it ended in its first step


def _is_unstarted(coroutine: object) -> bool:
    try:
        return getcoroutinestate(coroutine) == CORO_CREATED  # type: ignore[arg-type]
    except AttributeError:  # not created by `async def`
        return False


def _finish(track: Track, now: float, failure: BaseException | None) -> None:
    track.ended = now
    if failure is None:
        track.outcome = Outcome.DONE
    elif isinstance(failure, asyncio.CancelledError):
        track.outcome = Outcome.CANCELLED
    else:
        track.outcome = Outcome.FAILED
        first = (str(failure).splitlines() or [""])[0]
        track.reason = without_addresses(
            f"{type(failure).__name__}: {first}" if first else type(failure).__name__
        )
