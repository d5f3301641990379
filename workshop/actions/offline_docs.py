"""The learner's app as served by hand, with a /docs page that works offline.

FastAPI's /docs page loads its script from a content delivery network, so it stays empty
on a train, or in a room where thirty people share a weak network. Here the script comes
from an installed package.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from importlib import resources
from pathlib import Path

import fastapi.openapi.docs
from starlette.routing import Mount, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from workshop import conflicts
from workshop.actions.debugging import AT_TERMINAL, COMMAND
from workshop.testing.app.breakpoints import call_at_breakpoints
from workshop.testing.reporting.source import SourceLine

_PREFIX = "/-docs"
_ELSEWHERE = {
    "swagger_js_url": "swagger-ui-bundle.js",
    "swagger_css_url": "swagger-ui.css",
    "swagger_favicon_url": "favicon.png",
    "redoc_js_url": "redoc.standalone.js",
    "redoc_favicon_url": "favicon.png",
}


def served() -> ASGIApp:
    """Return the object `app` of the module `app`, with the files that /docs needs.

    For `uvicorn --factory`. If there is no such object, or the file contains git's
    conflict markers, exit with code 1, as uvicorn does. Other exceptions of the module
    are passed on.
    """
    from uvicorn.importer import ImportFromStringError, import_from_string

    _use_own_files()
    conflict = _words_for_conflict()
    if conflict:
        logging.getLogger("uvicorn.error").error("%s", conflict)
        sys.exit(1)
    _serve_breakpoints()
    try:
        app: ASGIApp = import_from_string("app:app")
    except ImportFromStringError as problem:
        logging.getLogger("uvicorn.error").error("The app is not there. %s", problem)
        sys.exit(1)
    static = resources.files("fastapi_offline") / "static"
    files = Router([Mount(_PREFIX, StaticFiles(directory=str(static)))])

    async def with_files(scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["path"].startswith(f"{_PREFIX}/")
        await (files if own else app)(scope, receive, send)

    return with_files


def _words_for_conflict() -> str:
    spec = importlib.util.find_spec("app")
    if spec is None or not spec.origin:
        return ""
    text = Path(spec.origin).read_text(encoding="utf-8", errors="replace")
    line = conflicts.first_marker(text)
    return conflicts.words_for("app.py", line) if line is not None else ""


def _serve_breakpoints() -> None:
    """Print at breakpoints which command opens a debugger there.

    With `--reload`, another process owns the terminal, so a debugger would block the
    app forever. In that case the app continues past its breakpoints.
    """
    if os.environ.get(AT_TERMINAL):
        return  # the server opens one
    how = os.environ.get(COMMAND, "python -m workshop run --debug")

    def say(place: SourceLine) -> None:
        sys.stderr.write(
            f"app.py continued past a breakpoint ({place.short}), because no debugger "
            f"can open here. To stop there: {how}\n"
        )

    call_at_breakpoints(say)


def _use_own_files() -> None:
    """Change the default addresses of the script and style of /docs."""
    for page in ("get_swagger_ui_html", "get_redoc_html"):
        defaults = getattr(fastapi.openapi.docs, page).__kwdefaults__
        for name, file in _ELSEWHERE.items():
            if name in defaults:
                defaults[name] = f"{_PREFIX}/{file}"
        if "with_google_fonts" in defaults:
            defaults["with_google_fonts"] = False
