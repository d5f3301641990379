"""The next worker: made ready before it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workshop.grading.engine import ROOT, make_job
from workshop.grading.limits import Limits
from workshop.grading.process import WorkerProcess
from workshop.lesson import Lesson


class Supply:
    """Workers for one lesson, one for each run."""

    def __init__(
        self, lesson: Lesson, environment: Mapping[str, str], limits: Limits
    ) -> None:
        self.lesson = lesson
        self.limits = limits
        self.job: dict[str, Any] = make_job(lesson, lesson.app_file, limits=limits)
        self._environment = dict(environment)
        self._spare: WorkerProcess | None = None

    def take(self) -> WorkerProcess:
        """Return a worker that nobody else has, ready or about to be."""
        self.prepare()
        worker, self._spare = self._spare, None
        assert worker is not None
        return worker

    def prepare(self) -> None:
        """Start the next worker unless there is one."""
        if self._spare is None:
            self._spare = WorkerProcess(ROOT, self._environment)

    def close(self) -> None:
        """End the worker that nobody took."""
        if self._spare is not None:
            self._spare.end()
            self._spare = None
