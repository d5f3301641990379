"""The verbs that authors and maintainers use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.cli.learner import database_option, lesson_argument, one_lesson, say

if TYPE_CHECKING:
    from workshop.check import Finding
    from workshop.cli.services import Choice


@click.command("check")
@lesson_argument
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How often the solution has to pass.",
)
@database_option
def check(lesson: tuple[str, ...], repeat: int, database: Choice | None) -> int:
    """The author's gate: is a lesson fit to be handed out?"""
    from workshop.check import check_lesson
    from workshop.cli.services import services_for_tests

    chosen = [one_lesson(lesson)] if lesson else place.catalogue().lessons()
    findings: list[Finding] = []
    for it in chosen:
        with services_for_tests(it, database, say=say) as environment:
            found = check_lesson(
                it, place.ROOT, repeats=repeat, environment=environment, say=say
            )
        for finding in found:
            click.echo(str(finding))
        findings += found
    names = ", ".join(it.number for it in chosen)
    if findings:
        things = "thing" if len(findings) == 1 else "things"
        click.echo(f"{len(findings)} {things} to mend in lessons {names}.")
        return NOT_PASSED
    click.echo(f"Nothing to mend in lessons {names}.")
    return PASSED


def pages_findings(*, quick: bool, renewing: bool = False) -> list[Finding]:
    """Return what on the pages is stale, missing, or from nowhere.

    *renewing* first writes anew what can be made: all of it, or nothing when a
    part cannot be made. *quick* runs nothing: what commands printed is trusted
    as it stands.
    """
    from workshop.check import Finding
    from workshop.check.generated import check_generated, planned, write
    from workshop.check.pages import PageError, check_page, fill_page, pages_below
    from workshop.cli.outputs import outputs_of, verb_parts

    verbs = verb_parts(place.ROOT)
    outputs: dict[str, str] = {}
    lessons = place.lessons()
    for it in () if quick else lessons:
        say(f"Lesson {it.number}: what its commands print")
        outputs |= outputs_of(it)
    if renewing:
        try:
            changed = planned(
                place.ROOT, verbs, lambda text: fill_page(text, place.ROOT, outputs)
            )
        except PageError as problem:
            say("Nothing was written.")
            return [Finding("pages", "generated", str(problem))]
        for path in write(changed):
            say(f"Renewed {path.relative_to(place.ROOT)}.")
    findings = list(check_generated(place.ROOT, verbs))
    for path in pages_below(place.ROOT):
        findings += check_page(path, place.ROOT, None if quick else outputs)
    return findings


@click.command("pages")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; tell.")
@click.option("--quick", is_flag=True, help="Run nothing; trust the outputs.")
def pages(only_check: bool, quick: bool) -> int:
    """Renew what pages show of the tree: code, outputs, tables, facts."""
    findings = pages_findings(quick=quick, renewing=not only_check)
    for finding in findings:
        click.echo(str(finding))
    return NOT_PASSED if findings else PASSED


@click.command("doctor")
def doctor() -> int:
    """Is this machine ready? One plain sentence for each problem."""
    from workshop.doctor import main

    return main()


@click.command("selftest")
@click.option("--everywhere", is_flag=True, help="On the oldest and newest Python too.")
def selftest(everywhere: bool) -> int:
    """The project's own whole test suite (make test)."""
    from workshop.environment.selftest import selftest as run

    return run(everywhere)


VERBS: tuple[click.Command, ...] = (check, pages, doctor, selftest)
