"""Everything that listens on this machine works without IPv4, too."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.network import NO_LOOPBACK, ONLY_IPV6, run_in_network
from tests.tiny import GOOD, write_lesson
from workshop.processes.loopback import family_of, free_port, loopback

# Asks the served app for its seats, by the address that the learner is shown.
RUN = """
import re, signal, subprocess, sys, urllib.request
run = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1], sys.argv[2]], stderr=subprocess.PIPE, text=True
)
for line in run.stderr:
    if found := re.search("http://.*(?=/docs)", line):
        break
    print(line)
print(found[0], urllib.request.urlopen(found[0] + "/seats").read().decode())
run.send_signal(signal.SIGINT)
run.communicate()
"""

# The verb, on the checkout in a folder.
PROGRAM = """
import sys
from pathlib import Path
from workshop import paths
from workshop.cli import main
paths.ROOT = Path(sys.argv[1])
sys.exit(main(["run", "90"]))
"""

SERVE = """
import asyncio, sys
from pathlib import Path
from workshop.testing.app.application import running
from workshop.testing.app.server import serving

async def main():
    async with running(Path(sys.argv[1]) / "app.py") as app, serving(app) as server:
        async with server.client() as client:
            print(server.url, (await client.get("/seats")).text)

asyncio.run(main())
"""

PROXY = """
import socket, threading
from workshop.services.address import read_redis
from workshop.testing import RedisProxy

redis = socket.create_server(("::1", 0), family=socket.AF_INET6)
threading.Thread(target=lambda: redis.accept()[0].sendall(b"+OK"), daemon=True).start()
with RedisProxy(f"redis://[::1]:{redis.getsockname()[1]}") as proxy:
    address = read_redis(proxy.url)
    with socket.create_connection((address.host, address.port)) as client:
        print(proxy.url, client.recv(3).decode())
"""

LOOK = """
from workshop.doctor.machine import loopback
print(loopback().line())
"""


def test_a_served_app_is_reached_at_the_address_that_is_shown(tmp_path: Path) -> None:
    write_lesson(tmp_path, starter=GOOD)
    told = run_in_network(ONLY_IPV6, sys.executable, "-c", RUN, PROGRAM, str(tmp_path))

    assert "http://[::1]:" in told.stdout, told
    assert '{"free":2}' in told.stdout


def test_the_test_kit_serves_an_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GOOD, encoding="utf-8")
    told = run_in_network(ONLY_IPV6, sys.executable, "-c", SERVE, str(tmp_path))

    assert "http://[::1]:" in told.stdout, told
    assert '{"free":2}' in told.stdout


def test_the_test_kit_stands_between_an_app_and_redis() -> None:
    told = run_in_network(ONLY_IPV6, sys.executable, "-c", PROXY)

    assert told.stdout.startswith("redis://[::1]:"), told
    assert told.stdout.endswith(" +OK\n")


@pytest.mark.parametrize(
    ("network", "begins", "names"),
    [(ONLY_IPV6, "ok", "::1"), (NO_LOOPBACK, "problem", "127.0.0.1")],
)
def test_the_doctor_says_which_address_there_is(
    network: str, begins: str, names: str
) -> None:
    told = run_in_network(network, sys.executable, "-c", LOOK)

    assert told.stdout.startswith(begins), told
    assert names in told.stdout


def test_without_a_loopback_address_an_app_is_refused_in_a_sentence(
    tmp_path: Path,
) -> None:
    write_lesson(tmp_path, starter=GOOD)
    told = run_in_network(NO_LOOPBACK, sys.executable, "-c", PROGRAM, str(tmp_path))

    assert told.returncode == 3
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1
    assert "127.0.0.1" in told.stderr


def test_a_free_port_can_be_bound() -> None:
    host = loopback()
    port = free_port(host)
    with socket.create_server((host, port), family=family_of(host)) as server:
        assert server.getsockname()[:2] == (host, port)
