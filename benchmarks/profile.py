"""Show where the time of a verdict goes.

    python -m benchmarks.profile [LESSON ...] [--rounds 9]

Runs the solution of each lesson in a warm process, as `benchmarks.watch` does for its
limit, and prints medians: first the milliseconds of the whole run, then the share of
each part of it. `collection` is starting pytest, and importing and collecting the
lesson; `fixtures` and `tests` are those of the lesson; `pytest` is the rest. The last
column, `processor`, is the processor time of all threads as a share of the run. In the
remaining time, the run waits for sockets, processes or threads.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.inside import HERE, enter
from benchmarks.watch import Copies, warm

if TYPE_CHECKING:
    from workshop.lesson import Lesson

COLUMNS = ("collection", "fixtures", "tests", "pytest", "processor")


def main() -> None:
    """Measure the lessons named on the command line, or all of them."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSON")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(HERE, action="store_true", help="do not set anything up")
    enter("benchmarks.profile", ("core", "benchmarks"))
    chosen = parser.parse_args()
    from workshop.course import catalogue

    names = chosen.lessons or [it.number for it in catalogue().lessons()]
    print(f"{'lesson':<26} {'ms':>6}", *(f"{it:>10}" for it in COLUMNS))
    for name in names:
        lesson = catalogue().find(name)
        figures = measure(lesson, chosen.rounds)
        parts = (f"{figures[it]:>10.0%}" for it in COLUMNS)
        print(f"{lesson.slug:<26} {figures['all']:>6.0f}", *parts)


def measure(lesson: Lesson, rounds: int) -> dict[str, float]:
    """Return the milliseconds of a run (`all`), and each column as a share of it."""
    text = lesson.solution_file.read_text(encoding="utf-8")
    with (
        tempfile.TemporaryDirectory(prefix="workshop-benchmark-") as folder,
        warm(Copies(Path(folder), lesson.slug), lesson) as warm_round,
    ):
        found = [warm_round(f"{text}\n# Round {it}.\n") for it in range(rounds)]
    whole = statistics.median(it["all"] for it in found)
    parts = {
        "collection": [it["collection"] for it in found],
        "fixtures": [it["setup"] + it["teardown"] for it in found],
        "tests": [it["call"] for it in found],
        "processor": [it["processor"] for it in found],
    }
    shares = {name: statistics.median(each) / whole for name, each in parts.items()}
    rest = 1 - sum(shares[it] for it in ("collection", "fixtures", "tests"))
    return {"all": whole, "pytest": max(rest, 0), **shares}


if __name__ == "__main__":
    main()
