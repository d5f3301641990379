"""Watch mode judges every lesson, whatever has to be warm for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tiers import sampled
from tests.tiny import TESTS, write_lesson
from tests.watch.conftest import watch
from workshop.actions.services import services_for_tests
from workshop.grading import Verdict
from workshop.lesson import Catalogue, Lesson
from workshop.paths import ROOT
from workshop.sandbox.process import ForkServer
from workshop.watch import Finished, worker_pool

LESSONS = Catalogue(ROOT).lessons()


@pytest.mark.parametrize("lesson", sampled(LESSONS), ids=lambda it: it.slug)
def test_the_starter_fails_and_the_solution_passes(
    lesson: Lesson, tmp_path: Path
) -> None:
    folder = tmp_path / lesson.slug
    shutil.copytree(lesson.folder, folder)
    mine = Lesson(folder, lesson.solution)
    shutil.copy(lesson.state_file(0), mine.app_file)
    with (
        services_for_tests(lesson, None, say=lambda _: None) as services,
        watch(mine, services) as watched,
    ):
        watched.session.start()
        starter = watched.verdict()
        shutil.copy(lesson.solution_file, mine.app_file)
        solution = watched.verdict()
        watched.until_ready()
        watched.save(lesson.solution_file.read_text(encoding="utf-8"))
        after_a_while = watched.verdict()

    assert {it.verdict for it in starter.verdict.steps} == {Verdict.FAILED}
    assert solution.verdict.passed
    assert after_a_while.verdict.passed
    assert after_a_while.verdict.output == ""


@pytest.mark.skipif(not ForkServer.is_possible(), reason="one worker runs all tests")
def test_workers_that_share_the_tests_share_no_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKSHOP_REDIS_URL", raising=False)
    monkeypatch.setattr(worker_pool, "cores", lambda: 2)
    lesson = write_lesson(tmp_path)
    noted = 'import pathlib\n    print(redis.url, file=pathlib.Path("{}").open("a"))\n'
    where = (tmp_path / "urls").as_posix()
    noted = noted.format(where)
    tests = TESTS.replace("(client):\n", f"(client, redis):\n    {noted}")
    lesson.test_file.write_text(tests, encoding="utf-8")
    with (
        services_for_tests(lesson, None, say=lambda _: None) as services,
        watch(Lesson(lesson.folder, lesson.solution), services) as watched,
    ):
        watched.session.start()
        watched.next(Finished)

    assert len(set((tmp_path / "urls").read_text(encoding="utf-8").split())) == 2
