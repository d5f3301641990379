"""Workers that are made ready before they are needed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence

from workshop.grading.engine import ROOT, make_job
from workshop.lesson import Lesson
from workshop.processes.environment import environment_of_tests
from workshop.sandbox.cores import cores
from workshop.sandbox.limits import Limits
from workshop.sandbox.markers import RUN_ID
from workshop.sandbox.process import ForkServer
from workshop.sandbox.worker_process import WorkerProcess

FORKS = "WORKSHOP_FORKS"
"""Environment variable: 0 means to start each worker from nothing."""

_MANY_CORES = 4


class WorkerPool:
    """Workers for one lesson, some for each run.

    They have imported everything and collected the tests, and wait for an answer. On
    Linux they are forked from a fork server, so that the next ones are ready at once,
    and they share the tests among the cores. Elsewhere there is one for each run; it
    starts while the learner reads the previous verdict.
    """

    def __init__(
        self, lesson: Lesson, environment: Mapping[str, str], limits: Limits
    ) -> None:
        self.job = make_job(lesson, lesson.app_file, limits=limits)
        self._environment = dict(environment)
        self._idle: list[WorkerProcess] = []
        self._stem: ForkServer | None = None
        if ForkServer.is_possible() and os.environ.get(FORKS) != "0":
            self._stem = self._new_stem()
        # They would empty each other's Redis.
        alone = "redis" in lesson.fixtures
        self._most = 1 if alone else min(cores(), _MANY_CORES, len(lesson.tests))
        self.prepare()

    def _new_stem(self) -> ForkServer:
        badge = {RUN_ID: uuid.uuid4().hex}
        return ForkServer(
            ROOT, environment_of_tests({**self._environment, **badge}), self.job
        )

    def take(self) -> list[WorkerProcess]:
        """Return workers that no other run has, ready or about to be."""
        self.prepare()
        taken, self._idle = self._idle, []
        # A start from nothing keeps a core busy for a second or two, and even a
        # fork takes from the run. Where cores are few it waits until that is over.
        if cores() >= _MANY_CORES:
            self.prepare()
        return taken

    def prepare(self) -> None:
        """Make sure that there are workers to take."""
        lost = self._stem
        if lost is not None and not lost.is_fit:
            self.close()
            # One that was killed can be replaced. One that cannot fork cannot.
            self._stem = self._new_stem() if lost.was_ready else None
        wanted = self._most if self._stem is not None else 1
        while len(self._idle) < wanted:
            self._idle.append(
                WorkerProcess(ROOT, self._environment, job=self.job, stem=self._stem)
            )

    def close(self) -> None:
        """End the idle workers, and on Linux those that were taken as well."""
        for spare in self._idle:
            spare.end()
        self._idle.clear()
        if self._stem is not None:
            self._stem.end()
            self._stem = None


def partition(
    tests: Sequence[str], seconds: Mapping[str, float], count: int
) -> list[list[str]]:
    """Share *tests* out among *count* workers that are to end at the same time.

    *seconds* tells how long a test took before, where that is known. Each
    worker keeps the tests in their order.

    >>> partition(["a", "b", "c"], {"a": 3, "b": 1, "c": 1}, 2)
    [['a'], ['b', 'c']]
    """
    usual = sum(seconds.values()) / len(seconds) if seconds else 1.0
    loads = [0.0] * count
    shared: list[set[str]] = [set() for _ in range(count)]
    for test in sorted(tests, key=lambda it: -seconds.get(it, usual)):
        least = loads.index(min(loads))
        loads[least] += seconds.get(test, usual)
        shared[least].add(test)
    return [[test for test in tests if test in part] for part in shared]
