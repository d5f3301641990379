"""The verbs that authors and maintainers use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from workshop.cli import place
from workshop.cli.app import NOT_PASSED, PASSED
from workshop.cli.learner import (
    database_option,
    lesson_argument,
    named_lesson,
    say,
)

if TYPE_CHECKING:
    from workshop.actions.services import Choice
    from workshop.check import Finding


@click.command("new-lesson")
@click.argument("name")
@click.option(
    "--steps", type=int, default=4, show_default=True, help="Number of steps."
)
def new_lesson(name: str, steps: int) -> int:
    """Write the files of a new lesson, as a small one that works.

    NAME is its number and name, such as 08_websockets. With make: `make new-lesson
    ARGS="08_websockets --steps 4"`.
    """
    from workshop.check.new_lesson import NewLessonError, write_lesson
    from workshop.screen.console import command

    try:
        written = write_lesson(place.ROOT, name, steps)
    except NewLessonError as problem:
        raise click.UsageError(str(problem)) from None
    for path in written:
        click.echo(f"Wrote {path.relative_to(place.ROOT).as_posix()}")
    number = name[:2]
    click.echo()
    for words, verb, option in (
        ("The starter fails:", "test", ""),
        ("The solution passes:", "test", "--solution"),
        ("What to write next:", "check", "--draft"),
    ):
        click.echo(f"{words:<25}{command(verb, number, option)}")
    return PASSED


@click.command("check")
@lesson_argument
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many times the solution has to pass.",
)
@click.option("--draft", is_flag=True, help="Only list what is missing.")
@database_option
def check(
    lesson: tuple[str, ...], repeat: int, draft: bool, database: Choice | None
) -> int:
    """Check whether a lesson is ready to publish.

    With --draft, run nothing, and list what is missing in the order in which to
    write it.
    """
    from workshop.actions.services import services_for_tests
    from workshop.check import check_draft, check_lesson

    every = place.catalogue().named()
    chosen = [named_lesson(lesson)] if lesson else every
    count = 0
    for it in chosen:
        if draft:
            found = check_draft(it, place.ROOT, say)
        else:
            found = check_lesson(
                it,
                place.ROOT,
                repeats=repeat,
                services=partial(services_for_tests, it, database, say=say),
                say=say,
            )
        for number, finding in enumerate(found, 1):
            # An author's to-do list needs neither the lesson's nor the rule's name.
            click.echo(f"{number}. {finding.in_words}" if draft else str(finding))
        count += len(found)
    names = ", ".join(it.number for it in chosen)
    lessons = f"lesson {names}" if len(chosen) == 1 else f"lessons {names}"
    if count:
        click.echo(f"{count} {'problem' if count == 1 else 'problems'} in {lessons}.")
        return NOT_PASSED
    click.echo(f"No problems in {lessons}.")
    if draft and chosen:
        from workshop.screen.console import command

        only = chosen[0].number if len(chosen) == 1 else ""
        say(f"Now run the whole check: {command('check', only)}")
    return PASSED


def pages_findings(*, quick: bool, renewing: bool = False) -> list[Finding]:
    """Return what is out of date, missing or without a source on the pages.

    With *renewing*, first update the generated parts: all of them, or none if one
    cannot be generated. With *quick*, run nothing, and do not check the outputs of
    commands.
    """
    from workshop.check import Finding
    from workshop.check.generated import check_generated, planned, write
    from workshop.check.pages import PageError, check_page, fill_page, pages_below
    from workshop.cli.outputs import outputs_of, verb_parts

    verbs = verb_parts(place.ROOT)
    outputs: dict[str, str] = {}
    lessons = place.lessons()
    for it in () if quick else lessons:
        say(f"Lesson {it.number}: running its commands")
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
            say(f"Updated {path.relative_to(place.ROOT)}.")
    findings = list(check_generated(place.ROOT, verbs))
    for path in pages_below(place.ROOT):
        findings += check_page(path, place.ROOT, None if quick else outputs)
    return findings


@click.command("pages")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; only report.")
@click.option("--quick", is_flag=True, help="Run nothing; keep the outputs.")
def pages(only_check: bool, quick: bool) -> int:
    """Update what pages quote from the project: code, outputs, tables, facts."""
    findings = pages_findings(quick=quick, renewing=not only_check)
    for finding in findings:
        click.echo(str(finding))
    return NOT_PASSED if findings else PASSED


@click.command("doctor")
def doctor() -> int:
    """Check this machine, and say for each problem what to do."""
    from workshop.doctor import main

    return main()


@click.command("install-dev")
def install_dev() -> int:
    """Install the packages that contributors need, and run nothing."""
    # They are there already: each verb gets its packages before it begins.
    click.echo("The packages for contributors are installed.")
    return PASSED


@click.command("selftest")
@click.option("--all", "everything", is_flag=True, help="The slow tests, too.")
@click.option(
    "--everywhere",
    is_flag=True,
    help="All, and on the oldest and newest Python what may differ there.",
)
def selftest(everything: bool, everywhere: bool) -> int:
    """Run linters, type checker and the project's own tests (make test).

    Without an option, slow tests are left out.
    """
    from workshop.environment.selftest import Tier
    from workshop.environment.selftest import selftest as run

    if everywhere:
        return run(Tier.EVERYWHERE)
    return run(Tier.ALL if everything else Tier.QUICK)


VERBS: tuple[click.Command, ...] = (
    *(new_lesson, check, pages, doctor, install_dev, selftest),
)
