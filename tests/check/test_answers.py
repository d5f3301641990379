"""Many answers to one lesson are graded by the same fork servers, each for itself."""

from __future__ import annotations

import sys

import psutil
import pytest

from tests.tiny import GOOD, STARTER
from workshop.check.answers import answers_to, grade_source
from workshop.lesson import Lesson
from workshop.sandbox.process import ForkServer


@pytest.mark.parametrize("forks", [True, False])
def test_each_answer_gets_its_own_verdict(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, forks: bool
) -> None:
    if not forks:
        monkeypatch.setattr(ForkServer, "is_possible", lambda: False)

    with answers_to(lesson, at_once=2) as answers:
        graded = [answers.submit(it) for it in (GOOD, STARTER, GOOD, STARTER)]
        passed = [it.result().passed for it in graded]

    assert passed == [True, False, True, False]


def test_it_is_the_verdict_that_an_answer_alone_gets(lesson: Lesson) -> None:
    with answers_to(lesson, at_once=1) as answers:
        among_others = answers.submit(STARTER).result()
    alone = grade_source(lesson, STARTER)

    assert [
        [(test.verdict, test.message) for test in step.tests]
        for step in among_others.steps
    ] == [[(test.verdict, test.message) for test in step.tests] for step in alone.steps]


def is_fork_server(process: psutil.Process) -> bool:
    """Return whether *process* is a running fork server."""
    try:
        return "--fork-server" in process.cmdline()
    except psutil.Error:
        return False  # it has just ended


@pytest.mark.skipif(sys.platform != "linux", reason="only there workers are forked")
def test_a_fork_server_that_was_killed_costs_no_verdict(lesson: Lesson) -> None:
    with answers_to(lesson, at_once=1) as answers:
        assert answers.submit(GOOD).result().passed
        (server,) = filter(is_fork_server, psutil.Process().children())
        server.kill()

        assert answers.submit(GOOD).result().passed
        assert not answers.submit(STARTER).result().passed
