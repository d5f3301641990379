"""Record who held the event loop, and draw it. Useful without the workshop."""

from workshop.timeline.svg import svg, svg_pair
from workshop.timeline.text import TimelineText, text, text_pair

__all__ = ["TimelineText", "svg", "svg_pair", "text", "text_pair"]
