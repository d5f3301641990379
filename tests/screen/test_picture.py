"""The pictures of watch mode are what watch mode shows."""

from __future__ import annotations

import pytest

from workshop.check.pictures import folder
from workshop.cli.watch_picture import watch_pictures
from workshop.paths import ROOT


def test_the_pictures_on_pages_match_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")  # as some who run tests have it
    drawn = watch_pictures()
    kept = {name: (folder(ROOT) / name).read_text(encoding="utf-8") for name in drawn}

    assert drawn == kept, "`make pictures` draws them anew."
    assert all("url(http" not in svg for svg in kept.values())
