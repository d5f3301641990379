"""A process that owns an embedded server and is then killed."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

PROGRAM = """
from workshop.services import database_server, redis_server

with {call} as service:
    {then}
    print(service.url, flush=True)
    input()
"""


def killed_owner(
    call: str, then: str = "", **given: str
) -> tuple[str, list[psutil.Process]]:
    """Return the URL that *call* gave to a process, now killed, and its children.

    The offspring may still be about to end. *then* is a statement that it
    executes first, and *given* are variables of its environment.
    """
    own = {"WORKSHOP_DATABASE_URL", "WORKSHOP_REDIS_URL"}
    owner = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(call=call, then=then)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
        env={
            **{name: value for name, value in os.environ.items() if name not in own},
            **given,
        },
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    url = owner.stdout.readline().strip()
    family = psutil.Process(owner.pid).children(recursive=True)
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    return url, family
