"""Record who held the event loop, and draw it. Useful without the workshop."""

from workshop.timeline.model import Lane, Outcome, Span, State, Timeline
from workshop.timeline.recording import Recording, record
from workshop.timeline.requests import NameRequests
from workshop.timeline.svg import svg, svg_pair
from workshop.timeline.text import TimelineText, text

__all__ = [
    "Lane",
    "NameRequests",
    "Outcome",
    "Recording",
    "Span",
    "State",
    "Timeline",
    "TimelineText",
    "record",
    "svg",
    "svg_pair",
    "text",
]
