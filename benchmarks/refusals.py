"""Measure how long it takes to refuse each wrong answer.

    python -m benchmarks.refusals [LESSON ...] [--slowest 3]

Grades every declared wrong answer with all tests of its lesson, one after the other in
forks of a warm process. For each lesson, prints the number of wrong answers, the median
and the longest time of a complete verdict in seconds, and the slowest answers.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.inside import HERE, enter

if __name__ == "__main__":
    enter("benchmarks.refusals", ("core",))

from workshop.actions.services import services_for_tests
from workshop.check.answers import answers_to
from workshop.check.variants import read_variants
from workshop.course import catalogue
from workshop.lesson import Lesson
from workshop.paths import ROOT


def main() -> None:
    """Measure the lessons named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument(HERE, action="store_true", help="do not set anything up")
    parser.add_argument("--slowest", type=int, default=3)
    chosen = parser.parse_args()
    names = chosen.lessons or [it.number for it in catalogue().lessons()]
    print("lesson                      wrong  median  slowest")
    for name in names:
        measure(catalogue().find(name), chosen.slowest)


def measure(lesson: Lesson, slowest: int) -> None:
    """Print a line for *lesson*, and one for each of its *slowest* refusals."""
    wrong = [it for it in read_variants(lesson, ROOT) if not it.is_right]
    with (
        services_for_tests(lesson, None, say=lambda _: None) as environment,
        answers_to(lesson, environment, at_once=1) as answers,
    ):
        seconds = {
            variant.name: answers.submit(variant.source).result().seconds
            for variant in wrong
        }
    order = sorted(seconds, key=lambda name: -seconds[name])
    median = statistics.median(seconds.values())
    print(
        f"{lesson.slug:<26} {len(wrong):>6} {median:>7.2f} {seconds[order[0]]:>8.2f}",
        flush=True,
    )
    for name in order[:slowest]:
        print(f"  {seconds[name]:.2f}  {name}", flush=True)


if __name__ == "__main__":
    main()
