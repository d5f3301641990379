"""A real browser for the site: found on this machine, started once, kept quiet."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
AXE = "axe-core@4.14.1"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_QUIET = (
    "--no-sandbox",  # CI runs as root, where Chromium's sandbox refuses to start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # What is not on this machine is not found: a test asks nobody outside.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class MissingToolError(Exception):
    """A tool for checking the site is missing. The message says how to get it."""


@contextlib.contextmanager
def needed() -> Iterator[None]:
    """Skip if a tool is missing, but fail where the site is published."""
    try:
        yield
    except MissingToolError as missing:
        if os.environ.get("WORKSHOP_AUTHOR"):
            pytest.fail(f"The pages were not looked at. {missing}")
        pytest.skip(str(missing))


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; raise `MissingToolError` if there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise MissingToolError(
            "Playwright is not installed; `make install-dev` installs it."
        ) from None
    wanted = os.environ.get("WORKSHOP_CHROMIUM")
    path = wanted or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise MissingToolError(
            "There is no Chromium here. `apt-get install chromium` brings it on "
            "Debian; WORKSHOP_CHROMIUM can name another one."
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=_QUIET)
        with contextlib.closing(started):
            yield started


@functools.cache
def axe() -> str:
    """Return the script of axe-core, fetched once from the npm registry.

    Raises `MissingToolError` when it cannot be fetched.
    """
    cache = ROOT / ".workshop" / "cache"
    archive = cache / f"{AXE.replace('@', '-')}.tgz"
    if not archive.is_file():
        _fetch(archive)
    with tarfile.open(archive) as package:
        script = package.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode("utf-8")


def _fetch(archive: Path) -> None:
    """Write axe-core's package to *archive* atomically."""
    npm = shutil.which("npm")
    if npm is None:
        raise MissingToolError("npm is not there, which fetches axe-core.")
    archive.parent.mkdir(parents=True, exist_ok=True)
    # npm writes bit by bit, and others may be looking.
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        try:
            ended = subprocess.run(
                [npm, "pack", "--silent", AXE],
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=300,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MissingToolError(
                f"npm did not fetch {AXE} in five minutes."
            ) from None
        fetched = Path(folder, archive.name)
        if ended.returncode or not fetched.is_file():
            raise MissingToolError(f"npm could not fetch {AXE}: {ended.stderr}")
        fetched.replace(archive)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve *folder* on a free port of this machine; yield its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
