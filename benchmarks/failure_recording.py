"""Measure what recording costs the lesson tests that show a timeline.

    python -m benchmarks.failure_recording [LESSON ...] [--rounds 7]

Grades each lesson's solution with and without recording, alternately, in warm
processes. Prints the median seconds of both, and their ratio.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.inside import HERE, enter

if __name__ == "__main__":
    enter("benchmarks.failure_recording", ("core",))

from workshop.actions.services import services_for_tests
from workshop.course import catalogue
from workshop.grading.engine import grade_rounds
from workshop.lesson import Lesson
from workshop.testing.app.failure_recording import OFF

TURNS = 3


def main() -> None:
    """Measure the lessons named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument(HERE, action="store_true", help="do not set anything up")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    names = chosen.lessons or [it.number for it in catalogue().lessons()]
    print("lesson                     without   with  ratio")
    for name in names:
        measure(catalogue().find(name), chosen.rounds)


def measure(lesson: Lesson, rounds: int) -> None:
    """Print one line for *lesson*."""
    seconds: dict[str, list[float]] = {"1": [], "": []}
    with services_for_tests(lesson, None, say=_quiet) as environment:
        for _ in range(TURNS):
            for off, found in seconds.items():
                own = {**environment, OFF: off} if off else environment
                graded = grade_rounds(
                    lesson, lesson.solution_file, rounds=rounds, environment=own
                )
                found += [verdict.seconds for verdict in graded[1:]]
    without, recorded = (statistics.median(found) for found in seconds.values())
    ratio = recorded / without
    print(f"{lesson.slug:<26} {without:>7.3f} {recorded:>6.3f} {ratio:>6.3f}")


def _quiet(_: str) -> None:
    """Print nothing about services."""


if __name__ == "__main__":
    main()
