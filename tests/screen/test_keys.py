"""The keys are said once, and everybody else repeats them."""

from __future__ import annotations

from workshop.paths import ROOT
from workshop.screen.watch.keys import KEYS, footer


def test_the_page_on_watch_mode_names_every_key_as_the_screen_does() -> None:
    page = ROOT / "docs" / "reference" / "watch_mode.md"
    rows = [f"| `{key.letter}` | {key.word} | {key.sentence} |" for key in KEYS]
    there = page.read_text(encoding="utf-8").splitlines()

    assert [line for line in there if line.startswith("| `")] == rows


def test_no_letter_means_two_things() -> None:
    letters = [key.letter for key in KEYS]

    assert len(set(letters)) == len(letters)
    assert "y" not in letters


def test_the_footer_offers_what_can_be_done_now() -> None:
    def words(**now: bool) -> set[str]:
        states = dict.fromkeys(("running", "passed", "serving", "timeline"), False)
        return {key.word for key in footer(**{**states, **now})}

    assert "rerun" in words()
    assert {"end run"} <= words(running=True)
    assert "rerun" not in words(running=True)
    assert "hint" not in words(passed=True)
    assert "stop app" in words(serving=True)
    assert "timeline" in words(timeline=True)
