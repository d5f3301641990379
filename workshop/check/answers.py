"""Grade many answers to one lesson without importing everything for each."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from workshop.check.variants import Variant, misjudged, spared
from workshop.grading import LessonVerdict, Limits, TestVerdict, grade
from workshop.grading.engine import WORKER, Part, make_job, put_together, run_job
from workshop.lesson import Lesson
from workshop.processes.environment import environment_of_tests
from workshop.processes.temporary import temporary_folder
from workshop.sandbox.cores import cores
from workshop.sandbox.markers import RUN_ID
from workshop.sandbox.process import ForkServer
from workshop.sandbox.worker_process import WorkerProcess

T = TypeVar("T")

AT_ONCE = 2 * cores()
"""How many answers are graded side by side: a wrong one mostly waits in vain."""

PATIENT = Limits(test_seconds=30)
"""Busy machines must not turn a failure into a timeout."""

# Answers graded side by side must not count each other's connections: each
# starts an embedded server of its own.
_APART = {"WORKSHOP_REDIS_URL": ""}


def grade_source(lesson: Lesson, source: str) -> LessonVerdict:
    """Grade the text *source* as the only answer to *lesson*."""
    with temporary_folder("answer") as folder:
        file = folder / "app.py"
        file.write_text(source, encoding="utf-8")
        return grade(lesson, file, environment=_APART, limits=PATIENT)


class Answers:
    """Grades answers to one lesson, several at once.

    On Linux, one fork server for each answer that is graded at the same time has
    imported everything, which takes longer than most tests. Elsewhere, each answer
    gets a new process.
    """

    def __init__(
        self, lesson: Lesson, environment: Mapping[str, str], at_once: int
    ) -> None:
        self._pool = ThreadPoolExecutor(at_once)
        self._resources = ExitStack()
        # The one used last is taken first: its fork server is ready.
        self._slots: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for _ in range(at_once):
            folder = self._resources.enter_context(temporary_folder("answer"))
            slot = _Slot(lesson, folder, {**environment, **_APART})
            self._resources.callback(slot.close)
            self._slots.put(slot)

    def submit(self, source: str) -> Future[LessonVerdict]:
        """Grade the text *source* as soon as its turn comes."""
        return self._pool.submit(self._with_slot, lambda slot: slot.grade(source))

    def submit_variant(self, variant: Variant) -> Future[str]:
        """Return, in words, how *variant* is judged otherwise than declared, or "".

        A right one gets the whole verdict. On a wrong one only the tests run that it
        names, which is faster: those of later steps fail in any case.
        """
        return self._pool.submit(self._with_slot, lambda slot: slot.judge(variant))

    def close(self) -> None:
        """Stop, without grading what has not begun."""
        self._pool.shutdown(cancel_futures=True)
        self._resources.close()

    def _with_slot(self, work: Callable[[_Slot], T]) -> T:
        slot = self._slots.get()
        try:
            return work(slot)
        finally:
            self._slots.put(slot)


@contextmanager
def answers_to(
    lesson: Lesson,
    environment: Mapping[str, str] | None = None,
    at_once: int = AT_ONCE,
) -> Iterator[Answers]:
    """Yield what grades answers to *lesson*, *at_once* of them side by side."""
    answers = Answers(lesson, environment or {}, at_once)
    try:
        yield answers
    finally:
        answers.close()


class _Slot:
    """A file for one answer after the other, and the fork server that tests it."""

    def __init__(
        self, lesson: Lesson, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._lesson = lesson
        self._file = folder / "app.py"
        self._environment = environment
        self._forks = ForkServer.is_possible()
        self._server: ForkServer | None = None

    def grade(self, source: str) -> LessonVerdict:
        """Grade the text *source*."""
        parts = self._parts(source, None)
        return self._alone() if parts is None else put_together(self._lesson, parts)

    def judge(self, variant: Variant) -> str:
        """Return how *variant* is judged otherwise than declared, or ""."""
        if variant.is_right:
            return misjudged(variant, self.grade(variant.source))
        parts = self._parts(variant.source, variant.refused_by)
        if parts is None:
            return misjudged(variant, self._alone())
        judged: dict[str, TestVerdict] = {}
        for part in parts:
            judged.update(part.judged)
        problem = spared(variant, judged)
        # Whether other tests refuse it makes a difference to the author.
        passes = problem and self.grade(variant.source).passed
        return "a wrong answer passes" if passes else problem

    def _parts(self, source: str, tests: Collection[str] | None) -> list[Part] | None:
        """Return what a fork of the server found; None if there is no such server."""
        self._file.write_text(source, encoding="utf-8")
        job = make_job(self._lesson, self._file, tests=tests, limits=PATIENT)
        server = self._fit_server()
        if server is None:
            return None
        with WorkerProcess(
            WORKER, self._environment, job=job, fork_server=server
        ) as worker:
            parts = run_job(worker, job, self._lesson, self._file, limits=PATIENT)
        return None if worker.is_lost else parts

    def _alone(self) -> LessonVerdict:
        return grade(
            self._lesson, self._file, environment=self._environment, limits=PATIENT
        )

    def _fit_server(self) -> ForkServer | None:
        old = self._server
        if old is not None and not old.is_fit:
            # One that was killed is replaced. One that could not fork never can.
            self._forks = old.was_ready
            self.close()
        if self._server is None and self._forks:
            own = {RUN_ID: uuid.uuid4().hex}
            environment = environment_of_tests({**self._environment, **own})
            # It prepares all tests. Each fork is then told which ones to run.
            job = make_job(self._lesson, self._file, limits=PATIENT)
            self._server = ForkServer(WORKER, environment, job)
        return self._server

    def close(self) -> None:
        """End the fork server."""
        if self._server is not None:
            self._server.end()
            self._server = None
