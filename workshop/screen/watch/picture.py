"""Draw watch mode as a picture: the real application, in a terminal of paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workshop.screen.watch.app import WatchApp

# A picture in a page may not ask another machine for its font.
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
# Rich cuts the lowest pixels off the last line.
_WINDOW = re.compile(r'(clip-terminal">\s*<rect [^>]*height=")([\d.]+)')
# Rich draws terminals in muted colours; a projector needs more.
_BRIGHTER = {
    "#c5c8c6": "#e8eae8",
    "#cc555a": "#ff8a8f",
    "#98a84b": "#bcd468",
    "#68a0b3": "#8fd3ea",
    "#292929": "#1c1f24",
}


async def picture(
    app: WatchApp, keys: Sequence[str], *, size: tuple[int, int], title: str
) -> str:
    """Return what *app* shows after *keys*, as an SVG picture.

    The same application with the same verdict gives the same picture.
    """
    async with app.run_test(size=size) as pilot:
        # A thread that gets no core looks idle from outside.
        await app.workers.wait_for_complete()
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        svg = app.export_screenshot(title=title)
    svg = _FONT_FACE.sub("", svg).replace("Fira Code", _FONTS)
    svg = _WINDOW.sub(lambda it: f"{it[1]}{float(it[2]) + 4}", svg)
    for muted, bright in _BRIGHTER.items():
        svg = svg.replace(muted, bright)
    return "\n".join(line.rstrip() for line in svg.splitlines()).strip() + "\n"
