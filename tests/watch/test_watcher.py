"""A change is noticed, whatever the file system tells of it."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import pytest

from workshop.watch import watcher
from workshop.watch.watcher import Watcher

SECONDS = 30


class Silent:
    """Stands in for a system that accepts to watch a folder and tells nothing."""

    def __init__(self, *arguments: object) -> None:
        pass

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def watch(self, burst: int, step: int, timeout: int, stop: Any) -> str:
        return "stop" if stop.wait(timeout / 1000) else "timeout"


class Refusing:
    """Stands in for a system that has no watches left."""

    def __init__(self, *arguments: object) -> None:
        raise OSError("no space left on device")


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        (Silent, "does not tell of changes"),
        (Refusing, "refused to watch this folder (no space left on device)"),
    ],
)
def test_without_notifications_the_file_is_polled(
    system: type,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", system)
    monkeypatch.setattr(watcher, "_PROBE_SECONDS", 0.05)
    monkeypatch.setattr(watcher, "_GLANCE_SECONDS", 0.1)
    looks: queue.SimpleQueue[None] = queue.SimpleQueue()
    told: queue.SimpleQueue[tuple[bool, str]] = queue.SimpleQueue()

    watching = Watcher(
        [tmp_path / "app.py"], lambda: looks.put(None), lambda *why: told.put(why)
    )
    polling, why = told.get(timeout=SECONDS)
    for _ in range(3):
        looks.get(timeout=SECONDS)
    watching.close()

    assert polling
    assert reason in why
    assert list(tmp_path.iterdir()) == []


def test_with_notifications_each_change_is_noticed_and_the_probe_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_GLANCE_SECONDS", 600.0)
    file = tmp_path / "app.py"
    looks: queue.SimpleQueue[None] = queue.SimpleQueue()
    told: queue.SimpleQueue[tuple[bool, str]] = queue.SimpleQueue()

    watching = Watcher([file], lambda: looks.put(None), lambda *why: told.put(why))
    assert told.get(timeout=SECONDS) == (False, "")
    file.write_text("new", encoding="utf-8")
    looks.get(timeout=SECONDS)
    watching.close()

    assert list(tmp_path.iterdir()) == [file]
