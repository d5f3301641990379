"""Watch a lesson's answer and grade each content of it once.

This is the engine of watch mode, in threads of its own. It uses neither a terminal nor
a screen: it sends events to a listener, which shows them.
"""

from workshop.watch.events import (
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
from workshop.watch.session import Session

__all__ = [
    "Ended",
    "Event",
    "Finished",
    "Missing",
    "Reported",
    "Session",
    "Started",
    "StepJudged",
    "Trouble",
    "Watching",
]
