"""Processes that write at once, or die while writing, spoil nothing."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import STARTER, write_lesson
from workshop.progress import Snapshots, Store

# Each begins when it is told to, and says after each change that it is made.
NOTE_HINTS = """\
import sys
from pathlib import Path
from workshop import files
from workshop.progress import Store

files._ONE_AT_A_TIME_SECONDS = 60  # a disk of this machine may be that slow
path, slug, times = sys.argv[1:]
print("ready", flush=True)
input()
for number in range(1, int(times) + 1):
    Store(Path(path)).update(lambda state: state.of(slug).hints.update({number: 1}))
    print(number, flush=True)
"""

RESET_AND_UNDO = """\
import sys
from pathlib import Path
from workshop.lesson import Catalogue
from workshop.progress import Snapshots, Store, reset, undo

root = Path(sys.argv[1])
lesson = Catalogue(root).find("90")
store, snapshots = Store(root / "progress.json"), Snapshots(root / "kept")
print("ready", flush=True)
input()
for number in range(1_000):
    reset(lesson, store, snapshots)
    print(number, flush=True)
    undo(lesson, store, snapshots)
    print(number, flush=True)
"""

# Dies in the middle of a change: before the first call that touches the disk,
# before the second, and so on until it comes to its end. After each we look.
DIE_EVERYWHERE = """\
import os, signal, sys
from pathlib import Path
from workshop.progress import Store

path = Path(sys.argv[1])
TOUCHES = {"open", "write", "flush", "fsync", "chmod", "replace", "close", "unlink"}

def write(deaths):
    Store(path).update(lambda state: state.of("seats").hints.update({1: deaths}))

write(0)
deaths = 0
ended_well = False
while not ended_well:
    child = os.fork()
    if child == 0:
        left = deaths
        def count(frame, event, argument):
            global left
            if event == "c_call" and argument.__name__ in TOUCHES:
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
        sys.setprofile(count)
        write(deaths + 1)
        sys.setprofile(None)
        os._exit(0)
    ended_well = os.waitpid(child, 0)[1] == 0
    store = Store(path)
    found = store.load().of("seats").hints[1]
    assert store.notes == [], (deaths, store.notes)
    assert found in (deaths, deaths + 1), (deaths, found)
    deaths += 1
    write(deaths)
print(deaths)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def test_two_writers_do_not_lose_each_others_changes(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    writers = [start(NOTE_HINTS, str(path), slug, "40") for slug in ("one", "two")]
    for writer in writers:
        assert line(writer) == "ready"
    for writer in writers:
        begin(writer)
    for writer in writers:
        assert writer.communicate(timeout=60)[0].split()[-1] == "40"

    state = Store(path).load()
    assert [len(state.of(slug).hints) for slug in ("one", "two")] == [40, 40]


def test_a_writer_killed_at_any_moment_loses_no_confirmed_change(
    tmp_path: Path,
) -> None:
    path = tmp_path / "progress.json"
    for number in range(3):
        slug = f"writer {number}"
        writer = start(NOTE_HINTS, str(path), slug, "1000")
        assert line(writer) == "ready"
        begin(writer)
        said = [line(writer) for _ in range(random.randint(1, 12))]
        # It goes on writing while we look for it.
        kill(writer)

        store = Store(path)
        hints = store.load().of(slug).hints
        assert store.notes == []
        assert len(hints) >= int(said[-1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_writer_killed_at_any_call_leaves_the_old_or_the_new_state(
    tmp_path: Path,
) -> None:
    with start(DIE_EVERYWHERE, str(tmp_path / "progress.json")) as program:
        deaths = line(program)

    assert program.returncode == 0
    assert int(deaths) > 10


def test_a_replacement_killed_at_any_call_loses_no_work(
    tmp_path: Path,
) -> None:
    lesson = write_lesson(tmp_path)
    for number in range(3):
        mine = f"# {number}\n"
        lesson.app_file.write_text(mine, encoding="utf-8")
        program = start(RESET_AND_UNDO, str(tmp_path))
        assert line(program) == "ready"
        begin(program)
        for _ in range(random.randint(1, 8)):
            line(program)
        kill(program)

        there = lesson.app_file.read_text(encoding="utf-8")
        kept = Snapshots(tmp_path / "kept").of(lesson.slug)
        copies = [it.app_file.read_text(encoding="utf-8") for it in kept]
        assert there in (mine, STARTER)
        assert mine in [there, *copies]


def test_a_file_that_is_open_for_a_moment_is_replaced_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "progress.json"
    replace = Path.replace
    refusals = [PermissionError(13, "in use"), PermissionError(13, "in use")]

    def as_on_windows(self: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(self, target)

    monkeypatch.setattr("workshop.files._PAUSES", (0, 0))
    monkeypatch.setattr(Path, "replace", as_on_windows)

    store = Store(path)
    store.update(lambda state: state.of("seats"))

    assert store.notes == []
    assert "seats" in Store(path).load().lessons
