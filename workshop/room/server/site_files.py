"""The built site as files, with headers of its own."""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import b64encode
from functools import lru_cache
from pathlib import Path, PurePosixPath

from fastapi import HTTPException, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from workshop.commands import command
from workshop.room.server.settings import Settings

# The operating system's table of types differs from machine to machine, and browsers
# run no script of the wrong type.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".xml": "application/xml",
}
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_INLINE_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_HASHED_NAME = re.compile(r"\.[0-9a-f]{8}\.")


class SiteFiles(StaticFiles):
    """Serves the site of the *settings*, also if it is built after the start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(directory=settings.site or None, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if not await asyncio.to_thread(lambda: self._settings.has_site):
            raise HTTPException(
                404,
                "The course's pages are not built on the room's machine. There, run "
                f"`{command('site-build')}`, and then reload this page.",
            )
        await super().__call__(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at *path* with its type, policy and time in caches."""
        response = await super().get_response(path, scope)
        # The site's own page for this only works at the root of a server.
        if response.status_code == 404 or path == "404.html":
            raise HTTPException(404, "The course has no such page.")
        name = PurePosixPath(scope["path"]).name
        ending = Path(path).suffix or ".html"
        if response.status_code == 200:
            kind = _TYPES.get(ending, "application/octet-stream")
            response.headers["content-type"] = kind
        response.headers["cache-control"] = (
            "public, max-age=31536000, immutable"
            if _HASHED_NAME.search(name)
            else "no-cache"  # the copy is used after the server has agreed
        )
        if ending == ".html" and response.status_code in (200, 304):
            # A 304 may replace the headers of the copy.
            policy = await asyncio.to_thread(self._policy_at, path)
            response.headers["content-security-policy"] = policy
        return response

    def _policy_at(self, path: str) -> str:
        found, status = self.lookup_path(path)
        if not Path(path).suffix:
            found, status = self.lookup_path(str(Path(path, "index.html")))
        if status is None:  # removed a moment ago, by a new build
            raise HTTPException(404, "The course has no such page.")
        return _policy(found, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _policy(file: str, changed: int, size: int) -> str:
    """Return the content security policy of the page in *file*.

    The theme's pages contain small scripts, for example one that sets the colours
    before anything is drawn, and drawings contain their styles. Exactly those of this
    file are allowed, by their hashes: nothing that a page receives later, such as a
    name or a search, can run. The search runs in a worker. *changed* and *size* tell
    versions of the file apart.
    """
    html = Path(file).read_text(encoding="utf-8")
    scripts = " ".join(["'self'", *_hashes(_INLINE_SCRIPT, html)])
    styles = " ".join(["'self'", *_hashes(_INLINE_STYLE, html)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; "
        "connect-src 'self'; img-src 'self' data:; worker-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _hashes(pattern: re.Pattern[str], html: str) -> list[str]:
    digests = (hashlib.sha256(it.encode()).digest() for it in pattern.findall(html))
    return [f"'sha256-{b64encode(it).decode()}'" for it in dict.fromkeys(digests)]
