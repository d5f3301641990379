"""Whatever is stale, missing or broken stops the build."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from workshop import paths
from workshop.cli.app import command_line
from workshop.paths import ROOT
from workshop.site.build import build, refusal

pytest.importorskip("pymdownx", reason="pymdown-extensions needs Python 3.11.5")

SOURCE = 'def ping():\n    return "pong"\n\n\ndef pong():\n    return "ping"\n'
PAGE = """\
# 90 · Seats

```python from="app.py::ping" hl="return"
def ping():
    return "pong"
```

![Two lanes](../pictures/lanes.svg)

[Start](../index.md#first)
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'
Change = Callable[[str, str, str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with our own mkdocs.yml, one page, and a fast theme."""
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    here = f"workshop.site.extension:\n      root: {tmp_path.as_posix()}"
    config = config.replace("workshop.site.extension", here)
    config = re.sub(r"^theme:\n(?: .*\n|\n)+", "theme: mkdocs\n", config, flags=re.M)
    config = config.replace("  - offline\n", "")
    hooks = (ROOT / "workshop" / "site").as_posix()
    config = config.replace("- workshop/site/", f"- {hooks}/")
    for path, text in (
        ("mkdocs.yml", config),
        ("app.py", SOURCE),
        ("docs/index.md", "# Start\n\n## First\n"),
        ("docs/lessons/90_seats.md", PAGE),
        ("docs/pictures/lanes.svg", SVG),
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def change(root: Path) -> Change:
    def change(name: str, old: str, new: str) -> None:
        path = root / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def test_a_new_page_appears_in_the_menu(root: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"

    assert build(root, site)

    page = (site / "lessons" / "90_seats.html").read_text(encoding="utf-8")
    assert "<svg" in page
    start = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="lessons/90_seats.html"' in start
    assert "- [90 · Seats](lessons/90_seats.md)" in (site / "llms.txt").read_text(
        "utf-8"
    )
    assert (site / "lessons" / "90_seats.md").read_text("utf-8").startswith("# 90")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("app.py", '"pong"', '"pang"', "differs from app.py::ping"),
        ("app.py", "def ping", "def sing", "app.py has no ping"),
        ("docs/lessons/90_seats.md", 'hl="return"', 'hl="await"', "no line contains"),
        ("docs/lessons/90_seats.md", "lanes.svg", "gone.svg", "no picture gone.svg"),
        ("docs/lessons/90_seats.md", "../index.md", "../start.md", "../start.md"),
        ("docs/lessons/90_seats.md", "#first", "#last", "#last"),
    ],
    ids=["stale", "name gone", "text gone", "no picture", "no page", "no heading"],
)
def test_a_build_is_stopped(
    name: str,
    old: str,
    new: str,
    words: str,
    root: Path,
    change: Change,
    capfd: pytest.CaptureFixture[str],
) -> None:
    change(name, old, new)

    assert not build(root, root / "site")

    assert words in capfd.readouterr().err


def test_an_output_that_has_changed_stops_the_build(
    lesson: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = '\n```text title="make lesson-90 test"\nAll is well.\n```\n'
    page = tmp_path / "docs" / "lessons" / "90_seats.md"
    page.write_text(page.read_text("utf-8") + shown, encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path)

    ended = CliRunner().invoke(command_line(), ["site-build"], standalone_mode=False)

    assert ended.return_value == 1
    assert "'make lesson-90 test' is out of date" in ended.output
    assert not (tmp_path / "site").exists()


def test_only_a_site_built_here_is_overwritten(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", root)
    site = root / "site"
    site.mkdir()
    (site / "thesis.txt").write_text("the only copy", encoding="utf-8")

    ended = CliRunner().invoke(command_line(), ["site-build", "--quick"])

    assert ended.exit_code == 1
    assert "was not built by the workshop" in ended.output
    assert (site / "thesis.txt").exists()
    (site / "thesis.txt").unlink()
    assert refusal(site) is None
    assert build(root, site)
    assert refusal(site) is None


def test_no_site_is_built_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "elsewhere")

    assert "is a link" in (refusal(tmp_path / "site") or "")
