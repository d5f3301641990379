"""The verbs that authors and maintainers use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.cli.learner import database_option, lesson_argument, one_lesson, say

if TYPE_CHECKING:
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
    from workshop.check import Finding, check_lesson
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
        click.echo(f"{len(findings)} things to mend in lessons {names}.")
        return NOT_PASSED
    click.echo(f"Nothing to mend in lessons {names}.")
    return PASSED


@click.command("pages")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; tell.")
def pages(only_check: bool) -> int:
    """Renew what pages show of the tree: outputs, tables, facts."""
    from workshop.check import Finding
    from workshop.check.generated import check_generated, renew
    from workshop.check.pages import check_page, fill_page
    from workshop.cli.outputs import outputs_of

    findings: list[Finding] = []
    if not only_check:
        for path in renew(place.ROOT):
            say(f"Renewed {path.name}.")
    findings += check_generated(place.ROOT)
    for it in place.catalogue().lessons():
        outputs = outputs_of(it)
        path = it.page
        if not only_check:
            text = path.read_text(encoding="utf-8")
            renewed = fill_page(text, outputs)
            if renewed != text:
                path.write_text(renewed, encoding="utf-8", newline="\n")
                say(f"Renewed docs/lessons/{path.name}.")
        findings += check_page(it, place.ROOT, outputs)
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
