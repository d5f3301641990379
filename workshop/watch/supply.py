"""The next worker: made ready before it is needed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping

from workshop.grading.engine import ROOT, make_job
from workshop.grading.limits import Limits
from workshop.grading.marks import BADGE
from workshop.grading.process import WorkerProcess, worker_environment
from workshop.grading.running import Stem
from workshop.lesson import Lesson

FORKS = "WORKSHOP_FORKS"
"""Environment variable: 0 means to start each worker from nothing."""

_MANY_CORES = 4


class Supply:
    """Workers for one lesson, one for each run.

    Each waits with everything imported and the tests collected. On Linux they
    are forked from a stem, so that the next one is there at once. Elsewhere
    each starts from nothing, while the learner reads the verdict before.
    """

    def __init__(
        self, lesson: Lesson, environment: Mapping[str, str], limits: Limits
    ) -> None:
        self.job = make_job(lesson, lesson.app_file, limits=limits)
        self._environment = dict(environment)
        self._spare: WorkerProcess | None = None
        self._stem: Stem | None = None
        if Stem.is_possible() and os.environ.get(FORKS) != "0":
            self._stem = self._new_stem()
        self.prepare()

    def _new_stem(self) -> Stem:
        badge = {BADGE: uuid.uuid4().hex}
        return Stem(ROOT, worker_environment({**self._environment, **badge}), self.job)

    def take(self) -> WorkerProcess:
        """Return a worker that nobody else has, ready or about to be."""
        self.prepare()
        worker, self._spare = self._spare, None
        assert worker is not None
        # A start from nothing keeps a core busy for a second or two. Where there
        # are few it has to wait until the run is over.
        if self._stem is not None or (os.cpu_count() or 1) >= _MANY_CORES:
            self.prepare()
        return worker

    def prepare(self) -> None:
        """See to it that there is a worker to take."""
        lost = self._stem
        if lost is not None and not lost.is_fit:
            self.close()
            # One that was killed can be replaced. One that cannot fork cannot.
            self._stem = self._new_stem() if lost.was_ready else None
        if self._spare is None:
            self._spare = WorkerProcess(
                ROOT, self._environment, job=self.job, stem=self._stem
            )

    def close(self) -> None:
        """End what waits. Workers that were taken are left alone."""
        if self._spare is not None:
            self._spare.end()
            self._spare = None
        if self._stem is not None:
            self._stem.end()
            self._stem = None
