"""Draw watch mode as a picture, using the real application in a virtual terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workshop.screen.watch.app import WatchApp

# A picture on a page must not load its font from another machine.
_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
# Rich cuts off the last line's lowest pixels.
_WINDOW = re.compile(r'(clip-terminal">\s*<rect [^>]*height=")([\d.]+)')
# Rich draws terminals in muted colours; a projector needs more contrast.
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
    """Return an SVG picture of *app* after pressing *keys*.

    The same application with the same verdict always gives the same picture.
    """
    async with app.run_test(size=size) as pilot:
        # A thread that is waiting for a core looks idle.
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
