"""Events wait on the disk until the room has stored them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workshop.paths import ROOT
from workshop.room.client import reports
from workshop.room.client.outbox import LIMIT, Outbox

PUT_MANY = """
import sys
from pathlib import Path
from workshop.room.client import reports
from workshop.room.client.outbox import Outbox

outbox = Outbox(Path(sys.argv[1]))
for step in range(1, 51):
    assert outbox.put(reports.opened("00", step))
"""


def steps(outbox: Outbox) -> list[object]:
    """Return the steps of the waiting events."""
    return [it.report["step"] for it in outbox.first(10_000)]


def test_events_come_out_in_the_order_in_which_they_went_in(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    for step in range(1, 30):
        outbox.put(reports.opened("00", step))

    assert steps(outbox) == list(range(1, 30))
    assert [it.report["step"] for it in outbox.first(2)] == [1, 2]
    assert steps(Outbox(tmp_path / "outbox")) == list(range(1, 30))


def test_an_event_that_is_cut_at_any_byte_takes_no_other_with_it(
    tmp_path: Path,
) -> None:
    outbox = Outbox(tmp_path / "outbox")
    for step in (1, 2, 3):
        outbox.put(reports.opened("00", step))
    file = outbox.first(2)[1].file
    whole = file.read_bytes()

    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert steps(outbox) == [1, 3]
        assert not file.exists()
    file.write_bytes(whole)
    assert steps(outbox) == [1, 2, 3]


@pytest.mark.parametrize(
    "content", [b"[]", b"\xff", b"[" * 60_000, b'"' + b"x" * 70_000]
)
def test_a_damaged_file_is_dropped(tmp_path: Path, content: bytes) -> None:
    outbox = Outbox(tmp_path)
    outbox.put(reports.opened("00", 1))
    (tmp_path / "0-damaged.json").write_bytes(content)

    assert steps(outbox) == [1]
    assert outbox.waiting() == 1


def test_a_process_that_is_killed_while_it_writes_leaves_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Path, target: Path) -> None:
        raise SystemExit

    outbox = Outbox(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(SystemExit):
            outbox.put(reports.opened("00", 1))
    outbox.put(reports.opened("00", 2))

    assert steps(outbox) == [2]


def test_the_oldest_events_are_dropped_when_there_are_too_many(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, limit=3)
    for step in range(1, 6):
        outbox.put(reports.opened("00", step))

    assert steps(outbox) == [3, 4, 5]
    assert LIMIT >= 5_000


def test_processes_share_an_outbox_and_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PUT_MANY, str(tmp_path)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    outbox = Outbox(tmp_path)
    taken: list[str] = []
    while any(it.poll() is None for it in running) or outbox.waiting():
        for it in outbox.first(7):
            taken.append(str(it.report["id"]))
            outbox.remove([it])

    assert [it.returncode for it in running] == [0, 0]
    assert len(taken) == len(set(taken)) == 100


def test_an_event_that_cannot_be_stored_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file in its place", encoding="utf-8")
    outbox = Outbox(tmp_path / "outbox")

    assert not outbox.put(reports.opened("00", 1))
    assert outbox.waiting() == 0
    assert outbox.first(1) == []
