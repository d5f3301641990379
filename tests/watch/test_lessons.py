"""Watch mode judges every lesson, whatever has to be warm for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tiers import sampled
from tests.watch.conftest import watch
from workshop.actions.services import services_for_tests
from workshop.grading import Verdict
from workshop.lesson import Catalogue, Lesson
from workshop.paths import ROOT

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
