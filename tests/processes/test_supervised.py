"""A supervised process ends with its block, and with the process that started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from workshop.paths import ROOT
from workshop.processes.family import is_supervisor
from workshop.processes.supervised import SupervisedProcess, call

# Starts a process in a session of its own, with nothing in its environment.
PARENT = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(3600)"],
    stdout=subprocess.PIPE, start_new_session=True, env={},
)
child.stdout.readline()
print(child.pid, flush=True)
"""
STAYS = f"{PARENT}\nsys.stdin.read()\n"
POLITE = """
import sys
try:
    print("up", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    print("said goodbye", flush=True)
"""
STUBBORN = """
import signal, sys, threading
for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
print("up", flush=True)
threading.Event().wait()
"""
OWNER = """
import os, sys
from workshop.processes.family import is_supervisor
from workshop.processes.supervised import SupervisedProcess

SupervisedProcess([sys.executable, "-c", sys.argv[1]], environment=os.environ)
sys.stdin.read()
"""


def start(program: str, grace: float) -> SupervisedProcess:
    """Start *program* below pipes."""
    return SupervisedProcess(
        [sys.executable, "-c", program],
        environment=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        grace=grace,
    )


def told(process: SupervisedProcess) -> str:
    """Return the next line that *process* prints."""
    assert process.process.stdout is not None
    return str(process.process.stdout.readline().strip())


def test_it_is_asked_to_end_before_it_is_killed() -> None:
    process = start(POLITE, grace=60)
    told(process)
    process.interrupt()

    assert told(process) == "said goodbye"
    process.close()
    assert process.poll() is not None


def test_one_that_ignores_the_request_is_killed() -> None:
    with start(STUBBORN, grace=0) as process:
        told(process)

    assert process.poll() not in (None, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs an environment")
def test_what_it_has_started_ends_too() -> None:
    with start(STAYS, grace=0) as process:
        child = psutil.Process(int(told(process)))

    assert psutil.wait_procs([child], timeout=30)[1] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs an environment")
@pytest.mark.parametrize("parts", ["", "**os.environ, "])
def test_no_variable_lets_a_process_stay(parts: str) -> None:
    """An app may copy or set any variable, those of our supervisors included."""
    stays = STAYS.replace("import subprocess", "import os, subprocess").replace(
        "env={}", f"env={{{parts}'WORKSHOP_SUPERVISOR': '1'}}"
    )
    with start(stays, grace=0) as process:
        child = psutil.Process(int(told(process)))

    try:
        assert psutil.wait_procs([child], timeout=30)[1] == []
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def test_a_command_within_a_command_ends_with_it() -> None:
    """The inner one has a supervisor of its own, which ends last, by itself."""
    program = OWNER.replace("sys.argv[1]", repr(POLITE))
    with start(program, grace=0) as process:
        told(process)
        family = psutil.Process(process.process.pid).children(recursive=True)
        supervisors = [it for it in family if is_supervisor(it)]

    assert len(supervisors) == 1
    assert psutil.wait_procs(family, timeout=60)[1] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs an environment")
def test_everything_ends_when_its_owner_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, f"{PARENT}\nchild.wait()\n"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        family = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()

    assert child in family
    assert psutil.wait_procs(family, timeout=60)[1] == []


def test_a_call_returns_the_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit(7)"]

    assert call(command, environment=os.environ, cwd=tmp_path) == 7


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_unwinds_a_command_and_becomes_its_exit_code(name: str) -> None:
    number = signal.Signals[name]
    program = (
        "import sys, time\n"
        "from workshop.processes.signals import orderly_end\n"
        "with orderly_end() as end:\n"
        "    try:\n"
        "        print('up', flush=True)\n"
        "        time.sleep(3600)\n"
        "    except KeyboardInterrupt:\n"
        "        print('tidied up', flush=True)\n"
        "sys.exit(end.exit_code(0))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)

    assert out == "tidied up\n"
    assert process.returncode == 128 + number


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_program_meant_to_survive_its_terminal_does() -> None:
    """Started as by `nohup`."""
    program = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from workshop.processes.signals import orderly_end\n"
        "with orderly_end():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('still here')\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    ).stdout

    assert out == "still here\n"
