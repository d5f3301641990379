"""The learner's app, served beside watch mode: it answers, and it goes."""

from __future__ import annotations

import contextlib
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from workshop.actions.ports import free_port
from workshop.actions.serving import Served
from workshop.processes.supervised import supervised

APP = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/seats")
async def seats():
    print("somebody asked for seats")
    return {"free": 2}
"""

OWNER = """\
import sys
from pathlib import Path
from workshop.actions.serving import Served

folder = Path(sys.argv[1])
Served(folder, int(sys.argv[2]), environment={}, scratch=folder, listen=print)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an app."""
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    return tmp_path


def wait_for(client: httpx2.Client) -> None:
    """Return when somebody listens; a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(httpx2.TransportError):
            client.get("/")
            return
    pytest.fail("nobody listens")


def test_an_app_is_served_heard_and_ended(folder: Path) -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()

    def hear_of(wanted: str) -> str:
        while wanted not in (line := said.get(timeout=60)):
            pass
        return line

    supervised({})  # a process that stays as long as this one
    others = psutil.Process().children(recursive=True)
    served = Served(
        folder, free_port(), environment={}, scratch=folder, listen=said.put
    )
    try:
        hear_of("startup complete")
        # uvicorn says so an instant before it listens.
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=5)) as client:
            body = client.get(f"{served.address}/seats").text
        heard = hear_of("somebody")
        running = [
            it for it in psutil.Process().children(recursive=True) if it not in others
        ]
    finally:
        served.close()

    assert body == '{"free":2}'
    assert heard == "somebody asked for seats"
    assert running
    assert psutil.wait_procs(running, timeout=30)[1] == []


def test_the_page_to_try_an_app_needs_no_network(folder: Path) -> None:
    served = Served(
        folder, free_port(), environment={}, scratch=folder, listen=lambda _: None
    )
    try:
        with httpx2.Client(base_url=served.address) as client:
            wait_for(client)
            asked = {
                place
                for page in ("/docs", "/redoc")
                for place in re.findall(
                    r'(?:src|href)="([^"]+)"', client.get(page).text
                )
            }
            answers = {place: client.get(place).status_code for place in asked}
    finally:
        served.close()

    assert len(answers) >= 4
    assert all(place.startswith("/") for place in asked)
    assert set(answers.values()) == {200}


def test_no_server_outlives_its_owner(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", OWNER, str(folder), str(free_port())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as owner:
        assert owner.stdout is not None
        limit = threading.Timer(60, owner.kill)  # turns a hang into a failure
        limit.start()
        for line in owner.stdout:
            if "startup complete" in line:
                break
        running = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()
        limit.cancel()

    assert running
    assert psutil.wait_procs(running, timeout=30)[1] == []
