"""Each content of the answer gets one verdict, and the last one always does."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.tiny import GOOD, STARTER, write_lesson
from tests.watch.conftest import SECONDS, Watched, watch
from workshop.grading import Verdict
from workshop.lesson import Lesson
from workshop.watch import (
    Ended,
    Finished,
    Missing,
    Reported,
    Started,
    StepJudged,
    Trouble,
    Watching,
    session,
)
from workshop.watch.session import ASKED, BY_KEY, SUPERSEDED
from workshop.watch.watcher import POLLING
from workshop.watch.worker_pool import FORKS

OCCUPIED = """
@app.get("/nothing")
async def nothing():
    while True:
        pass
"""
ENDLESS = "import sys\nprint('here I hang', flush=True)\nwhile True: pass\n"


def in_place(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def by_rename(file: Path, text: str) -> None:
    new = file.with_name(".app.py.swp")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def delete_and_create(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text, encoding="utf-8")


def backup_and_create(file: Path, text: str) -> None:
    file.rename(file.with_name("app.py~"))
    file.write_text(text, encoding="utf-8")


def in_twenty_bursts(file: Path, text: str) -> None:
    for number in range(20):
        file.write_text(f"{text}\n# {number}\n", encoding="utf-8")
    file.write_text(text, encoding="utf-8")


EDITORS = [
    in_place,
    by_rename,
    delete_and_create,
    backup_and_create,
    in_twenty_bursts,
]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe in an empty or missing file only when a machine cannot be that slow."""
    monkeypatch.setattr(session, "_GRACE_SECONDS", SECONDS)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("editor", EDITORS, ids=lambda editor: editor.__name__)
def test_the_last_content_gets_one_verdict_however_an_editor_saves(
    editor: Callable[[Path, str], None], watched: Watched
) -> None:
    editor(watched.file, watched.text(STARTER))
    told = watched.verdict()
    watched.save()
    after = watched.verdict()

    assert told.verdict.verdict is Verdict.FAILED
    assert after.verdict.passed
    contents = [event.content for event in watched.all(Finished)]
    assert contents.count(told.content) == 1
    assert contents[-2:] == [told.content, after.content]
    assert not watched.all(Missing)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("editor", EDITORS[:4], ids=lambda editor: editor.__name__)
def test_a_save_that_changes_nothing_gets_no_second_verdict(
    editor: Callable[[Path, str], None], watched: Watched
) -> None:
    editor(watched.file, watched.file.read_text(encoding="utf-8"))
    watched.until_looked_at()
    watched.save()
    watched.verdict()

    assert len(watched.all(Started)) == 1


def test_other_files_beside_the_app_are_ignored(watched: Watched) -> None:
    for name in ("app.py.bak", "notes.py", "4913", ".app.py.swo"):
        watched.file.with_name(name).write_text("nothing", encoding="utf-8")
    watched.until_looked_at()
    watched.save()
    watched.verdict()

    assert len(watched.all(Started)) == 1


@pytest.mark.usefixtures("patient")
def test_a_save_during_a_run_ends_it_and_the_newer_content_is_graded(
    watched: Watched,
) -> None:
    watched.save(ENDLESS)
    run = watched.next(Reported, run=watched.next(Started).run)
    watched.save()
    ended = watched.next(Ended)
    told = watched.verdict()

    assert (ended.run, ended.reason) == (run.run, SUPERSEDED)
    assert told.verdict.passed
    assert told.run == run.run + 1
    assert len(watched.all(Finished)) == 1


@pytest.mark.parametrize("free", [2, 3])
def test_the_current_step_is_judged_before_the_others(
    free: int, watched: Watched
) -> None:
    watched.save(STARTER)
    current = watched.verdict().verdict.current
    assert current is not None
    watched.save(GOOD.replace("2", str(free)) + OCCUPIED)
    told = watched.next(StepJudged)
    watched.save()

    assert told.step.number == current.number == 1
    assert told.step.passed is (free == 2)
    assert watched.verdict().verdict.passed
    assert len(watched.all(Finished)) == 2


def test_a_run_can_be_ended_and_the_next_save_is_graded(watched: Watched) -> None:
    watched.save(ENDLESS)
    watched.next(Reported)
    watched.session.end_run()
    ended = watched.next(Ended)
    watched.save()

    assert ended.reason == BY_KEY
    assert watched.verdict().verdict.passed


def test_a_rerun_gives_the_same_content_another_verdict(watched: Watched) -> None:
    watched.session.rerun()
    first = watched.verdict()
    watched.save(ENDLESS)
    watched.next(Reported)
    watched.session.rerun()

    assert first.verdict.passed
    assert watched.next(Ended).reason == ASKED
    assert watched.next(Started).run == first.run + 2


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:\n", "not valid Python"),
        ("", "no FastAPI object"),
        ("while True: print('x' * 1000)\n", "printed more than"),
        ("import os\nos._exit(0)\n", "os._exit()"),
        ("import os\nos.abort()\n", "ended by"),
    ],
    ids=["syntax error", "empty", "endless print", "exit", "crash"],
)
def test_a_broken_app_gets_a_verdict_and_the_repaired_one_passes(
    source: str, words: str, watched: Watched
) -> None:
    watched.file.write_text(source, encoding="utf-8")
    told = watched.verdict()
    watched.save()

    assert words in told.verdict.steps[0].tests[0].seen
    assert watched.verdict().verdict.passed


def test_a_deleted_file_is_waited_for(watched: Watched) -> None:
    text = watched.file.read_text(encoding="utf-8")
    watched.file.unlink()
    missing = watched.next(Missing)
    watched.file.write_text(text, encoding="utf-8")

    assert missing.path == watched.file
    assert watched.verdict().verdict.passed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the answer forks")
def test_nothing_of_a_run_remains_at_the_next_verdict(
    watched: Watched, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    watched.save(
        "import os, pathlib, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        f"    with open({str(told)!r}, 'a') as file: print(os.getpid(), file=file)\n"
        "    time.sleep(600)\n"
        "os.wait()\n" + GOOD
    )
    watched.verdict()
    pids = [int(line) for line in told.read_text(encoding="utf-8").split()]
    watched.save()
    watched.verdict()

    assert pids
    assert [pid for pid in pids if is_alive(pid)] == []


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_lost_process_is_replaced(watched: Watched) -> None:
    killed = []
    for process in psutil.Process().children(recursive=True):
        # No server of other tests. Who has gone meanwhile need not be killed.
        with suppress(psutil.Error):
            if "workshop.grading.worker" in process.cmdline():
                process.kill()
                killed.append(process)
    watched.save()

    assert watched.verdict().verdict.passed
    assert killed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it counts descriptors")
def test_two_hundred_saves_get_their_verdicts_and_leave_nothing_behind(
    watched: Watched,
) -> None:
    me = psutil.Process()

    def held() -> tuple[int, ...]:
        return len(me.children(recursive=True)), me.num_fds(), threading.active_count()

    objects, helds = [], []
    for number in range(1, 201):
        watched.save(STARTER if number % 2 else GOOD)
        assert watched.verdict().verdict.passed == (number % 2 == 0)
        watched.heard.clear()
        if number % 20 == 0:
            watched.until_tidy()
            gc.collect()
            objects.append(len(gc.get_objects()))
            helds.append(held())

    early = [max(each) for each in zip(*helds[:5], strict=True)]
    late = [min(each) for each in zip(*helds[5:], strict=True)]
    assert all(b <= a for a, b in zip(early, late, strict=True)), helds
    # Half of the saves: what each of them left would be in here a hundred times.
    assert objects[-1] - objects[4] < 100, objects


def test_a_session_without_forks_or_events_does_the_same_and_leaves_nothing(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Windows and shared folders have, and going over to another lesson."""
    monkeypatch.setenv(FORKS, "0")
    monkeypatch.setenv(POLLING, "1")
    other = write_lesson(tmp_path / "other", GOOD)
    before = {*psutil.Process().children(), *threading.enumerate()}
    lesson.app_file.unlink()

    with watch(lesson) as watched:
        watched.session.start()
        watched.next(Missing)
        watching = watched.next(Watching)
        watched.save()
        first = watched.verdict()
        watched.session.change(other, {})
        second = watched.next(Finished)

    assert watching.polling
    assert "POLLING" in watching.reason
    assert first.verdict.passed
    assert first.verdict.lesson.folder == lesson.folder
    assert second.verdict.passed
    assert second.verdict.lesson.folder == other.folder
    assert {*psutil.Process().children(), *threading.enumerate()} <= before


def test_changed_tests_trigger_a_run_and_broken_ones_are_reported(
    lesson: Lesson,
) -> None:
    tests = lesson.test_file.read_text(encoding="utf-8")
    with watch(lesson) as watched:
        watched.save()
        watched.session.start()
        first = watched.verdict()
        lesson.test_file.write_text("# no tests\n", encoding="utf-8")
        trouble = watched.next(Trouble)
        changed = tests.replace('{"free": 2}', '{"free": 3}')
        lesson.test_file.write_text(changed, encoding="utf-8")
        second = watched.next(Finished)

    assert first.verdict.passed
    assert "holds no tests" in trouble.text
    assert second.verdict.verdict is Verdict.FAILED
