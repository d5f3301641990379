"""A change is noticed, whatever the file system tells of it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from workshop.watch import watcher
from workshop.watch.watcher import Watcher

SECONDS = 30


def silent(*folders: str, stop_event: Event, **options: Any) -> Iterator[set[Any]]:
    """Stand in for a system that accepts to watch a folder and reports nothing."""
    while not stop_event.wait(options["rust_timeout"] / 1000):
        yield set()


def refusing(*folders: str, **options: Any) -> Iterator[set[Any]]:
    """Stand in for a system that has no watches left."""
    yield from ()
    raise OSError("no space left on device")


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        (silent, "does not report changes"),
        (refusing, "refused to watch this folder (no space left on device)"),
    ],
)
def test_without_notifications_the_file_is_polled(
    system: Callable[..., Iterator[set[Any]]],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("watchfiles.watch", system)
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
