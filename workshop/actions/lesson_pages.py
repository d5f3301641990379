"""The page that explains a lesson, opened in the learner's browser."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser

from workshop import paths
from workshop.lesson import Lesson


def browse(lesson: Lesson) -> str:
    """Open the lesson's page in a browser and return its address.

    Return "" if the site has not been built, or if there is no browser.
    """
    for name in (f"{lesson.slug}/index.html", f"{lesson.slug}.html"):
        page = paths.ROOT / "site" / "lessons" / name
        if page.is_file() and _has_window_browser():
            address = page.as_uri()
            # A browser that is slow to start must not block the keys.
            opening = threading.Thread(
                target=webbrowser.open, args=(address,), daemon=True
            )
            opening.start()
            return address
    return ""


def _has_window_browser() -> bool:
    """Whether a page would open in a window, and not in this terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
