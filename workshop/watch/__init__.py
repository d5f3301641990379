"""Watch a lesson's answer and grade each content of it once.

The engine of watch mode, in threads of its own: it knows neither a terminal
nor a screen. Whoever shows what happens listens to the events.
"""

from workshop.watch.events import (
    Ended,
    Event,
    Finished,
    Missing,
    Reported,
    Started,
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
    "Trouble",
    "Watching",
]
