"""Whatever ends a front end, nothing that it has started stays.

`pytest -s` prints the matrix as a table.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

if sys.platform == "win32":
    pytest.skip(
        "Windows has no terminals and signals like these", allow_module_level=True
    )

from tests.processes.front_ends import FrontEnd, front_end, make_checkout

COMMANDS = {
    "test": ("make", "lesson-90", "test"),
    "watch": ("make", "lesson-90", "watch"),
    "watch --plain": ("make", "lesson-90", "watch", "ARGS=--plain"),
    "run": ("make", "lesson-91", "run"),
    "notebook": ("make", "lesson-90", "notebook"),
    "timeline": ("make", "lesson-90", "timeline"),
}


def close_terminal(it: FrontEnd) -> None:
    # make is the session's leader, as in a window of tmux: it gets the signal
    # alone, and waits for its command.
    it.terminal.hang_up()


def send(number: signal.Signals) -> Callable[[FrontEnd], None]:
    return lambda it: it.program().send_signal(number)


def press_ctrl_c_twice(it: FrontEnd) -> None:
    it.terminal.type("\x03")
    if "run" in it.terminal.argv:
        it.until_heard("shutting down")  # where this app would stay for ever
    it.terminal.type("\x03")


ENDINGS: dict[str, Callable[[FrontEnd], None]] = {
    "terminal closed": close_terminal,
    "SIGHUP": send(signal.SIGHUP),
    "SIGTERM": send(signal.SIGTERM),
    "SIGKILL": send(signal.SIGKILL),
    "Ctrl-C twice": press_ctrl_c_twice,
    "SIGKILL of make": lambda it: it.make().kill(),
}
CELLS = [(ending, command) for ending in ENDINGS for command in COMMANDS]
DIAGONAL = set(zip(ENDINGS, COMMANDS, strict=True))
"""Each ending once, and each command once; the other cells are left to CI."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with two tiny lessons, ready to be used."""
    return make_checkout(tmp_path_factory.mktemp("endings") / "checkout")


def play(checkout: Path, folder: Path, ending: str, command: str) -> tuple[int, int]:
    """Start *command*, end it, and return what it leaves: processes and folders."""
    with front_end(checkout, folder, *COMMANDS[command]) as it:
        it.until_heard("here")
        if command == "run":
            it.go_on()
            it.until_shown("/docs")
            if ending != "Ctrl-C twice":
                it.go_on()  # when it comes to its shutdown
        # The worker, or the server, and what the app has started.
        assert len(it.processes()) >= 4
        ENDINGS[ending](it)
        return it.left()


@pytest.fixture(scope="module")
def matrix(
    checkout: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[dict[tuple[str, str], Future[tuple[int, int]]]]:
    """Return what is left in each cell that is asked for; four are played at a time."""
    folder = tmp_path_factory.mktemp("matrix")
    asked = [
        (str(it.callspec.params["ending"]), str(it.callspec.params["command"]))
        for it in request.session.items
        if isinstance(it, pytest.Function)
        and it.function.__name__ == "test_nothing_is_left"
    ]
    with ThreadPoolExecutor(4) as pool:
        cells = {
            cell: pool.submit(play, checkout, folder / str(number), *cell)
            for number, cell in enumerate(asked)
        }
        yield cells
        pool.shutdown(cancel_futures=True)
    rows = [["left: processes, folders", *COMMANDS]]
    for ending in ENDINGS:
        rows.append([ending, *(_words(cells.get((ending, it))) for it in COMMANDS)])
    for first, *others in rows:
        sys.stdout.write(f"\n{first:<24}" + "".join(f"{it:>15}" for it in others))


def _words(cell: Future[tuple[int, int]] | None) -> str:
    if cell is None or cell.cancelled() or cell.exception():
        return "-"
    return "{}, {}".format(*cell.result())


@pytest.mark.parametrize(
    ("ending", "command"),
    [
        pytest.param(*it, marks=() if it in DIAGONAL else pytest.mark.slow)
        for it in CELLS
    ],
)
def test_nothing_is_left(
    matrix: dict[tuple[str, str], Future[tuple[int, int]]], ending: str, command: str
) -> None:
    assert matrix[ending, command].result() == (0, 0)


def test_nothing_is_left_when_the_shell_of_the_terminal_is_killed(
    checkout: Path, tmp_path: Path
) -> None:
    shell = ("sh", "-c", "make lesson-90 watch; true")
    with front_end(checkout, tmp_path, *shell) as it:
        it.until_heard("here")
        it.terminal.process.kill()

        assert it.left() == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_app_shuts_down_by_itself_when_its_front_end_ends(
    checkout: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with front_end(checkout, tmp_path, *COMMANDS["run"]) as it:
        it.until_heard("here")
        it.go_on()
        it.until_shown("/docs")
        it.program().send_signal(number)
        it.until_heard("shutting down")
        it.go_on()

        it.until_heard("shut down")
        assert it.left() == (0, 0)


def test_the_address_is_printed_when_the_app_accepts_connections(
    checkout: Path, tmp_path: Path
) -> None:
    with front_end(checkout, tmp_path, *COMMANDS["run"]) as it:
        it.until_heard("here")
        it.until_shown("Waiting for application startup")
        early = it.terminal.text
        it.go_on()
        shown = it.until_shown("/docs")
        (address,) = [word for word in shown.split() if word.endswith("/docs")]
        status = httpx2.get(address, trust_env=False).status_code

    assert "/docs" not in early
    assert status == 200


def test_an_app_that_cannot_be_loaded_says_why_and_is_no_success(
    checkout: Path, tmp_path: Path
) -> None:
    app = checkout / "lessons" / "91_halls" / "app.py"
    before = app.read_text(encoding="utf-8")
    app.write_text(f"{before}\nseat = sold_out\n", encoding="utf-8")
    program = (str(checkout / ".venv/bin/python"), "-m", "workshop", "run", "91")
    try:
        with front_end(checkout, tmp_path, *program) as it:
            shown = it.until_shown("NameError: name 'sold_out' is not defined")
            it.terminal.type("\x03")
            code = it.terminal.until_ended()
    finally:
        app.write_text(before, encoding="utf-8")

    assert "/docs" not in shown
    assert code == 1


def test_a_served_app_ended_by_sigterm_has_the_exit_code_of_that(
    checkout: Path, tmp_path: Path
) -> None:
    program = (str(checkout / ".venv/bin/python"), "-m", "workshop", "run", "91")
    with front_end(checkout, tmp_path, *program) as it:
        it.until_heard("here")
        it.go_on()
        it.until_shown("/docs")
        it.go_on()
        it.program().send_signal(signal.SIGTERM)

        assert it.terminal.until_ended() == 128 + signal.SIGTERM


def test_two_servers_of_a_lesson_do_not_share_a_folder(
    checkout: Path, tmp_path: Path
) -> None:
    with (
        front_end(checkout, tmp_path, *COMMANDS["run"]) as one,
        front_end(checkout, tmp_path, *COMMANDS["run"]) as other,
    ):
        folders = [
            Path(it.until_heard("\n").removeprefix("here ").strip())
            for it in (one, other)
        ]
        there = [folder.is_dir() for folder in folders]

    assert folders[0] != folders[1]
    assert there == [True, True]
