"""The command `room`: what it refuses, reports and deletes."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from workshop import paths
from workshop.cli.exit_codes import PASSED
from workshop.cli.room import room
from workshop.processes.loopback import loopback
from workshop.room.server import running
from workshop.room.server.settings import Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the room's database in a folder of the test."""
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))


def refusal(*options: str) -> str:
    """Run the command with *options*, and return why it refuses them."""
    done = CliRunner().invoke(room, options)
    assert done.exit_code != PASSED
    assert "Traceback" not in done.output
    return done.output


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--workers", "2"], "--database"),
        (["--database", "mysql://db"], "--database"),
        (["--database", "postgresql://u:p@host:port/x"], "--database"),
        (["--redis", "http://host"], "--redis"),
        (["--host", "203.0.113.7"], "203.0.113.7"),
        (["--port", "70000"], "--port"),
        (["--bundle", "no-such-folder"], "--bundle"),
    ],
)
def test_a_wrong_option_is_named(options: list[str], named: str) -> None:
    assert named in refusal(*options)


def test_a_password_in_a_wrong_address_is_not_shown() -> None:
    assert "s3cret" not in refusal("--database", "postgresql://u:s3cret@h:port/x")


def test_a_taken_port_is_named_with_the_command_for_another_one() -> None:
    host = loopback()
    with socket.create_server((host, 0)) as other:
        port = other.getsockname()[1]
        text = refusal("--host", host, "--port", str(port))
    assert f"--port {port + 1}" in text


def test_a_database_that_is_not_there_is_a_sentence() -> None:
    address = f"postgresql+asyncpg://u@{loopback()}:1/x"
    assert "--database" in refusal("--database", address)


def test_the_report_is_two_files_and_deleting_needs_no_room(tmp_path: Path) -> None:
    done = CliRunner().invoke(room, ["report", "--to", str(tmp_path / "report")])
    assert done.exit_code == PASSED, done.output
    written = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert written == ["room-report.csv", "room-report.html"]
    assert CliRunner().invoke(room, ["delete"]).exit_code == PASSED


@pytest.mark.parametrize(
    ("built", "served"),
    [
        ([], ""),
        (["clone"], "clone"),
        (["stick"], "stick"),
        (["clone", "stick"], "stick"),
    ],
)
def test_the_start_names_the_course_if_its_site_is_built(
    built: list[str], served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clone", "stick"):
        (tmp_path / name / "site").mkdir(parents=True)
    for name in built:
        (tmp_path / name / "site" / "index.html").write_text("Read.", encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "clone")
    started: list[Settings] = []
    monkeypatch.setattr(running, "serve", lambda it, *_: started.append(it))
    host = loopback()
    with socket.create_server((host, 0)) as free:
        port = str(free.getsockname()[1])

    options = ["--host", host, "--port", port, "--bundle", str(tmp_path / "stick")]
    done = CliRunner().invoke(room, options)

    assert done.exit_code == PASSED, done.output
    assert (f":{port}/course/" in done.output) == bool(served)
    assert started[0].has_site == bool(served)
    if served:
        assert Path(started[0].site) == (tmp_path / served / "site").resolve()
