"""The picture of watch mode is what watch mode shows."""

from __future__ import annotations

import pytest

from workshop.check.pictures import folder
from workshop.cli.watch_picture import NAME, watch_picture
from workshop.environment.model import ROOT


def test_the_picture_on_pages_is_what_the_screen_shows_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    kept = (folder(ROOT) / NAME).read_text(encoding="utf-8")

    assert watch_picture() == kept, "`make pictures` draws it anew."


def test_the_picture_asks_no_other_machine_for_anything() -> None:
    kept = (folder(ROOT) / NAME).read_text(encoding="utf-8")

    assert "url(http" not in kept
    assert "failed" in kept
