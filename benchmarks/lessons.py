"""Measure how reliable and how fast the lessons' tests are.

    python -m benchmarks.lessons [LESSON ...] [--repeat 500]

Grades the solution of each lesson many times in one warm process, in random order,
while all cores are busy. Prints the number of rounds and how many did not pass; then,
measured without the load, the seconds of a round in a warm process (median) and in a
new one; and which services were real.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.inside import HERE, enter

if __name__ == "__main__":
    enter("benchmarks.lessons", ("core",))

from workshop.actions.services import Choice, services_for_tests
from workshop.check.load import busy_cores
from workshop.course import catalogue
from workshop.grading import Limits, grade
from workshop.grading.engine import grade_rounds
from workshop.lesson import Lesson

# All cores are busy on purpose, so a slow test must not count as a failed one.
_PATIENT = Limits(test_seconds=60)


def main() -> None:
    """Measure the lessons named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument(HERE, action="store_true", help="do not set anything up")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--database", choices=["sqlite", "postgres"])
    chosen = parser.parse_args()
    names = chosen.lessons or [it.number for it in catalogue().lessons()]
    print("lesson                      rounds  lost   warm   cold  services")
    for name in names:
        measure(catalogue().find(name), chosen.repeat, chosen.database)


def measure(lesson: Lesson, repeat: int, database: str | None) -> None:
    """Print one line for *lesson*."""
    services: list[str] = []
    choice: Choice | None = "postgres" if database == "postgres" else None
    with services_for_tests(lesson, choice, say=services.append) as environment:
        cold = grade(lesson, lesson.solution_file, environment=environment).seconds
        quiet = grade_rounds(
            lesson, lesson.solution_file, rounds=9, environment=environment
        )
        with busy_cores():
            rounds = grade_rounds(
                lesson,
                lesson.solution_file,
                rounds=repeat,
                seed=1,
                environment=environment,
                limits=_PATIENT,
            )
    lost = repeat - sum(verdict.passed for verdict in rounds)
    warm = statistics.median(verdict.seconds for verdict in quiet[1:])
    real = ", ".join(text.removeprefix("Service: ") for text in services) or "none"
    print(f"{lesson.slug:<26} {repeat:>7} {lost:>5} {warm:>6.2f} {cold:>6.2f}  {real}")


if __name__ == "__main__":
    main()
