"""The colours of the picture, for light and for dark pages.

Colour only repeats what shapes and hatching show. The contrast is at least 4.5 to 1 for
text and 3 to 1 for shapes (WCAG 2, AA). A test computes it.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "band": "#f1f4f7",
    "ink": "#17202b",
    "mute": "#4d5966",
    "grid": "#d3dae1",
    "running": "#00695c",
    "blocking": "#c01818",
    "ready": "#a34c00",
    "awaiting": "#3d6f9e",
    "thread": "#6a3fa0",
}
DARK = {
    "paper": "#161e1d",
    "band": "#202a29",
    "ink": "#e9efed",
    "mute": "#b4c0bd",
    "grid": "#3b4846",
    "running": "#4dd0bd",
    "blocking": "#ff8a80",
    "ready": "#ffb74d",
    "awaiting": "#8fbce6",
    "thread": "#c9abf5",
}

BACKGROUNDS = ("paper", "band")
TEXTS = ("ink", "mute")
SHAPES = ("running", "blocking", "ready", "awaiting", "thread", "ink")


def css(colours: dict[str, str]) -> str:
    """Return *colours* as CSS variables."""
    return ";".join(f"--{name}:{value}" for name, value in colours.items())
