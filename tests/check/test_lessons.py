"""Every lesson there is, through what `make check` puts it through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from tests.tiers import answers_at_once
from workshop.check.answers import Answers, answers_to
from workshop.check.gate import (
    check_published_starter,
    check_solution,
    check_states,
)
from workshop.check.generated import check_generated
from workshop.check.rules import broken_rules
from workshop.check.serving import serving_problem
from workshop.check.variants import Variant, read_variants
from workshop.cli.app import command_line
from workshop.cli.outputs import check_outputs, verb_parts
from workshop.grading import Verdict, grade
from workshop.lesson import Catalogue, Lesson
from workshop.services import database_server
from workshop.services.imitation import imitation_of_redis
from workshop.services.redis import with_claim

ROOT = Path(__file__).resolve().parents[2]
LESSONS = Catalogue(ROOT).named()
VARIANTS = [variant for it in LESSONS for variant in read_variants(it, ROOT)]
REPEATS = 3


def representatives(variants: Iterable[Variant]) -> list[Variant]:
    """Return so many wrong answers that each test of a lesson refuses one.

    An answer that many tests refuse is chosen first, so that few are enough.
    """
    chosen = []
    refusing: set[tuple[str, str]] = set()
    for variant in sorted(variants, key=lambda it: -len(it.refused_by)):
        tests = {(variant.lesson, test) for test in variant.refused_by}
        if tests - refusing:
            chosen.append(variant)
            refusing |= tests
    return chosen


REPRESENTATIVES = representatives(VARIANTS)

every_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda it: it.slug)
slow = pytest.mark.slow


class AnswersByLesson:
    """Answers to the lessons, graded side by side by the same fork servers."""

    def __init__(self, asked: Iterable[Variant], at_once: int) -> None:
        self._asked = list(asked)
        self._at_once = at_once
        self._opened = ExitStack()
        self._answers: dict[str, Answers] = {}
        self._judged: dict[tuple[str, str], Future[str]] = {}

    def to(self, lesson: Lesson) -> Answers:
        """Return what grades answers to *lesson*, and close that of the last one."""
        if lesson.slug not in self._answers:
            self.close()
            answers = self._opened.enter_context(
                answers_to(lesson, at_once=self._at_once)
            )
            self._answers[lesson.slug] = answers
        return self._answers[lesson.slug]

    def problem(self, variant: Variant) -> str:
        """Return how *variant* is misjudged, and have its lesson's next ones judged."""
        answers = self.to(next(it for it in LESSONS if it.slug == variant.lesson))
        if (variant.lesson, variant.name) not in self._judged:
            for it in self._asked:
                if it.lesson == variant.lesson:
                    self._judged[it.lesson, it.name] = answers.submit_variant(it)
        return self._judged[variant.lesson, variant.name].result()

    def close(self) -> None:
        """Stop grading, also what has not begun: nobody will look at it."""
        self._opened.close()
        self._answers.clear()
        self._judged.clear()


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest) -> Iterator[AnswersByLesson]:
    """Grade the answers that are asked for, several at once."""
    asked = [
        cast(Variant, item.callspec.params["variant"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.function.__name__ == "test_a_variant_is_judged_as_declared"
    ]
    by_lesson = AnswersByLesson(asked, answers_at_once())
    yield by_lesson
    by_lesson.close()


@every_lesson
def test_it_keeps_every_authoring_rule(lesson: Lesson) -> None:
    assert [str(it) for it in broken_rules(lesson, ROOT)] == []


@every_lesson
def test_the_reason_for_a_repair_ends_before_the_alternatives(lesson: Lesson) -> None:
    for step in lesson.steps:
        reason = lesson.reason(step.number)

        assert reason.startswith("**Why it works.**")
        assert "**Other" not in reason
        assert "**When not" not in reason


@every_lesson
def test_its_starter_is_unedited_where_lessons_are_published(
    lesson: Lesson,
) -> None:
    assert list(check_published_starter(lesson, print)) == []


@every_lesson
def test_its_starter_serves(lesson: Lesson) -> None:
    assert serving_problem(lesson.state_file(0)) == ""


@every_lesson
def test_every_step_of_its_starter_fails(
    lesson: Lesson, answers: AnswersByLesson
) -> None:
    starter = lesson.state_file(0).read_text(encoding="utf-8")
    verdict = answers.to(lesson).submit(starter).result()

    assert {step.verdict for step in verdict.steps} == {Verdict.FAILED}


@slow
@every_lesson
def test_after_k_repairs_exactly_k_steps_pass(
    lesson: Lesson, answers: AnswersByLesson
) -> None:
    assert list(check_states(lesson, answers.to(lesson))) == []


@every_lesson
def test_its_solution_passes(lesson: Lesson, answers: AnswersByLesson) -> None:
    solution = lesson.solution_file.read_text(encoding="utf-8")

    assert answers.to(lesson).submit(solution).result().passed


@slow
@every_lesson
def test_its_solution_passes_in_any_order_on_a_busy_machine(lesson: Lesson) -> None:
    assert list(check_solution(lesson, REPEATS)) == []


@slow
@every_lesson
def test_its_page_shows_tested_code_and_current_output(lesson: Lesson) -> None:
    assert check_outputs([lesson.page], [lesson]) == []


def test_tables_facts_agendas_and_references_are_todays() -> None:
    assert list(check_generated(ROOT, verb_parts(ROOT, command_line()))) == []


@slow
@pytest.mark.parametrize(
    "lesson",
    [it for it in LESSONS if "database" in it.fixtures],
    ids=lambda it: it.slug,
)
def test_it_works_on_postgresql(lesson: Lesson) -> None:
    with database_server("postgres") as server:
        environment = {"WORKSHOP_DATABASE_URL": server.url}

        with answers_to(lesson, environment, at_once=2) as answers:
            assert list(check_states(lesson, answers)) == []
        assert list(check_solution(lesson, REPEATS, environment)) == []


@slow
@pytest.mark.parametrize(
    "lesson",
    [it for it in LESSONS if "redis" in it.fixtures],
    ids=lambda it: it.slug,
)
def test_it_works_on_the_redis_imitation_for_windows(lesson: Lesson) -> None:
    with imitation_of_redis() as server:
        claim = with_claim(server).claim
        environment = {"WORKSHOP_REDIS_URL": server.url, "WORKSHOP_REDIS_CLAIM": claim}
        starter = grade(lesson, lesson.state_file(0), environment=environment)
        solution = grade(lesson, lesson.solution_file, environment=environment)

    assert solution.passed
    assert {step.verdict for step in starter.steps} == {Verdict.FAILED}


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(
            it,
            marks=[] if it in REPRESENTATIVES else slow,
            id=f"{it.lesson}, {'right' if it.is_right else 'wrong'}: {it.name}",
        )
        for it in VARIANTS
    ],
)
def test_a_variant_is_judged_as_declared(
    variant: Variant, answers: AnswersByLesson
) -> None:
    assert answers.problem(variant) == ""


@every_lesson
def test_a_representative_is_refused_by_each_of_its_tests(lesson: Lesson) -> None:
    chosen = [it for it in REPRESENTATIVES if it.lesson == lesson.slug]

    assert {test for it in chosen for test in it.refused_by} == {
        test.id for test in lesson.tests
    }
