"""How reliable and how quick are the lessons' own tests?

    python -m benchmarks.lessons [LESSON ...] [--repeat 500]

For each lesson the solution is graded many times over in one warm process, in
random order, while every core is busy. Prints how often it passed, the median
round, the round in a process of its own that has just started, and which
services were real.
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

# A machine that is busy on purpose shall not turn a slow test into a lost one.
_PATIENT = Limits(test_seconds=60)


def main() -> None:
    """Measure the lessons named on the command line, all without a name."""
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
    """Print a line about *lesson*; seconds are with nothing else to do."""
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
