"""A session: one lesson's answer, watched and graded until it is closed."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workshop.grading import Limits
from workshop.grading.engine import Part, put_together, run_job
from workshop.grading.events import events_of_tests
from workshop.grading.verdict import Ending, StepVerdict, decide
from workshop.lesson import Lesson, LessonError, Step
from workshop.progress import content_hash
from workshop.sandbox.worker_process import WorkerProcess
from workshop.watch.events import (
    Ended,
    Event,
    Finished,
    Missing,
    Reported,
    Started,
    StepJudged,
    Trouble,
    Watching,
)
from workshop.watch.watcher import Watcher
from workshop.watch.worker_pool import WorkerPool, partition

SUPERSEDED = "A newer save took its place."
ASKED = "You asked for another one."
BY_KEY = "You ended it."
GONE = "The file is gone."
OTHER_TESTS = "The tests have changed."
OTHER_LESSON = "Another lesson took its place."
LOST = "Its process was lost, so it starts again in another one."

_GRACE_SECONDS = 0.15
"""How long to wait: some editors delete or empty a file before they write it."""
_CALM_SECONDS = 0.25
"""How long after a verdict to clean up, when it delays nothing."""
_LOSSES = 3
"""How often in a row a waiting process may be lost before it counts as a crash."""
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(eq=False)
class _Run:
    """A run in progress.

    It has its number, the content it grades, its workers, and the step whose tests
    run first, if there is one.
    """

    number: int
    content: str
    workers: list[WorkerProcess]
    current: Step | None
    reports: list[dict[str, Any]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


class Session:
    """Watches one lesson's answer and grades each content of it once.

    Everything happens in threads of its own. They call *listen* with one event at a
    time, and it should return at once. *environment* adds variables for the tests,
    which say which services to use.

    A save during a run ends that run, and the newer content is graded instead. After
    `close` no thread, no process and no temporary file is left.
    """

    def __init__(
        self,
        lesson: Lesson,
        *,
        environment: Mapping[str, str],
        listen: Callable[[Event], None],
        limits: Limits | None = None,
    ) -> None:
        self._lesson = lesson
        self._environment = environment
        self._listen = listen
        self._limits = limits or Limits()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._runs = 0
        self._run: _Run | None = None
        self._over: list[_Run] = []
        self._watcher: Watcher | None = None
        self._pool: WorkerPool | None = None
        self._trouble: Trouble | None = None
        self._tests = ""
        self._losses = 0
        # The current step at the last verdict: the learner most likely works on it.
        self._current: int | None = None
        # How long each test took when it was last run, by name.
        self._seconds: dict[str, float] = {}
        # What the last run was about; None asks for a run whatever is there.
        self._content: str | None = None
        self._missing = False
        # A content that may be about to be replaced, and since when.
        self._doubt: tuple[str, float] | None = None

    def start(self) -> None:
        """Grade the present content, and then each change of it. Returns at once.

        Does nothing if it has been started before.
        """
        if self._thread.ident is None:
            self._inbox.put(self._open)
            self._thread.start()

    def rerun(self) -> None:
        """Grade the present content once more."""
        self._inbox.put(self._begin_anew)

    def end_run(self) -> None:
        """End the run in progress, if there is one. The next save is graded again."""
        self._inbox.put(lambda: self._end_run(BY_KEY))

    def change(self, lesson: Lesson, environment: Mapping[str, str]) -> None:
        """Switch to another lesson: the next verdict is about it."""

        def go_over() -> None:
            self._shut(OTHER_LESSON)
            self._lesson, self._environment = lesson, environment
            self._current = None
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
                try:
                    task = self._inbox.get(timeout=self._patience())
                except queue.Empty:
                    task = self._pause
                try:
                    task()
                except Exception as problem:  # noqa: BLE001 -- reported; it continues
                    self._tell_trouble(f"{type(problem).__name__}: {problem}")
        except SystemExit:
            pass
        finally:
            self._shut("")

    def _patience(self) -> float | None:
        """Return after how many seconds to act without a message; None for never."""
        if self._doubt is not None:
            return max(0.0, self._doubt[1] + _GRACE_SECONDS - time.monotonic())
        return _CALM_SECONDS if self._over else None

    def _pause(self) -> None:
        self._tidy()
        if self._doubt is not None:
            self._look()

    def _open(self) -> None:
        lesson = self._lesson
        self._content, self._missing, self._doubt = None, False, None
        self._look()

        def report(polling: bool, reason: str) -> None:
            event = Watching(lesson.slug, lesson.app_file, polling, reason)
            self._inbox.put(lambda: self._listen(event))

        files = {
            lesson.app_file,
            lesson.app_file.resolve(),
            *lesson.folder.glob("*.py"),
        }
        self._watcher = Watcher(files, lambda: self._inbox.put(self._look), report)

    def _shut(self, reason: str) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._end_run(reason)
        self._tidy()
        self._close_pool()

    def _renew_pool(self) -> None:
        """Make sure that there are workers for the tests as they are now.

        Raises:
            LessonError: The lesson cannot be read.

        """
        tests = content_hash(self._lesson.test_file)
        if self._pool is not None and tests in (self._tests, ""):
            return
        if self._pool is not None:
            self._end_run(OTHER_TESTS)
            self._close_pool()
            self._content = None
        # A lesson remembers what it has read, so make a new one.
        self._lesson = Lesson(self._lesson.folder, self._lesson.solution)
        assert self._lesson.steps
        self._tests = tests
        self._pool = WorkerPool(self._lesson, self._environment, self._limits)
        self._trouble = None

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _look(self) -> None:
        """Compare the file with what the last run was about, and act on it."""
        try:
            self._renew_pool()
        except LessonError as problem:
            self._tell_trouble(str(problem))
            return
        content = content_hash(self._lesson.app_file)
        if content == self._content:
            self._doubt = None
        elif not self._is_doubtful(content):
            self._doubt = None
            if content:
                self._begin(content, SUPERSEDED)
            else:
                self._note_missing()

    def _is_doubtful(self, content: str) -> bool:
        """Whether the file may be about to be written again."""
        if content not in ("", _EMPTY) or self._content is None:
            return False
        if self._doubt is None or self._doubt[0] != content:
            self._doubt = (content, time.monotonic())
        return time.monotonic() < self._doubt[1] + _GRACE_SECONDS

    def _note_missing(self) -> None:
        self._end_run(GONE)
        self._content = ""
        self._listen(Missing(self._lesson.slug, self._lesson.app_file))

    def _begin_anew(self) -> None:
        self._end_run(ASKED)
        self._content = None
        self._look()

    def _begin(self, content: str, reason: str) -> None:
        self._end_run(reason)
        # Nothing of the previous run may remain when the next verdict comes.
        self._tidy()
        assert self._pool is not None
        self._content = content
        self._runs += 1
        workers = self._pool.take()
        steps = {step.number: step for step in self._lesson.steps}
        current = steps.get(self._current or 0)
        run = self._run = _Run(self._runs, content, workers, current)
        names = self._pool.job["tests"]
        first = [test.id for test in current.tests] if current else []
        shares = partition(names, self._seconds, len(workers), first)
        for worker, tests in zip(workers, shares, strict=True):
            job = {**self._pool.job, "tests": tests}
            thread = threading.Thread(
                target=self._grade, args=(run, worker, job, self._lesson), daemon=True
            )
            run.threads.append(thread)
            thread.start()
        self._listen(Started(self._lesson.slug, run.number, len(names)))

    def _grade(
        self, run: _Run, worker: WorkerProcess, job: dict[str, Any], lesson: Lesson
    ) -> None:
        """Have *worker* run its part of the tests. Runs in a thread of its own."""
        began = 0.0

        def pass_on(event: dict[str, Any]) -> None:
            nonlocal began
            if event["event"] == "start":
                began = time.monotonic()
            elif event["event"] == "report":
                self._seconds[event["id"]] = time.monotonic() - began
            self._inbox.put(lambda: self._take(run, event))

        file, limits = lesson.app_file, self._limits
        part = run_job(worker, job, lesson, file, limits=limits, on_event=pass_on)[0]
        self._inbox.put(lambda: self._finish(run, part))

    def _take(self, run: _Run, event: dict[str, Any]) -> None:
        if run is not self._run:
            return
        self._listen(Reported(self._lesson.slug, run.number, event))
        if event["event"] == "report":
            run.reports.append(event)
        if event.get("when") == "teardown":
            self._judge_current(run, event["id"])

    def _judge_current(self, run: _Run, test: str) -> None:
        """Tell the verdict on the current step, if *test* was its last to report."""
        over = {it["id"] for it in run.reports if it["when"] == "teardown"}
        step = run.current
        names = {it.id for it in step.tests} if step else set()
        all_over = len(over) == len(self._lesson.tests)
        if step is None or test not in names or not names <= over or all_over:
            return
        events = events_of_tests(run.reports)
        judged = decide(step.tests, events, Ending("done"), {})
        tests = tuple(judged[it.id] for it in step.tests)
        verdict = StepVerdict(step.number, step.title, tests)
        self._listen(StepJudged(self._lesson.slug, run.number, verdict))

    def _finish(self, run: _Run, part: Part) -> None:
        if run is not self._run:
            return
        run.parts.append(part)
        if len(run.parts) < len(run.workers):
            return
        lost = any(worker.is_lost for worker in run.workers)
        if lost and self._losses < _LOSSES:
            self._losses += 1
            self._begin(run.content, LOST)
        elif content_hash(self._lesson.app_file) != run.content:
            # Each test loads the file, so some may have loaded a newer one.
            self._look()
        else:
            self._losses = 0
            verdict = put_together(self._lesson, run.parts)
            self._current = (verdict.current or verdict.steps[-1]).number
            slug = self._lesson.slug
            self._listen(Finished(slug, run.number, verdict, run.content))
            self._put_aside()
            assert self._pool is not None
            self._pool.prepare()

    def _end_run(self, reason: str) -> None:
        if self._run is not None:
            number = self._run.number
            self._put_aside()
            if reason:
                self._listen(Ended(self._lesson.slug, number, reason))

    def _put_aside(self) -> None:
        """Stop the run; `_tidy` cleans up after it a little later."""
        if self._run is not None:
            for worker in self._run.workers:
                worker.kill()
            self._over.append(self._run)
            self._run = None

    def _tidy(self) -> None:
        """End the workers and threads of runs that are over."""
        while self._over:
            run = self._over.pop()
            for worker in run.workers:
                worker.end()
            for thread in run.threads:
                thread.join()

    def _tell_trouble(self, text: str) -> None:
        trouble = Trouble(self._lesson.slug, text)
        if trouble != self._trouble:
            self._trouble = trouble
            self._listen(trouble)
