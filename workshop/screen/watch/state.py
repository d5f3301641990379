"""The state of watch mode, and how events from the engine change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from workshop.grading import LessonVerdict, StepVerdict, Verdict
from workshop.lesson import Lesson
from workshop.watch import (
    Ended,
    Event,
    Finished,
    Missing,
    Reported,
    Started,
    StepJudged,
    Trouble,
    Watching,
)
from workshop.watch.session import SUPERSEDED


@dataclass(frozen=True)
class WatchState:
    """Everything that the screen shows about one lesson.

    Attributes:
        verdict: The last verdict. It is `stale` if the file was saved since.
        step: The verdict of the run in progress on the current step, which comes first.
        run: The number of the run in progress, 0 if there is none.
        test: The number of the run's current test, 0 before the first.
        gained: The steps that now pass but did not in the verdict before.
        lost: The steps that no longer pass.
    """

    lesson: Lesson
    verdict: LessonVerdict | None = None
    step: StepVerdict | None = None
    stale: bool = False
    run: int = 0
    test: int = 0
    tests: int = 0
    watched: bool = False
    polling: str = ""
    missing: Path | None = None
    trouble: str = ""
    ended: str = ""
    gained: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()

    @property
    def running(self) -> bool:
        """Whether a run is in progress."""
        return self.run > 0

    @property
    def passed(self) -> bool:
        """Whether the last verdict is a pass."""
        return self.verdict is not None and self.verdict.passed


def apply(now: WatchState, event: Event) -> WatchState:
    """Return the state after *event*.

    Events of another lesson or an earlier run change nothing.
    """
    if event.lesson != now.lesson.slug:
        return now
    match event:
        case Watching(polling=polling, reason=reason):
            why = reason or "The file system does not report changes."
            return replace(now, watched=True, polling=why if polling else "")
        case Started(run=run, number_of_tests=tests):
            return replace(
                now,
                run=run,
                step=None,
                test=0,
                tests=tests,
                stale=now.verdict is not None,
                missing=None,
                trouble="",
                ended="",
            )
        case Reported(run=run, event=report) if run == now.run:
            if report.get("event") == "start":
                return replace(now, test=now.test + 1)
        case StepJudged(run=run, step=step) if run == now.run:
            return replace(now, step=step)
        case Finished(run=run, verdict=verdict) if run == now.run:
            new = _passed(verdict)
            old = _passed(now.verdict) if now.verdict else new
            return replace(
                now,
                run=0,
                verdict=verdict,
                step=None,
                stale=False,
                gained=() if verdict.passed else tuple(sorted(new - old)),
                lost=tuple(sorted(old & _failed(verdict))),
            )
        case Ended(run=run, reason=reason) if run == now.run and reason != SUPERSEDED:
            return replace(now, run=0, step=None, ended=reason)
        case Missing(path=path):
            stale = now.verdict is not None
            return replace(now, run=0, step=None, missing=path, stale=stale)
        case Trouble(text=text):
            return replace(now, trouble=text)
    return now


def _failed(verdict: LessonVerdict) -> set[int]:
    """Return the steps that ran and failed: a syntax error proves nothing."""
    return {it.number for it in verdict.steps if it.verdict is Verdict.FAILED}


def _passed(verdict: LessonVerdict) -> set[int]:
    return {s.number for s in verdict.steps if s.verdict is Verdict.PASSED}


def following(lesson: Lesson, lessons: list[Lesson], open_: set[str]) -> Lesson | None:
    """Return the lesson to continue with: the next of the *open_* slugs.

    After the last lesson the search starts at the first. None if none is open.
    """
    slugs = [other.slug for other in lessons]
    at = slugs.index(lesson.slug) + 1 if lesson.slug in slugs else 0
    for other in lessons[at:] + lessons[:at]:
        if other.slug in open_ and other.slug != lesson.slug:
            return other
    return None
