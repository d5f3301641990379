"""Workers that are ready before they are needed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress

from workshop.grading.engine import WORKER, make_job
from workshop.lesson import Lesson
from workshop.processes.environment import environment_of_tests
from workshop.sandbox.cores import cores
from workshop.sandbox.limits import Limits
from workshop.sandbox.markers import RUN_ID
from workshop.sandbox.process import ForkServer
from workshop.sandbox.worker_process import WorkerProcess
from workshop.services import (
    ServiceError,
    is_redis_given,
    redis_environment,
    redis_server,
)

FORKS = "WORKSHOP_FORKS"
"""Environment variable: with 0, each worker is a new process."""

_MANY_CORES = 4


class WorkerPool:
    """Workers for one lesson, one or several for each run.

    They wait with everything imported and the tests collected. On Linux a fork server
    starts them, so that the next ones are ready at once, and they share the tests among
    the cores. If the tests use Redis, each worker has an embedded Redis of its own.
    If the learner has named a Redis, one worker runs all tests. On other systems there
    is one worker for each run. It is a new process, which starts while the learner
    reads the previous verdict.
    """

    def __init__(
        self, lesson: Lesson, environment: Mapping[str, str], limits: Limits
    ) -> None:
        self.job = make_job(lesson, lesson.app_file, limits=limits)
        self._environment = dict(environment)
        self._idle: list[WorkerProcess] = []
        self._fork_server: ForkServer | None = None
        if ForkServer.is_possible() and os.environ.get(FORKS) != "0":
            self._fork_server = self._new_fork_server()
        self._services = ExitStack()
        # One entry for each worker: the variables to add to its environment.
        self._additions: list[dict[str, str]] = [{}]
        if self._fork_server is not None:
            count = min(cores(), _MANY_CORES, len(lesson.tests))
            self._additions += self._services_of_others(lesson, count - 1)
        self.prepare()

    def _services_of_others(self, lesson: Lesson, count: int) -> list[dict[str, str]]:
        """Return what *count* more workers add, or nothing if they shared a Redis."""
        if "redis" not in lesson.fixtures:
            return [{}] * count
        # Tests empty their Redis and change its settings, so each worker needs one.
        if is_redis_given():
            return []
        with suppress(ServiceError):
            return [
                redis_environment(self._services.enter_context(redis_server()))
                for _ in range(count)
            ]
        return []

    def _new_fork_server(self) -> ForkServer:
        run_id = {RUN_ID: uuid.uuid4().hex}
        return ForkServer(
            WORKER, environment_of_tests({**self._environment, **run_id}), self.job
        )

    def take(self) -> list[WorkerProcess]:
        """Remove the idle workers from the pool and return them."""
        self.prepare()
        taken, self._idle = self._idle, []
        # A new process keeps a core busy for a second or two, and even a fork slows the
        # run down. With few cores, prepare the next ones after the run.
        if cores() >= _MANY_CORES:
            self.prepare()
        return taken

    def prepare(self) -> None:
        """Start workers until there are enough idle ones."""
        lost = self._fork_server
        if lost is not None and not lost.is_fit:
            self._end_processes()
            # One that was killed can be replaced. One that cannot fork cannot.
            self._fork_server = self._new_fork_server() if lost.was_ready else None
        wanted = self._additions if self._fork_server is not None else [{}]
        for added in wanted[len(self._idle) :]:
            self._idle.append(
                WorkerProcess(
                    WORKER,
                    self._environment,
                    job=self.job,
                    fork_server=self._fork_server,
                    in_fork=added,
                )
            )

    def close(self) -> None:
        """End the idle workers. On Linux, workers that were taken are ended, too."""
        self._end_processes()
        self._services.close()

    def _end_processes(self) -> None:
        for worker in self._idle:
            worker.end()
        self._idle.clear()
        if self._fork_server is not None:
            self._fork_server.end()
            self._fork_server = None


def partition(
    tests: Sequence[str],
    seconds: Mapping[str, float],
    count: int,
    first: Collection[str] = (),
) -> list[list[str]]:
    """Divide *tests* among *count* workers so that all end at about the same time.

    *seconds* holds how long tests took before, as far as that is known. Each worker
    begins with those in *first*, which are divided in the same way, and keeps the
    tests in their order otherwise.

    >>> partition(["a", "b", "c"], {"a": 3, "b": 1, "c": 1}, 2)
    [['a'], ['b', 'c']]
    >>> partition(["a", "b", "c"], {"a": 3, "b": 1, "c": 1}, 2, first=["b", "c"])
    [['b', 'a'], ['c']]
    """
    usual = sum(seconds.values()) / len(seconds) if seconds else 1.0
    loads = [0.0] * count
    shared: list[list[str]] = [[] for _ in range(count)]
    for group in (
        [test for test in tests if test in first],
        [test for test in tests if test not in first],
    ):
        worker_of = {}
        for test in sorted(group, key=lambda it: -seconds.get(it, usual)):
            worker_of[test] = loads.index(min(loads))
            loads[worker_of[test]] += seconds.get(test, usual)
        for test in group:
            shared[worker_of[test]].append(test)
    return shared
