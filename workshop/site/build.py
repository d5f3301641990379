"""Run MkDocs, strictly and without its notices."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from workshop.processes.environment import environment_of_apps
from workshop.processes.loopback import bracketed
from workshop.processes.supervised import call
from workshop.site.plain import write_plain_texts

_AS_IT_STANDS = re.compile(
    r"(<pre\b.*?</pre>|<script\b.*?</script>|<textarea\b.*?</textarea>)", re.DOTALL
)


_MARKER = ".async-fastapi-workshop"
"""Marks a folder as a site that was built here. MkDocs keeps such a file."""


def refusal(site: Path) -> str | None:
    """Return why *site* must not be built into; None if it may.

    MkDocs first empties the folder, even through a link. So it has to be a folder that
    was built here, or an empty one.
    """
    if site.is_symlink():
        return f"{site} is a link, so nothing is built there. Remove the link."
    if not site.exists() or (site / _MARKER).is_file():
        return None
    if site.is_dir() and not any(site.iterdir()):
        return None
    return (
        f"{site} was not built by the workshop, so it stays as it is. Rename it or "
        "remove it, and run the same command again."
    )


def build(root: Path, site: Path) -> bool:
    """Build the site of the checkout *root* into *site*; return whether it succeeded.

    The content of *site* is deleted, so call `refusal` first. `--quiet` is not used,
    because it makes MkDocs ignore warnings, so that a strict build passes with broken
    links.
    """
    site.mkdir(parents=True, exist_ok=True)
    (site / _MARKER).touch()
    if _mkdocs(root, "build", "--strict", "--site-dir", str(site)):
        return False
    _lighten(site)
    write_plain_texts(root, site, *_name_and_pitch(root / "mkdocs.yml"))
    return True


def serve(root: Path, host: str, port: int) -> bool:
    """Serve the site at *host* until Ctrl-C; return whether it ended that way."""
    try:
        code = _mkdocs(
            root,
            *("serve", "--dev-addr", f"{bracketed(host)}:{port}"),
            *("--watch", str(root / "lessons"), "--watch", str(root / "solutions")),
        )
    except KeyboardInterrupt:
        return True
    return code in (0, -2, 130)


def _lighten(site: Path) -> None:
    """Remove the indentation of the theme's templates from the built *site*."""
    for page in site.rglob("*.html"):
        html = _tightened(page.read_text(encoding="utf-8"))
        page.write_text(html, encoding="utf-8", newline="\n")


def _tightened(html: str) -> str:
    """Return *html* without the indentation and empty lines that themes leave.

    They are a quarter of a page. Preformatted text is unchanged.
    """
    parts = _AS_IT_STANDS.split(html)
    parts[::2] = [re.sub(r"\s*\n\s*", "\n", it) for it in parts[::2]]
    return "".join(parts)


def _name_and_pitch(config: Path) -> tuple[str, str]:
    # Read plain lines, because parsing the file needs MkDocs' extensions of YAML.
    text = config.read_text(encoding="utf-8")
    name, pitch = (
        re.search(rf"^site_{key}: (.+)$", text, re.MULTILINE)
        for key in ("name", "description")
    )
    return (name[1] if name else ""), (pitch[1] if pitch else "")


def _mkdocs(root: Path, *arguments: str) -> int:
    # `-m` puts the checkout on the path, and with it our Markdown extension.
    return call(
        [sys.executable, "-m", "mkdocs", *arguments],
        cwd=root,
        environment=environment_of_apps({"NO_MKDOCS_2_WARNING": "1"}),
    )
