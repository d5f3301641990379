"""The supervisor of an embedded server, which ends it when its owner has ended.

`python -m workshop.services.keeper postgres|redis` starts the server, prints one line
of JSON about it, and reads standard input until its end. That comes when the owner
closes the pipe, ends or is killed. Then the server is stopped and its data, which is in
a temporary folder, is deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workshop.processes.environment import environment_of_tests
from workshop.processes.loopback import LoopbackError
from workshop.processes.supervised import SupervisedProcess
from workshop.processes.temporary import delete
from workshop.services.embedded_postgres import embedded_postgres, is_root
from workshop.services.embedded_valkey import embedded_valkey, has_valkey
from workshop.services.folder import new_folder
from workshop.services.imitation import imitation_of_redis
from workshop.services.service import Service, ServiceError

# How long a supervised server may take to stop.
STOP_SECONDS = 20.0


@contextmanager
def kept(kind: str) -> Iterator[Service]:
    """Start an embedded server under a supervisor, and stop it after the block.

    The supervisor also stops the server if this process is killed.

    Raises:
        ServiceError: It did not start; the message has the server's reason.

    """
    paths = os.pathsep.join(filter(None, sys.path))
    environment = environment_of_tests({"PYTHONPATH": paths})
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
        answer = json.loads(line)
        if "problem" in answer:
            raise ServiceError(answer["problem"])
        yield Service(**answer)
    finally:
        with contextlib.suppress(OSError):
            keeper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            keeper.wait(STOP_SECONDS)
        # Also ends a server that its supervisor could not stop.
        supervised.close()


@contextmanager
def _redis(folder: Path) -> Iterator[Service]:
    embedded = embedded_valkey(folder) if has_valkey() else imitation_of_redis()
    with embedded as service:
        yield service


_SERVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Service]]] = {
    "postgres": embedded_postgres,
    "redis": _redis,
}


def main() -> None:
    """Run the server that the first argument names until standard input ends."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # SIGTERM still shuts this process down cleanly.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    kind = sys.argv[1]
    folder: Path | None = None
    try:
        folder = new_folder(kind, for_another_user=kind == "postgres" and is_root())
        with _SERVERS[kind](folder) as service:
            _tell(url=service.url, kind=service.kind, description=service.description)
            sys.stdin.read()
    except (ServiceError, LoopbackError) as problem:
        _tell(problem=str(problem))
    except OSError as problem:
        # Most likely the disk is full.
        words = problem.strerror or str(problem)
        where = f": {problem.filename}" if problem.filename else ""
        _tell(
            problem=f"The embedded {kind} server did not start: {words}{where}. Free "
            "room, or set TMPDIR to another folder."
        )
    finally:
        if folder is not None:
            delete(folder)


def _tell(**words: str) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
