"""Call the builder: strictly, and without its news."""

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
"""Marks a folder as a site that was built here. MkDocs leaves such a file alone."""


def refusal(site: Path) -> str | None:
    """Say why nothing can be built into *site*, None if it can.

    MkDocs first empties the folder, also through a link. So it has to be one that
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
    """Build the site of the checkout *root* into *site*; tell whether it worked.

    What is in *site* is removed: ask `refusal` first. Never quietly: with `--quiet`,
    MkDocs no longer counts warnings, and a strict build passes with broken links.
    """
    site.mkdir(parents=True, exist_ok=True)
    (site / _MARKER).touch()
    if _mkdocs(root, "build", "--strict", "--site-dir", str(site)):
        return False
    _lighten(site)
    write_plain_texts(root, site, *_name_and_pitch(root / "mkdocs.yml"))
    return True


def serve(root: Path, host: str, port: int) -> bool:
    """Serve it at *port* of *host* until Ctrl-C; tell whether that is how it ended."""
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
    """Leave the margins of the theme's templates out of the built *site*."""
    for page in site.rglob("*.html"):
        html = _tightened(page.read_text(encoding="utf-8"))
        page.write_text(html, encoding="utf-8", newline="\n")


def _tightened(html: str) -> str:
    """Return *html* without the margins and empty lines that themes leave.

    They are a quarter of a page. Texts that are shown as they stand stay so.
    """
    parts = _AS_IT_STANDS.split(html)
    parts[::2] = [re.sub(r"\s*\n\s*", "\n", it) for it in parts[::2]]
    return "".join(parts)


def _name_and_pitch(config: Path) -> tuple[str, str]:
    # Plain lines: reading all of it would need what the builder adds to YAML.
    text = config.read_text(encoding="utf-8")
    name, pitch = (
        re.search(rf"^site_{key}: (.+)$", text, re.MULTILINE)
        for key in ("name", "description")
    )
    return (name[1] if name else ""), (pitch[1] if pitch else "")


def _mkdocs(root: Path, *arguments: str) -> int:
    # `-m` puts the checkout on the path, and so our Markdown extension.
    return call(
        [sys.executable, "-m", "mkdocs", *arguments],
        cwd=root,
        environment=environment_of_apps({"NO_MKDOCS_2_WARNING": "1"}),
    )
