"""The keys are said once, and everybody else repeats them."""

from __future__ import annotations

from workshop.paths import ROOT
from workshop.screen.watch.keys import KEYS, footer


def test_the_page_on_watch_mode_lists_every_key() -> None:
    page = ROOT / "docs" / "reference" / "watch_mode.md"
    rows = [f"| `{key.letter}` | {key.word} | {key.sentence} |" for key in KEYS]
    there = page.read_text(encoding="utf-8").splitlines()

    assert [line for line in there if line.startswith("| `")] == rows


def test_no_letter_is_used_twice() -> None:
    letters = [key.letter for key in KEYS]

    assert len(set(letters)) == len(letters)
    assert "y" not in letters


def test_the_footer_offers_the_useful_keys() -> None:
    def words(**now: bool) -> set[str]:
        states = dict.fromkeys(("running", "passed", "serving", "timeline"), False)
        return {key.word for key in footer(**{**states, **now}, room=())}

    assert "rerun" in words()
    assert {"end run"} <= words(running=True)
    assert "rerun" not in words(running=True)
    assert "hint" not in words(passed=True)
    assert "stop app" in words(serving=True)
    assert "timeline" in words(timeline=True)
