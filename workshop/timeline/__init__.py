"""Record what occupies the event loop, and draw it. It does not need the workshop."""

from workshop.timeline.model import Lane, Mark, Outcome, Span, State, Timeline
from workshop.timeline.recording import Recording, call, mark, record
from workshop.timeline.requests import NameRequests
from workshop.timeline.svg import svg, svg_pair
from workshop.timeline.text import TimelineText, text

__all__ = [
    "Lane",
    "Mark",
    "NameRequests",
    "Outcome",
    "Recording",
    "Span",
    "State",
    "Timeline",
    "TimelineText",
    "call",
    "mark",
    "record",
    "svg",
    "svg_pair",
    "text",
]
