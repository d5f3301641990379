"""The files at the top of a bundle: start scripts, README.txt and a start page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from workshop.bundle.contents import Contents, megabytes, size
from workshop.bundle.folders import write_file
from workshop.environment.python import NEWEST, OLDEST, names

START = "start.py"

_SH = """\
#!/bin/sh
# Copies the course to this computer and sets it up, without internet.
# Run it with:  sh start.sh [FOLDER]
case $0 in */*) here=${{0%/*}} ;; *) here=. ;; esac
here=$(CDPATH= cd -- "$here/" && pwd) || exit 3
for python in {pythons} python3 python; do
    if "$python" -I "$here/{start}" --suits >/dev/null 2>&1; then
        exec "$python" -I "$here/{start}" "$@"
    fi
done
# No Python is suitable. If there is one at all, let it report what is missing.
if command -v python3 >/dev/null 2>&1; then
    exec python3 -I "$here/{start}" "$@"
fi
echo "This computer has no Python. Install Python {newest} from python.org or with" >&2
echo "your package manager, then run this again: sh start.sh" >&2
exit 3
"""

_COMMAND = """\
#!/bin/sh
# macOS runs this file when you double-click it.
case $0 in */*) here=${{0%/*}} ;; *) here=. ;; esac
here=$(CDPATH= cd -- "$here/" && pwd) || exit 3
cd || exit 3
exec sh "$here/start.sh" "$@"
"""

_BAT = """\
@echo off
rem Copies the course to this computer and sets it up, without internet.
rem Double-click it, or run:  start.bat [FOLDER]
setlocal
for %%V in ({versions}) do (
    py -%%V -I "%~dp0{start}" --suits >nul 2>nul && (
        py -%%V -I "%~dp0{start}" %*
        goto end
    )
)
python -I "%~dp0{start}" --suits >nul 2>nul && (
    python -I "%~dp0{start}" %*
    goto end
)
rem No Python is suitable. If there is one at all, let it report what is missing.
python --version >nul 2>nul && (
    python -I "%~dp0{start}" %*
    goto end
)
py --version >nul 2>nul && (
    py -I "%~dp0{start}" %*
    goto end
)
echo This computer has no Python. Install Python {newest} from python.org, then
echo run start.bat again.
cmd /c exit 3
:end
set CODE=%errorlevel%
rem Keep the window open after a double click.
pause
exit /b %CODE%
"""

_README = """\
Learn async FastAPI by repairing broken apps
============================================

This folder contains everything for the workshop. You do not need internet access.

Start
-----
  Linux     sh start.sh
  macOS     double-click start.command, or: sh start.sh
  Windows   double-click start.bat

The script copies the course to the folder async-fastapi-workshop in your home folder,
installs its packages there, and prints the command to begin. To use another folder,
add its name: sh start.sh FOLDER. When the script has finished, you can unplug the
stick.

You need Python {oldest} to {newest}. On Debian and Ubuntu, also install the package
python3-venv. The packages run on Windows, macOS 11 and later, and Linux with glibc
2.28 and later (not Alpine).

Contents
--------
{parts}
{machines}
Check the files
---------------
start.sh and start.bat check every file that they copy. To check all files:
  Linux     sha256sum -c --quiet SHA256SUMS
  macOS     shasum -a 256 -c SHA256SUMS

This is commit {commit} of the course.
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Learn async FastAPI by repairing broken apps</title>
<style>
body {{ font: 1.1rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 42rem;
  padding: 0 1rem; color: #222; background: #fff }}
td, th {{ text-align: left; padding: .2rem 1.5rem .2rem 0 }}
code {{ background: #f2f2f2; padding: .1rem .3rem }}
</style>
<h1>Learn async FastAPI by repairing broken apps</h1>
<p>This folder contains everything for the workshop. You do not need internet
access.</p>
<table>
<tr><th>Linux</th><td>run <code>sh start.sh</code> in a terminal</td></tr>
<tr><th>macOS</th><td>double-click <code>start.command</code></td></tr>
<tr><th>Windows</th><td>double-click <code>start.bat</code></td></tr>
</table>
<p>The script copies the course to the folder <code>async-fastapi-workshop</code> in
your home folder, installs its packages there, and prints the command to begin.</p>
{site}<p>The packages are for {titles}.</p>
</html>
"""

_SITE = '<p><a href="site/index.html">Read the course in your browser</a></p>\n'


def write(folder: Path, contents: Contents) -> None:
    """Write these files to the bundle *folder*."""
    pythons = names()
    values = {
        "start": START,
        "pythons": " ".join(pythons),
        "versions": " ".join(name.removeprefix("python") for name in pythons),
        "oldest": "{}.{}".format(*OLDEST),
        "newest": "{}.{}".format(*NEWEST),
        "commit": contents.commit[:12],
    }
    own = resources.files("workshop.bundle").joinpath(START).read_bytes()
    titles = ", ".join(machine.title for machine in contents.machines)
    page = _PAGE.format(
        site=_SITE if contents.site else "",
        titles=html.escape(titles or "no computer yet"),
    )
    readme = _README.format(
        parts=_parts(folder), machines=_machines(folder, contents), **values
    )
    for name, text, mode in (
        (START, own, 0o644),
        ("start.sh", _SH.format(**values).encode(), 0o755),
        ("start.command", _COMMAND.format().encode(), 0o755),
        ("start.bat", _crlf(_BAT.format(**values)), 0o644),
        ("README.txt", _crlf(readme), 0o644),
        ("START-HERE.html", page.encode(), 0o644),
    ):
        write_file(folder / name, text, mode)


def _crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def _parts(folder: Path) -> str:
    rows = [("course", "the course, as a git clone")]
    rows += [("wheels", "packages for the computers below")]
    rows += [("site", "the course as a site: open site/index.html in a browser")]
    return "".join(
        f"  {name + '/':<9} {megabytes(size([folder / name])):>9}   {words}\n"
        for name, words in rows
        if (folder / name).is_dir()
    )


def _machines(folder: Path, contents: Contents) -> str:
    rows = [
        (
            machine.title,
            megabytes(size(folder / "wheels" / name for name in machine.wheels)),
            _listed(machine.groups),
        )
        for machine in contents.machines
    ]
    return "".join(f"  {title:<30} {it:>9}   {groups}\n" for title, it, groups in rows)


def _listed(groups: Sequence[str]) -> str:
    others = [name for name in groups if name != "core"]
    return "lessons" + "".join(f", {name}" for name in others)
