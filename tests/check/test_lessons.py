"""Every lesson there is, through what `make check` puts it through."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from workshop.check.gate import (
    AT_ONCE,
    check_published_starter,
    check_solution,
    check_states,
    grade_source,
)
from workshop.check.generated import check_generated
from workshop.check.pages import check_page
from workshop.check.rules import broken_rules
from workshop.check.serving import serving_problem
from workshop.check.variants import Variant, misjudged, read_variants
from workshop.cli.app import command_line
from workshop.cli.outputs import outputs_of, verb_parts
from workshop.grading import LessonVerdict, Verdict, grade
from workshop.lesson import Catalogue, Lesson
from workshop.services import database_server
from workshop.services.imitation import imitation_of_redis
from workshop.services.redis import with_claim

ROOT = Path(__file__).resolve().parents[2]
LESSONS = Catalogue(ROOT).named()
VARIANTS = [variant for it in LESSONS for variant in read_variants(it, ROOT)]
REPEATS = 3


def _judged_everywhere() -> set[tuple[str, str]]:
    """Name the answers that every Python judges; one Python judges them all.

    All right ones, and so many wrong ones that each test refuses somebody.
    """
    chosen: set[tuple[str, str]] = set()
    refusing: set[tuple[str, str]] = set()
    for variant in VARIANTS:
        tests = {(variant.lesson, name) for name in variant.refused_by}
        if variant.is_right or tests - refusing:
            chosen.add((variant.lesson, variant.name))
            refusing |= tests
    return chosen


EVERYWHERE = _judged_everywhere()

every_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda it: it.slug)


@pytest.fixture(scope="module")
def judged(
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, Future[LessonVerdict]]]:
    """Start grading the requested variants, several in parallel."""
    pool = ThreadPoolExecutor(AT_ONCE)
    by_slug = {it.slug: it for it in LESSONS}
    asked = [
        cast(Variant, item.callspec.params["variant"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.function.__name__ == "test_a_variant_is_judged_as_declared"
    ]
    yield {
        f"{it.lesson} {it.name}": pool.submit(
            grade_source, by_slug[it.lesson], it.source
        )
        for it in asked
    }
    # Whoever stops early need not wait for answers that nobody will look at.
    pool.shutdown(cancel_futures=True)


@every_lesson
def test_it_keeps_every_authoring_rule(lesson: Lesson) -> None:
    assert [str(it) for it in broken_rules(lesson, ROOT)] == []


@every_lesson
def test_its_starter_is_unedited_where_lessons_are_published(
    lesson: Lesson,
) -> None:
    assert list(check_published_starter(lesson, print)) == []


@every_lesson
def test_its_starter_serves(lesson: Lesson) -> None:
    assert serving_problem(lesson.state_file(0)) == ""


@every_lesson
def test_after_k_repairs_exactly_k_steps_pass(lesson: Lesson) -> None:
    assert list(check_states(lesson)) == []


@every_lesson
def test_its_solution_passes_in_any_order_on_a_busy_machine(lesson: Lesson) -> None:
    assert list(check_solution(lesson, REPEATS)) == []


@pytest.mark.one_python
@every_lesson
def test_its_page_shows_tested_code_and_current_output(lesson: Lesson) -> None:
    assert list(check_page(lesson.page, ROOT, outputs_of(lesson))) == []


def test_tables_facts_agendas_and_references_are_todays() -> None:
    assert list(check_generated(ROOT, verb_parts(ROOT, command_line()))) == []


@pytest.mark.parametrize(
    "lesson",
    [it for it in LESSONS if "database" in it.fixtures],
    ids=lambda it: it.slug,
)
def test_it_works_on_postgresql(lesson: Lesson) -> None:
    with database_server("postgres") as server:
        environment = {"WORKSHOP_DATABASE_URL": server.url}

        assert list(check_states(lesson, environment)) == []
        assert list(check_solution(lesson, REPEATS, environment)) == []


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
            marks=[] if (it.lesson, it.name) in EVERYWHERE else pytest.mark.one_python,
            id=f"{it.lesson}, {'right' if it.is_right else 'wrong'}: {it.name}",
        )
        for it in VARIANTS
    ],
)
def test_a_variant_is_judged_as_declared(
    variant: Variant, judged: dict[str, Future[LessonVerdict]]
) -> None:
    verdict = judged[f"{variant.lesson} {variant.name}"].result()

    assert misjudged(variant, verdict) == ""
