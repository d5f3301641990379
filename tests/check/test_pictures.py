"""Pictures on pages are recorded from the code that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop.check.pictures import check_pictures, folder, renew
from workshop.cli import main
from workshop.lesson import Catalogue

ROOT = Path(__file__).resolve().parents[2]
STATES = '''
import asyncio

async def waits():
    """Somebody waits."""
    await helper()

async def helper():
    await asyncio.sleep(0.1)
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one up-to-date picture."""
    folder(tmp_path).mkdir(parents=True)
    (folder(tmp_path) / "states.py").write_text(STATES, encoding="utf-8")
    (folder(tmp_path) / "logo.svg").write_text("<svg/>", encoding="utf-8")
    renew(tmp_path, [])
    return tmp_path


def told(root: Path) -> list[str]:
    return [str(finding) for finding in check_pictures(root, [])]


def test_the_pictures_of_this_project_are_up_to_date() -> None:
    assert list(check_pictures(ROOT, Catalogue(ROOT).lessons())) == []


def test_each_documented_function_is_drawn_wide_and_narrow(root: Path) -> None:
    there = sorted(path.name for path in folder(root).glob("*.svg"))

    assert there == ["logo.svg", "state-waits-narrow.svg", "state-waits.svg"]
    assert told(root) == []
    assert renew(root, []) == []


def test_a_new_comment_does_not_change_a_picture(root: Path) -> None:
    file = folder(root) / "states.py"
    file.write_text("# A comment.\n" + STATES, encoding="utf-8")

    assert told(root) == []


def test_a_picture_of_changed_code_is_stale(root: Path) -> None:
    file = folder(root) / "states.py"
    file.write_text(STATES.replace("0.1", "0.2"), encoding="utf-8")

    assert [it.partition(";")[0] for it in told(root)] == [
        "state-waits-narrow.svg: picture: it is out of date",
        "state-waits.svg: picture: it is out of date",
    ]
    assert renew(root, []) == ["state-waits-narrow.svg", "state-waits.svg"]
    assert told(root) == []


def test_a_missing_picture_is_reported(root: Path) -> None:
    (folder(root) / "state-waits.svg").unlink()

    (finding,) = told(root)
    assert "state-waits.svg: picture: it is missing" in finding


def test_a_picture_without_a_source_is_reported_and_deleted(root: Path) -> None:
    (folder(root) / "04-before.svg").write_text("<svg/>", encoding="utf-8")

    (finding,) = told(root)
    assert "04-before.svg: picture: it no longer has a source" in finding
    assert renew(root, []) == ["04-before.svg"]
    assert told(root) == []


def test_the_verb_reports_and_updates_stale_pictures(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "lessons").mkdir()
    monkeypatch.setattr("workshop.paths.ROOT", root)
    # It is made of a lesson that is not here.
    monkeypatch.setattr("workshop.cli.watch_picture.watch_pictures", dict)
    (folder(root) / "state-waits.svg").unlink()

    codes = [main(["pictures", "--check"]), main(["pictures"])]
    out, err = capfd.readouterr()

    assert codes == [1, 0]
    assert "state-waits.svg: picture: it is missing" in out
    assert "docs/pictures/state-waits.svg" in err
    assert main(["pictures", "--check"]) == 0
