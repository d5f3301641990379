"""The doctor says what is wrong, and only looks."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.checkouts import Checkout
from workshop.doctor import inside, machine
from workshop.doctor.finding import Finding, State, conclusion, ok, problem, warning
from workshop.environment.model import Environment
from workshop.environment.ownership import claim


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that was set up once."""
    checkout = Checkout.make(tmp_path_factory.mktemp("template"))
    assert checkout.run("list").code == 0
    return checkout


@pytest.fixture
def place(template: Checkout, tmp_path: Path) -> Path:
    """The folder of a complete environment."""
    place = tmp_path / ".venv"
    shutil.copytree(template.venv, place, symlinks=True)
    return place


def test_a_fresh_clone_gets_the_first_command_and_is_not_changed(
    tmp_path: Path,
) -> None:
    checkout = Checkout.make(tmp_path)

    ended = checkout.run("doctor")

    assert ended.code == 0, ended.out
    assert "warning" in ended.out
    assert "does not exist yet. The first command creates it" in ended.out
    assert not checkout.venv.exists()
    assert "Traceback" not in ended.err


def test_a_broken_environment_is_a_problem(template: Checkout) -> None:
    # Its packages are three tiny ones, so what the lessons need is missing.
    ended = template.run("doctor")

    assert ended.code == 1
    assert "problem  FastAPI: ModuleNotFoundError" in ended.out
    assert ended.out.splitlines()[-1].startswith("4 problems")
    assert "Traceback" not in ended.out + ended.err


def test_a_package_that_lost_a_part_is_named(tmp_path: Path) -> None:
    for name in ("seats.py", "rows.py"):
        (tmp_path / name).touch()
    info = tmp_path / "seats-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: seats\nVersion: 1\n", encoding="utf-8")
    (info / "RECORD").write_text("seats.py,,\nrows.py,,\n", encoding="utf-8")
    package = metadata.PathDistribution(info)
    assert inside.is_complete(package)

    (tmp_path / "rows.py").unlink()

    assert not inside.is_complete(package)


def test_unwritable_progress_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    assert list(machine.keeping(tmp_path)) == []

    # Root may write everywhere, so what the system says is played here.
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != kept)

    (finding,) = machine.keeping(tmp_path)
    assert finding.state is State.PROBLEM
    assert str(kept) in finding.text


def test_a_closed_pipe_causes_no_traceback(template: Checkout) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "workshop", "doctor"],
        cwd=template.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as doctor:
        assert doctor.stdout is not None
        assert doctor.stderr is not None
        doctor.stdout.close()
        said = doctor.stderr.read()

    assert "Traceback" not in said


def test_an_environment_that_moved_is_named(place: Path) -> None:
    finding = machine.set_up(Environment(place))

    assert finding.state is State.PROBLEM
    assert "was moved here from" in finding.text


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("interrupted", "was interrupted."),
        ("other python", "was made for Python 3.1."),
        ("begun", "Installing the core packages ended early."),
        ("pins", "The pins of the core packages changed."),
        ("empty", "has no packages yet."),
        ("no python", "The Python of"),
    ],
)
def test_each_defect_of_an_environment_is_reported(
    place: Path, damage: str, told: str
) -> None:
    stamp = place / "workshop.stamp"
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    lines = {
        "other python": ("3.1", "group core x"),
        "begun": (here, "group core begun"),
        "pins": (here, "group core other"),
    }
    python, group = lines.get(damage, (here, ""))
    text = f"python {python}\nplace {place}\ncheckout /x\n{group}\n"
    stamp.write_text(text, encoding="utf-8")
    if damage == "interrupted":
        claim(Environment(place))
        stamp.unlink()
    if damage == "no python":
        Environment(place).python.unlink()

    finding = machine.set_up(Environment(place))

    assert finding.state is State.PROBLEM
    assert told in finding.text
    assert finding.text.endswith(
        "The next command repairs it and may need the network."
    )


def test_an_unwritable_folder_is_a_problem(tmp_path: Path) -> None:
    finding = machine.writing(tmp_path / "nowhere")

    assert finding.state is State.PROBLEM
    assert "Copy the checkout to a folder of your own" in finding.text


def test_a_writable_folder_is_left_empty(tmp_path: Path) -> None:
    assert machine.writing(tmp_path).state is State.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "mounts", "kernel", "told"),
    [
        ("/mnt/c/course", "", "Linux 6.6 Microsoft WSL2", "Windows disk"),
        ("/home/me/course", "srv:/home /home nfs4 rw\n/ / ext4", "", "(nfs4)"),
        ("/my disk/course", "box /my\\040disk vboxsf rw", "", "(vboxsf)"),
        ("/Users/me/OneDrive/course", "", "", "synchronised"),
    ],
)
def test_a_network_disk_is_worth_a_warning(
    folder: str, mounts: str, kernel: str, told: str
) -> None:
    (finding,) = machine.file_system(Path(folder), mounts, kernel)

    assert finding.state is State.WARNING
    assert told in finding.text


@pytest.mark.parametrize(
    ("mounts", "kernel"),
    [
        ("dev / ext4 rw", "Linux"),
        ("srv:/home /homes nfs4 rw", "Linux"),
        ("srv:/ / nfs rw\ndev /home ext4 rw", ""),
        ("", "Linux Microsoft"),
    ],
)
def test_a_local_disk_is_not(mounts: str, kernel: str) -> None:
    assert not list(machine.file_system(Path("/home/me/course"), mounts, kernel))


def test_a_setting_that_slows_every_start_is_worth_a_warning() -> None:
    (finding,) = machine.bytecode({"PYTHONDONTWRITEBYTECODE": "1"})

    assert finding.state is State.WARNING
    assert not list(machine.bytecode({"PYTHONDONTWRITEBYTECODE": ""}))


@pytest.mark.parametrize(
    ("ignored", "given", "state", "named"),
    [
        (["PYTHONPATH"], {}, State.WARNING, "`unset PYTHONPATH`"),
        (["TMPDIR"], {}, State.WARNING, "`unset TMPDIR`"),
        ([], {"http_proxy": "http://proxy"}, State.WARNING, "http_proxy is set"),
        ([], {"PIP_TARGET": "/x", "UV_SYSTEM_PYTHON": "1"}, State.OK, "PIP_TARGET, UV"),
    ],
)
def test_settings_for_other_programs_are_named(
    ignored: list[str], given: dict[str, str], state: State, named: str
) -> None:
    (finding,) = machine.settings(ignored, given)

    assert finding.state is state
    assert named in finding.text


def test_a_proxy_that_excludes_this_machine_is_fine() -> None:
    given = {"HTTP_PROXY": "http://proxy", "NO_PROXY": "localhost,127.0.0.1"}

    assert not list(machine.settings([], given))


def test_the_doctor_names_a_setting_that_the_entry_ignored(
    template: Checkout,
) -> None:
    settings = {**template.settings, "PYTHONPATH": "/opt/ros", "TMPDIR": "/nowhere"}

    out = Checkout(template.root, template.wheels, settings).run("doctor").out

    assert "`unset PYTHONPATH`" in out
    assert "`unset TMPDIR`" in out


def test_an_environment_that_is_not_ours_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()

    finding = machine.set_up(Environment(tmp_path))

    assert finding.state is State.PROBLEM
    assert "the workshop did not create" in finding.text


def test_a_read_only_checkout_is_fine_if_the_rest_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EROFS, "Read-only file system")

    # Root may write everywhere, so what the system says is played here.
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)

    assert machine.writing(tmp_path).state is State.PROBLEM
    assert machine.writing(tmp_path, elsewhere=True).state is State.WARNING


def test_a_broken_loopback_interface_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise ConnectionRefusedError("refused")

    assert machine.loopback().state is State.OK
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert "Let the firewall or VPN allow" in machine.loopback().text


def test_packages_are_compared_with_the_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = tmp_path / "core.txt"
    monkeypatch.setattr(inside, "pins_file", lambda _: pins)

    def told(text: str) -> Finding:
        pins.write_text(text, encoding="utf-8")
        return inside.packages(Environment(tmp_path), "Remove it.")

    assert told("nowhere-to-be-found==1.0\n").text == (
        "Not installed: nowhere-to-be-found. Remove it."
    )
    assert "instead of 0.1" in told("pytest==0.1\n").text
    assert told("").state is State.OK
    assert told("nowhere==1.0 ; sys_platform == 'commodore'\n").state is State.OK


def test_the_libraries_of_the_lessons_work_here() -> None:
    for attempt in (inside.fastapi, inside.sqlite, inside.redis):
        assert attempt().state is State.OK


def test_a_printed_finding_can_be_parsed() -> None:
    for finding in (ok("well"), warning("so so: do this"), problem("bad")):
        assert Finding.parse(finding.line()) == finding
    assert Finding.parse("something else") is None


def test_the_conclusion_counts_the_findings() -> None:
    assert conclusion([ok("a")]) == "All is well."
    assert conclusion([problem("a"), problem("b"), warning("c")]) == (
        "2 problems and 1 warning: the lines above say what to do."
    )
