"""Start a worker, read its events, and end it with everything that it started."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from workshop.processes.environment import environment_of_tests
from workshop.processes.temporary import MEMORY, delete, make_temporary_folder
from workshop.sandbox.limits import Limits
from workshop.sandbox.markers import AGAIN, MARK, RUN_ID
from workshop.sandbox.process import ForkServer, Running, Spawned
from workshop.sandbox.signature import Verifier, body_of, new_key
from workshop.terminal.control_codes import cleaned, sanitize
from workshop.terminal.output import safe_plain
from workshop.terminal.secrets import redacted, secrets_of

_LAST = ("done", "gone", "broken", "tampered", "forged", "breakpoint")
"""Events after which nothing that the worker reports counts."""
_KEPT_BYTES = Limits().output_bytes
"""How much of one test's output is kept. More of it ends the run."""
_ROOM_BYTES = 256_000_000
_TICK_SECONDS = 0.2
_BEFORE_THE_KEY = ("ready", "unfit", "broken")
"""Events that a worker may report before it has the key to sign them with."""


class WorkerProcess:
    """One worker, from its start to its certain end. Use it with `with`.

    The constructor starts the process, which imports what it needs while the caller
    goes on. `run` sends it its only job and yields what it reports. Leaving the `with`
    block ends the process group, every descendant, and every process with the run id
    in its environment. It also deletes the run's folder for temporary files.

    Args:
        worker: the module that the process runs.
        environment: environment variables to add.
        job: what to prepare for. `run` then says when to start, and which tests.
        fork_server: where to fork the process, so that it is ready at once.
        in_fork: environment variables to add to those of the fork server.

    """

    def __init__(
        self,
        worker: str,
        environment: Mapping[str, str],
        *,
        job: Mapping[str, Any] | None = None,
        fork_server: ForkServer | None = None,
        in_fork: Mapping[str, str] | None = None,
    ) -> None:
        self._run_ids = {uuid.uuid4().hex}
        self._began = time.time()
        # A run that is cut short cannot clean up, but its folder can be deleted.
        self._folder = make_temporary_folder("run", quick_folder())
        own = {RUN_ID: next(iter(self._run_ids))}
        self.output = Output(own[RUN_ID])
        own |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._folder))
        self._fork_server = fork_server
        self._process: Running
        if fork_server is not None:
            # The system shows a fork with the environment of its fork server.
            self._run_ids.add(fork_server.run_id)
            self._process = fork_server.fork({**(in_fork or {}), **own})
        else:
            self._process = Spawned(
                worker, environment_of_tests({**environment, **own})
            )
        self._waiting = job is not None
        self._begun = self._gone = False
        self._key = new_key()
        self._verifier = Verifier(self._key)
        if job is not None and fork_server is None:
            self._say(json.dumps({**job, "waits": True}))
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.last_words: list[str] = []
        self._readers = [
            threading.Thread(target=target, daemon=True)
            for target in (self._read_events, self._read_output)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> WorkerProcess:
        """Return the worker."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End everything that belongs to the run."""
        self.end()

    @property
    def exit_code(self) -> int | None:
        """The worker's exit code; None while it runs."""
        return self._process.poll()

    @property
    def is_lost(self) -> bool:
        """Whether it ended while it waited, which no answer can have caused."""
        return self._waiting and self._gone and not self._begun

    def run(
        self, job: Mapping[str, Any], limits: Limits, rounds: int = 1
    ) -> Iterator[dict[str, Any]]:
        """Send *job* and yield events until the run has ended.

        The last event is the worker's (`done`, `broken`, `tampered`, `breakpoint`) or
        one of these: `stalled` (nothing was reported for too long), `timed_out` (the
        whole run took too long), `forged` (an event had no valid signature),
        `output_limit` (too much output), `process_limit` (too many processes), `gone`
        (the worker ended by itself). *rounds* is how often the job runs the tests. The
        limits for the whole run apply to each round.
        """
        order = {"tests": job["tests"]} if self._waiting else dict(job)
        self._say(json.dumps({**order, "key": self._key}))
        overall = time.monotonic() + limits.run_seconds * rounds
        due = deadline = time.monotonic() + limits.start_seconds
        has_reported = False
        while True:
            try:
                event = self._queue.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                event = {}
            if event:
                self._begun |= event["event"] == "start"
                self._gone |= event["event"] == "gone"
                is_due = time.monotonic() >= due
                if event["event"] == "gone" and has_reported and is_due:
                    # Python was dumping its stacks, because the test had hung. It
                    # reads those of threads that still run, and sometimes crashes.
                    yield {"event": "stalled"}
                    return
                has_reported = True
                yield event
                if event["event"] in _LAST:
                    self.output.wait_until_complete()
                    return
                if self._begun:
                    # One second more than the worker's own limit, at which it reports
                    # where it hangs.
                    deadline = time.monotonic() + limits.test_seconds + 1
                    due = deadline - 1 - _TICK_SECONDS
            elif time.monotonic() > deadline:
                yield {"event": "stalled"}
                return
            elif self._count_processes() > limits.processes:
                yield {"event": "process_limit"}
                return
            if time.monotonic() > overall:
                yield {"event": "timed_out"}
                return
            if self.output.total > limits.output_bytes * rounds:
                yield {"event": "output_limit"}
                return

    def kill(self) -> None:
        """End the worker and its group at once. Call `end` later, too."""
        self._process.kill()

    def end(self) -> None:
        """End the worker, its group and all that it started, and wait for its end."""
        descendants = self._descendants()
        self._process.kill()
        for process in (*descendants, *self._with_run_id()):
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.close()
        for reader in self._readers:
            reader.join(1)
        delete(self._folder)

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._process.control.write(line.encode() + b"\n")
            self._process.control.flush()

    def _descendants(self) -> list[psutil.Process]:
        pid = self._process.pid
        if pid is None:
            return []
        try:
            return list(psutil.Process(pid).children(recursive=True))
        except psutil.Error:
            return []

    def _with_run_id(self) -> Iterator[psutil.Process]:
        """Yield processes of the run, also those that left its group and its tree."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                young = process.create_time() >= self._began - 1
                if not young or process.environ().get(RUN_ID) not in self._run_ids:
                    continue
                server = self._fork_server
                if server is None or not server.owns(process):
                    yield process

    def _count_processes(self) -> int:
        return len(self._descendants())

    def _read_events(self) -> None:
        with self._process.events as pipe:
            for raw in pipe:
                line = raw.decode("utf-8", "replace").rstrip()
                try:
                    # An event may quote the answer: an exception's message, or the
                    # name of a task.
                    event: Any = cleaned(json.loads(body_of(line)), safe_plain)
                    kind, pid = event["event"], event["pid"]
                except (ValueError, KeyError, TypeError):
                    self.last_words.append(safe_plain(line))
                    continue
                if not self._verifier.is_genuine(line) and (
                    kind not in _BEFORE_THE_KEY
                ):
                    event = {"event": "forged"}
                elif pid != self._process.pid and self._process.pid is not None:
                    continue
                self._queue.put(event)
        self._process.wait()
        self._queue.put({"event": "gone"})

    def _read_output(self) -> None:
        with self._process.output as pipe:
            while chunk := os.read(pipe.fileno(), 65_536):
                self.output.add(chunk)
        self.output.finish()


def quick_folder() -> Path | None:
    """Return a folder that is kept in memory, or None if there is no room.

    The tests create many small databases and wait until each is on the disk. On a
    laptop that takes a third of a run.
    """
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    writable = os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if writable and free > _ROOM_BYTES else None


class Output:
    """The output of the run *run_id*, by test: the beginning and the end of each."""

    def __init__(self, run_id: object) -> None:
        self.total = 0
        self._mark = f"{MARK}{run_id} ".encode()
        self._parts: dict[str, bytes] = {"": b""}
        self._current = ""
        self._pending = b""
        self._complete = threading.Event()
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        """Add the next bytes."""
        with self._lock:
            self.total += len(chunk)
            self._pending += chunk
            while True:
                before, mark, after = self._pending.partition(self._mark)
                if not mark:
                    break
                name, end, rest = after.partition(b"\n")
                if not end:
                    return  # The rest of the marker is still to come.
                self._keep(before)
                self._current, _, again = name.decode().partition(" ")
                if again == AGAIN:
                    self._parts[self._current] = b""
                self._pending = rest
                if not self._current:
                    self._complete.set()
            # A chunk may end within a marker, so keep back what could begin one.
            cut = self._pending.rfind(self._mark[:1])
            held = self._pending[cut:] if cut >= 0 else b""
            if len(held) > len(self._mark):
                held = b""
            self._keep(self._pending[: len(self._pending) - len(held)])
            self._pending = held

    def finish(self) -> None:
        """Note that the output is complete."""
        with self._lock:
            self._keep(self._pending)
            self._pending = b""
        self._complete.set()

    def wait_until_complete(self) -> None:
        """Wait for the end of the last test's output, at most a second.

        A process that the answer has started may keep the pipe open.
        """
        self._complete.wait(1)

    def texts(self) -> dict[str, str]:
        """Return the output by test id, and under "" that outside of all tests.

        Control codes other than colours are removed, and so are secrets.
        """
        secrets = secrets_of(os.environ)
        with self._lock:
            parts = {name: _shorten(part) for name, part in self._parts.items()}
        return {
            name: redacted(sanitize(part.decode("utf-8", "replace")), secrets).strip(
                "\n"
            )
            for name, part in parts.items()
        }

    def _keep(self, data: bytes) -> None:
        kept = self._parts.get(self._current, b"") + data
        if len(kept) > 2 * _KEPT_BYTES:
            kept = _shorten(kept)
        self._parts[self._current] = kept


def _shorten(data: bytes) -> bytes:
    """Return the beginning and the end of *data*, cut between lines if possible."""
    if len(data) <= _KEPT_BYTES:
        return data
    half = _KEPT_BYTES // 2
    head, tail = data[:half], data[-half:]
    head = head[: head.rfind(b"\n")] if b"\n" in head else head
    tail = tail[tail.find(b"\n") + 1 :] if b"\n" in tail[:-1] else tail
    return head + b"\n[... output left out ...]\n" + tail
