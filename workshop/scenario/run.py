"""Play scenes in a new process and within limits, whatever the app does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.grading import Limits
from workshop.grading.engine import WORKER, line_in
from workshop.sandbox.worker_process import WorkerProcess
from workshop.timeline.model import Timeline

_LIMITS = Limits(test_seconds=12.0, run_seconds=60.0)
SECONDS = 6.0
"""The time after which a recording is ended, on the loop's clock."""


@dataclass(frozen=True)
class ScenarioRun:
    """A scene, and the app to play it with: the file *answer*."""

    script: Path
    scene: str
    answer: Path


@dataclass(frozen=True)
class Recorded:
    """The recording of a scenario run."""

    timeline: Timeline


@dataclass(frozen=True)
class NotRecorded:
    """Why a run has no recording, in words for the author of the app."""

    words: str


def play(
    plays: Sequence[ScenarioRun],
    *,
    exact: bool = False,
    environment: Mapping[str, str] | None = None,
    limits: Limits = _LIMITS,
) -> list[Recorded | NotRecorded]:
    """Play all *plays* one after another, and return the result of each.

    It returns within the *limits* and leaves no process behind, whatever an app does.

    Args:
        plays: the scenes and apps.
        exact: use virtual time, so that pictures are always the same. This is for the
            project's own solutions. Learners' apps are recorded in real time.
        environment: additional environment variables.
        limits: when to end the process.
    """
    job = {
        "done_by": "workshop.scenario.recording",
        "plays": [
            {
                "scenario": str(it.script),
                "scene": it.scene,
                "answer": str(it.answer.resolve()),
            }
            for it in plays
        ],
        "exact": exact,
        "seconds": SECONDS,
        "test_seconds": limits.test_seconds,
        "waits": False,
    }
    found: dict[int, Recorded | NotRecorded] = {}
    last: Mapping[str, Any] = {"event": "gone"}
    with WorkerProcess(WORKER, environment or {}) as worker:
        for event in worker.run(job, limits, len(plays)):
            last = event
            match event["event"]:
                case "played":
                    timeline = Timeline.from_json(event["timeline"])
                    found[event["number"]] = Recorded(timeline)
                case "refused":
                    found[event["number"]] = NotRecorded(event["words"])
        left = [number for number in range(len(plays)) if number not in found]
        for number in left:
            line = line_in(plays[number].answer, list(worker.last_words))
            found[number] = NotRecorded(_words(last, line, worker.exit_code, limits))
    return [found[number] for number in range(len(plays))]


def _words(
    last: Mapping[str, Any], line: str, exit_code: int | None, limits: Limits
) -> str:
    where = f" It was at {line}." if line else ""
    match last["event"]:
        case "timed_out":
            return (
                f"All scenes together took longer than {limits.run_seconds:.0f} s "
                f"each, so the process was ended.{where}"
            )
        case "stalled":
            return (
                f"There was no end after {limits.test_seconds:.0f} s, so the process "
                f"was ended.{where}"
            )
        case "output_limit":
            return (
                f"app.py printed more than {limits.output_bytes // 1000} kB, so the "
                "process was ended. Is there a print in a loop that never ends?"
            )
        case "process_limit":
            return (
                f"app.py started more than {limits.processes} processes, so all were "
                "ended. Does it start itself again?"
            )
        case "breakpoint":
            return (
                f"app.py stopped at a breakpoint ({last['where']}), where no debugger "
                "can open. Remove it, or run the app with --debug."
            )
        case "broken":
            said = str(last.get("traceback", "")).strip().rpartition("\n")[2]
            return f"The recording broke down, and not by app.py: {said}"
        case _:
            return (
                "The process that ran app.py ended by itself in the middle, with exit "
                f"code {exit_code}.{where} Did something call os._exit()?"
            )
