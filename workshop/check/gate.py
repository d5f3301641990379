"""Run a lesson through all checks that it has to pass before it is published."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from workshop.check.answers import PATIENT, Answers, answers_to
from workshop.check.finding import Finding
from workshop.check.load import busy_cores
from workshop.check.rules import broken_rules
from workshop.check.serving import serving_problem
from workshop.check.variants import VariantError, read_variants
from workshop.grading import LessonVerdict, Verdict
from workshop.grading.engine import grade_rounds
from workshop.lesson import Lesson
from workshop.lesson.completeness import is_file

AUTHOR = "WORKSHOP_AUTHOR"
"""Set where lessons are published. There, an edited starter is an error."""

_NUMBER = re.compile(r"\d+")
"""Numbers may differ in equal messages: 201 on the starter, 500 after other repairs."""


def no_services() -> AbstractContextManager[Mapping[str, str]]:
    """Start no services, because each run starts its own."""
    return nullcontext({})


def check_lesson(
    lesson: Lesson,
    root: Path,
    *,
    repeats: int = 20,
    services: Callable[[], AbstractContextManager[Mapping[str, str]]] = no_services,
    say: Callable[[str], None] = lambda sentence: None,
) -> list[Finding]:
    """Return all problems of *lesson*; none if it is ready to publish.

    The authoring rules come first, because they run nothing. The starter is checked as
    published (`solutions/NN/steps/0.py`), so a learner's edits in `lessons/` have no
    effect. The solution has to pass *repeats* times, in random order and with all cores
    busy. *services* starts the services for its tests. *say* prints progress messages.
    """
    say(f"Lesson {lesson.number}: rules")
    findings = check_draft(lesson, root, say)
    if any(finding.rule in ("readable", "complete") for finding in findings):
        return findings
    with services() as environment:
        say(f"Lesson {lesson.number}: serving the starter")
        problem = serving_problem(lesson.state_file(0), environment)
        if problem:
            findings.append(Finding(lesson.slug, "starter serves", problem))
        with answers_to(lesson, environment) as answers:
            say(f"Lesson {lesson.number}: the states after each step")
            findings += check_states(lesson, answers)
            say(
                f"Lesson {lesson.number}: the solution, {repeats} times, all cores busy"
            )
            findings += check_solution(lesson, repeats, environment)
            say(f"Lesson {lesson.number}: wrong and right variants")
            findings += check_variants(lesson, root, answers)
    return findings


def check_draft(
    lesson: Lesson, root: Path, say: Callable[[str], None] = lambda sentence: None
) -> list[Finding]:
    """Return the authoring rules that *lesson* breaks, the most basic first."""
    findings = broken_rules(lesson, root)
    if is_file(lesson.app_file) and is_file(lesson.solution / "steps" / "0.py"):
        findings += check_published_starter(lesson, say)
    return findings


def check_published_starter(
    lesson: Lesson, say: Callable[[str], None]
) -> Iterator[Finding]:
    """Compare the file that learners edit with the starter as published."""
    published = lesson.solution / "steps" / "0.py"
    if lesson.app_file.read_bytes() == published.read_bytes():
        return
    text = (
        f"lessons/{lesson.slug}/app.py is not the starter in "
        f"solutions/{lesson.slug}/steps/0.py"
    )
    if os.environ.get(AUTHOR):
        yield Finding(lesson.slug, "published starter", f"{text}; make them equal")
    else:
        say(f"{text}: it has been edited. The published starter is judged.")


def check_states(lesson: Lesson, answers: Answers) -> Iterator[Finding]:
    """Check that after K repairs exactly the tests of steps 1 to K pass.

    The other steps must fail by an assertion and for their own reason: with the same
    message whether or not the steps before them are repaired.
    """
    total = len(lesson.steps)
    files = [lesson.state_file(number) for number in range(total)]
    graded = [answers.submit(file.read_text(encoding="utf-8")) for file in files]
    verdicts = [each.result() for each in graded]
    for repaired, verdict in enumerate(verdicts):
        for step in verdict.steps:
            wanted = Verdict.PASSED if step.number <= repaired else Verdict.FAILED
            if step.verdict is not wanted:
                messages = "; ".join(t.message for t in step.tests if t.message)
                yield Finding(
                    lesson.slug,
                    "states",
                    f"after {repaired} repaired steps, step {step.number} is "
                    f"'{step.verdict}' and should be '{wanted}'. {messages}",
                )
    for number in range(2, total + 1):
        at_first = _messages(verdicts[0], number)
        in_turn = _messages(verdicts[number - 1], number)
        if at_first != in_turn:
            yield Finding(
                lesson.slug,
                "own reason",
                f"step {number} fails differently on the starter ({at_first}) and "
                f"when the steps before it are repaired ({in_turn})",
            )


def check_solution(
    lesson: Lesson, repeats: int, environment: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """Check that the solution passes *repeats* times under load."""
    with busy_cores():
        verdicts = grade_rounds(
            lesson,
            lesson.solution_file,
            rounds=repeats,
            seed=1,
            environment=environment,
            limits=PATIENT,
        )
    lost = [verdict for verdict in verdicts if not verdict.passed]
    if lost or len(verdicts) != repeats:
        passed = len(verdicts) - len(lost)
        messages = {
            f"{test.test.id}: {test.message}"
            for verdict in lost
            for step in verdict.steps
            for test in step.tests
            if test.verdict is not Verdict.PASSED
        }
        yield Finding(
            lesson.slug,
            "solution",
            f"passed {passed} of {repeats} times. " + " | ".join(sorted(messages)),
        )


def check_variants(lesson: Lesson, root: Path, answers: Answers) -> Iterator[Finding]:
    """Check that wrong variants are refused as declared and right ones pass."""
    try:
        variants = read_variants(lesson, root)
    except VariantError as error:
        yield Finding(lesson.slug, "variants", str(error))
        return
    judged = [answers.submit_variant(variant) for variant in variants]
    for variant, problem in zip(variants, judged, strict=True):
        if problem.result():
            what = f"{variant.name!r}: {problem.result()}"
            yield Finding(lesson.slug, "variants", what)


def _messages(verdict: LessonVerdict, number: int) -> list[str]:
    step = verdict.steps[number - 1]
    return [_NUMBER.sub("N", test.message) for test in step.tests]
