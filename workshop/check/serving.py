"""Check that an app serves its documentation under the server that learners use."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from workshop.processes.environment import environment_of_apps
from workshop.processes.supervised import SupervisedProcess
from workshop.processes.temporary import temporary_folder

_SECONDS = 60
_ADDRESS = re.compile(r"Uvicorn running on (http://\S+)")


def serving_problem(
    app_file: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Serve *app_file* with uvicorn; return what is wrong, or "" if nothing is.

    `/docs` and `/openapi.json` must return 200. The server is stopped again.
    """
    with temporary_folder("serving") as folder:
        (folder / "app.py").write_bytes(app_file.read_bytes())
        own = environment_of_apps(environment or {})
        supervised = SupervisedProcess(
            # Windows reports its null device as a terminal, so uvicorn uses colours.
            [
                *(sys.executable, "-m", "uvicorn", "app:app", "--port", "0"),
                "--no-use-colors",
            ],
            cwd=folder,
            environment={**own, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            grace=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        watchdog = threading.Timer(_SECONDS, supervised.process.kill)
        watchdog.start()
        try:
            return _ask(supervised.process)
        finally:
            watchdog.cancel()
            supervised.close()


def _ask(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        address = _ADDRESS.search(line)
        if address:
            break
    else:
        return "it does not start: " + "".join(said)[-500:].strip()
    # The log is not needed any more; drain the pipe so that it cannot block.
    threading.Thread(target=_drain, args=(process,), daemon=True).start()
    # Never through a proxy, for which this address is another machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for path in ("/docs", "/openapi.json"):
        try:
            with direct.open(address[1] + path, timeout=_SECONDS):
                pass
        except (urllib.error.URLError, OSError) as problem:
            return f"{path} does not respond: {problem}"
    return ""


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    with contextlib.suppress(ValueError, OSError):
        for _ in process.stderr:
            pass
