"""What pages show of the commands, compared with what the commands print."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tiny import PAGE
from workshop import paths
from workshop.check.pages import fill_page
from workshop.cli import outputs
from workshop.lesson import Lesson
from workshop.lesson.published import CHECKSUMS, checksums

COMMAND = "make lesson-90 test"
SHOWN = f'{PAGE}\n```text title="{COMMAND}"\nthe order of another run\n```\n'


def test_a_page_shows_the_verdict_without_a_note_on_edited_tests(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKSHOP_AUTHOR", raising=False)
    published = lesson.folder.parent / CHECKSUMS
    published.write_text(checksums([lesson]), encoding="utf-8")
    before = outputs.outputs_of(lesson)[COMMAND]
    text = lesson.test_file.read_text(encoding="utf-8")
    lesson.test_file.write_text(text + "# edited\n", encoding="utf-8")

    after = outputs.outputs_of(lesson)[COMMAND]

    assert len(after.splitlines()) == len(before.splitlines())


@pytest.mark.parametrize(
    ("printed", "findings"),
    [
        (["the order of another run"], 0),
        (["an order", "the order of another run"], 0),
        (["an order"] * 10, 1),
    ],
)
def test_a_page_is_stale_if_no_run_prints_what_it_shows(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, printed: list[str], findings: int
) -> None:
    lesson.page.write_text(fill_page(SHOWN, paths.ROOT, {}), "utf-8")
    runs: Iterator[str] = iter(printed)
    monkeypatch.setattr(outputs, "outputs_of", lambda _: {COMMAND: next(runs) + "\n"})

    found = outputs.check_outputs([lesson.page], [lesson])

    assert len(found) == findings
