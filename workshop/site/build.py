"""Call the builder: strictly, and without its news."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def build(root: Path, site: Path | None = None) -> bool:
    """Build the site of the checkout *root* into *site*; tell whether it worked.

    Never quietly: with `--quiet`, MkDocs no longer counts warnings, and a
    strict build passes with broken links.
    """
    place = ["--site-dir", str(site)] if site else []
    return _mkdocs(root, "build", "--strict", *place) == 0


def serve(root: Path, port: int) -> bool:
    """Serve it at *port* until Ctrl-C; tell whether that is how it ended."""
    try:
        code = _mkdocs(
            root,
            *("serve", "--dev-addr", f"127.0.0.1:{port}"),
            *("--watch", str(root / "lessons"), "--watch", str(root / "solutions")),
        )
    except KeyboardInterrupt:
        return True
    return code in (0, -2, 130)


def _mkdocs(root: Path, *arguments: str) -> int:
    # `-m` puts the checkout on the path, and so our Markdown extension.
    return subprocess.call(
        [sys.executable, "-m", "mkdocs", *arguments],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
