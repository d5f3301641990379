"""A session: one lesson's answer, watched and graded until it is closed."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.grading import LessonVerdict, Limits
from workshop.grading.engine import run_job
from workshop.grading.process import WorkerProcess
from workshop.lesson import Lesson, LessonError
from workshop.progress import content_hash
from workshop.watch.events import (
    Ended,
    Event,
    Finished,
    Missing,
    Reported,
    Started,
    Trouble,
    Watching,
)
from workshop.watch.supply import Supply
from workshop.watch.watcher import Watcher

SUPERSEDED = "A newer save took its place."
BY_KEY = "You ended it."
GONE = "The file is gone."

_GRACE_SECONDS = 0.15
"""Some editors delete the file, or empty it, before they write it anew."""
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(eq=False)
class _Run:
    """A run that is on: its number, what it is about, and who does it."""

    number: int
    content: str
    worker: WorkerProcess
    thread: threading.Thread | None = None


class Session:
    """Watches one lesson's answer and grades each content of it once.

    Everything happens in threads of its own. *listen* is called from there,
    one call at a time, and should return at once. *environment* adds variables
    for the tests: which services to use. *root* is the checkout.

    A save during a run ends that run, and the newer content is graded instead.
    After `close` no thread, no process and no temporary file is left.
    """

    def __init__(
        self,
        lesson: Lesson,
        *,
        root: Path,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
        limits: Limits | None = None,
    ) -> None:
        self._lesson = lesson
        self._root = root
        self._environment = environment
        self._listen = listen
        self._limits = limits or Limits()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._runs = 0
        self._run: _Run | None = None
        self._watcher: Watcher | None = None
        self._supply: Supply | None = None
        # What the last run was about; None asks for a run whatever is there.
        self._content: str | None = None
        self._missing = False
        # Since when the file has been missing or empty, and when to believe it.
        self._doubt: tuple[str, float] | None = None

    def start(self) -> None:
        """Grade what is there, and then each change of it. Returns at once."""
        self._inbox.put(self._open)
        self._thread.start()

    def rerun(self) -> None:
        """Grade what is there once more."""
        self._inbox.put(self._begin_anew)

    def end_run(self) -> None:
        """End the run that is on, if one is. The next save is graded again."""
        self._inbox.put(lambda: self._end_run(BY_KEY))

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Go over to another lesson: its verdict is the next one."""

        def go_over() -> None:
            self._shut("Another lesson took its place.")
            self._lesson, self._environment = lesson, environment
            self._open()

        self._inbox.put(go_over)

    def close(self) -> None:
        """End everything. Returns when nothing is left."""
        if self._closed:
            return
        self._closed = True

        def stop() -> None:
            raise SystemExit

        self._inbox.put(stop)
        if self._thread.ident is not None:
            self._thread.join()

    # Everything below runs in the session's own thread.

    def _work(self) -> None:
        try:
            while True:
                wait = None
                if self._doubt is not None:
                    wait = max(0.0, self._doubt[1] - time.monotonic())
                try:
                    task = self._inbox.get(timeout=wait)
                except queue.Empty:
                    task = self._look
                task()
        except SystemExit:
            pass
        finally:
            self._shut("")

    def _open(self) -> None:
        lesson = self._lesson
        self._content, self._missing, self._doubt = None, False, None
        try:
            self._supply = Supply(lesson, self._environment, self._limits)
        except LessonError as problem:
            self._listen(Trouble(lesson.slug, str(problem)))
            return
        self._supply.prepare()
        self._look()

        def told(polling: bool, reason: str) -> None:
            event = Watching(lesson.slug, lesson.app_file, polling, reason)
            self._inbox.put(lambda: self._listen(event))

        self._watcher = Watcher(
            [lesson.app_file], lambda: self._inbox.put(self._look), told
        )

    def _shut(self, reason: str) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._end_run(reason)
        if self._supply is not None:
            self._supply.close()
            self._supply = None

    def _look(self) -> None:
        """Compare the file with what the last run was about, and act on it."""
        content = content_hash(self._lesson.app_file)
        if content == self._content:
            self._doubt = None
            return
        if content in ("", _EMPTY) and self._content is not None:
            now = time.monotonic()
            if self._doubt is None or self._doubt[0] != content:
                self._doubt = (content, now + _GRACE_SECONDS)
            if now < self._doubt[1]:
                return
        self._doubt = None
        if content:
            self._missing = False
            self._begin(content)
        elif not self._missing:
            self._missing = True
            self._end_run(GONE)
            self._content = ""
            self._listen(Missing(self._lesson.slug, self._lesson.app_file))

    def _begin_anew(self) -> None:
        self._content = None
        self._missing = False
        self._look()

    def _begin(self, content: str) -> None:
        self._end_run(SUPERSEDED)
        if self._supply is None:
            return
        self._content = content
        self._runs += 1
        supply, lesson = self._supply, self._lesson
        run = self._run = _Run(self._runs, content, supply.take())
        self._listen(Started(lesson.slug, run.number, len(lesson.tests)))

        def pass_on(event: dict[str, Any]) -> None:
            self._inbox.put(lambda: self._take(run, event))

        def grade() -> None:
            verdict = run_job(
                run.worker,
                supply.job,
                lesson,
                lesson.app_file,
                limits=self._limits,
                on_event=pass_on,
            )[0]
            self._inbox.put(lambda: self._finish(run, verdict))

        run.thread = threading.Thread(target=grade, daemon=True)
        run.thread.start()

    def _take(self, run: _Run, event: dict[str, Any]) -> None:
        if run is self._run:
            self._listen(Reported(self._lesson.slug, run.number, event))

    def _finish(self, run: _Run, verdict: LessonVerdict) -> None:
        if run is not self._run:
            return
        if content_hash(self._lesson.app_file) != run.content:
            # Tests load the file one by one: some may have met a newer one.
            self._look()
            return
        slug = self._lesson.slug
        self._listen(Finished(slug, run.number, verdict, run.content))
        self._put_away()
        if self._supply is not None:
            self._supply.prepare()

    def _end_run(self, reason: str) -> None:
        if self._run is not None:
            number = self._run.number
            self._put_away()
            if reason:
                self._listen(Ended(self._lesson.slug, number, reason))

    def _put_away(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            run.worker.end()
            if run.thread is not None:
                run.thread.join()
