"""A pytest plugin that reports the progress of tests as events."""

from __future__ import annotations

import faulthandler
import gc
import random
import sys
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from workshop.grading import audit, integrity
from workshop.grading.events import Facts, Outcome
from workshop.private_apis.packages import hook_implementations
from workshop.sandbox.control_channel import ControlChannel, wait_to_be_ended
from workshop.sandbox.event_channel import EventChannel
from workshop.testing.app.application import running_apps
from workshop.testing.reporting.cases import on_passed_case
from workshop.testing.reporting.exception_groups import leaves
from workshop.testing.reporting.failures import AppExit, NoResponse


class Recorder:
    """Reports one round of a job over *channel*.

    Without a *control* channel no other process ends this one, so it ends by itself.
    """

    def __init__(
        self,
        channel: EventChannel,
        job: dict[str, Any],
        number: int,
        control: ControlChannel | None,
    ) -> None:
        self.channel = channel
        self.control = control
        self._send = channel.send
        self._alarm = channel.alarm()
        self._changed: Callable[[bool], str | None] = _nothing
        self._files = (Path(job["test_file"]), Path(job["app_file"]))
        self._protected = [Path(it) for it in job.get("protected", ())]
        self.waits = job["waits"] and number == 0
        self.is_last = number == job["rounds"] - 1
        self.uncollected: list[str] = []
        self.over = False
        self.test_seconds = float(job["test_seconds"])
        self.seed = job["seed"]
        self.wanted = set(job["tests"])
        self.number = number
        self.running = ""

    def pytest_configure(self, config: pytest.Config) -> None:
        """Forget passed cases, and use short tracebacks for errors."""
        # The option belongs to the terminal plugin, which is disabled.
        config.option.tbstyle = "native"
        on_passed_case(self._forget_passed_case)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests of the job, in file order or in random order.

        The control tests come last. They show that failures are still reported.
        """
        controls = [item for item in items if _is_control(item)]
        items[:] = [
            it for it in items if it.name in self.wanted and not _is_control(it)
        ]
        for item in items:
            # Skip pytest's rendering, which is not used and takes milliseconds.
            item.repr_failure = _not_rendered  # type: ignore[method-assign, assignment]
        if self.seed is not None:
            random.Random(f"{self.seed} {self.number}").shuffle(items)  # noqa: S311 -- an order, not a secret
        items += controls

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Report that the test file cannot be imported."""
        if report.failed:
            self.uncollected.append(str(report.longrepr)[-2000:])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Wait for the signal to start, and for the tests to run here."""
        self._changed = self._watch(session)
        # The present objects are permanent. Garbage collection need not visit them, and
        # so write to their pages, which a forked process would copy.
        gc.collect()
        gc.freeze()
        if self.waits and self.control is not None:
            wanted = self.control.wait_for_start()
            place = {name: number for number, name in enumerate(wanted)}
            controls = [it for it in session.items if _is_control(it)]
            tests = [it for it in session.items if it.name in place]
            session.items[:] = sorted(tests, key=lambda it: place[it.name]) + controls
        if self.number == 0:
            audit.watch(
                tests=[self._files[0], self._files[0].with_name("world.py")],
                protected=self._protected,
                report=self._alarm,
            )
        for message in self.uncollected:
            self.channel.send("uncollected", message=message)

    def _watch(self, session: pytest.Session) -> Callable[[bool], str | None]:
        """Record the code that the tests rely on, before the app is loaded."""
        own: dict[str, ModuleType] = {
            module.__name__: module
            for it in session.items
            if (module := getattr(it, "module", None)) is not None
        }
        # The test file imports its stand-ins from there.
        world = self._files[0].with_name("world.py")
        own |= {
            name: module
            for name, module in list(sys.modules.items())
            if getattr(module, "__file__", None) == str(world)
        }
        hooks = vars(session.config.pluginmanager.hook)
        return integrity.watch(
            own.values(),
            [
                (name, implementations)
                for name, hook in hooks.items()
                if (implementations := hook_implementations(hook)) is not None
            ],
        )

    def _check(self, *, whole: bool = False) -> None:
        """Stop here if the app has changed the code that the tests rely on."""
        changed = self._changed(whole)
        if changed is not None:
            self._alarm(f"changed {changed}, which the tests rely on", "")
            wait_to_be_ended()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Report the end of the round.

        After the last round, pytest would only clean up a process that is about to be
        ended. That would take a sixth of a run's time.
        """
        self.finish()
        if self.is_last and self.control is not None:
            wait_to_be_ended()

    def finish(self) -> None:
        """Report the end of the round, once."""
        if self.over:
            return
        self.over = True
        self.channel.send("round", round=self.number)
        if self.is_last:
            self.channel.mark("")
            self.channel.send("done")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Report that a test begins, and prepare to report where it hangs."""
        name = _name(nodeid)
        if nodeid.partition("::")[0].endswith(_CONTROL):
            return
        self.running = name
        self.channel.mark(name)
        self.channel.send("start", id=name, round=self.number)
        if self.test_seconds:  # a debugger has no time limit
            seconds = self.test_seconds
            faulthandler.dump_traceback_later(seconds, file=self.channel.stream)

    def _forget_passed_case(self) -> None:
        for app in running_apps():
            app.forget_errors()
        self.channel.mark(self.running, again=True)

    def pytest_runtest_logfinish(self) -> None:
        """Stop watching the test."""
        faulthandler.cancel_dump_traceback_later()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Report one phase of one test.

        It is the outermost wrapper, so that it sees what other plugins add to the item.
        """
        report = yield
        if _is_control(item):
            self._check(whole=call.when == "teardown")
            if call.when == "call":
                told = str(call.excinfo.value) if call.excinfo else ""
                outcome = report.outcome
                self._send(
                    "control",
                    id=item.name,
                    round=self.number,
                    outcome=outcome,
                    message=told,
                )
            return report
        self._check()
        noted = item.user_properties
        exits = [str(text) for key, text in noted if key == "app_exit"]
        facts: Facts = {"outcome": "passed"}
        if call.excinfo is not None:
            error = call.excinfo.value
            facts = _facts_of(error, call.when)
            facts["traceback"] = "".join(traceback.format_exception(error))[-20_000:]
        elif report.outcome != "passed":
            facts = {"outcome": "error", "message": f"The test was {report.outcome}."}
        if exits:
            # An app that ends the test from inside has not passed it, whatever the test
            # has checked.
            facts |= {"outcome": "error", "message": exits[0], "on_topic": False}
        if facts["outcome"] != "passed":
            lines = [str(v) for k, v in noted if k == "learner_line"]
            facts["line"] = next(iter(lines), facts.get("line", ""))
            facts["raised"] = [str(v) for k, v in noted if k == "app_error"]
            if any(k == "app_mistake" for k, _ in noted):
                # The test did not get to what it is about.
                facts |= {"mistake": True, "on_topic": False}
            whole = [str(v) for k, v in noted if k == "app_traceback"]
            facts["traceback"] = "\n".join([*whole, facts.get("traceback", "")])
            facts["forgot"] = [str(v) for k, v in noted if k == "app_forgot"]
            facts["timeline"] = next((v for k, v in noted if k == "timeline"), None)
        self._send("report", id=item.name, round=self.number, when=call.when, **facts)
        return report


_CONTROL = "workshop/grading/control_tests.py"


def _is_control(item: pytest.Item) -> bool:
    return item.nodeid.partition("::")[0].endswith(_CONTROL)


def _nothing(whole: bool) -> None:
    """Report no change, because nothing has been recorded yet."""


def _not_rendered(excinfo: pytest.ExceptionInfo[BaseException], **_: object) -> str:
    return type(excinfo.value).__name__


def _name(nodeid: str) -> str:
    return nodeid.rpartition("::")[2]


def _facts_of(error: BaseException, when: str) -> Facts:
    """Return the outcome and the message for an exception raised by a test."""
    cause = _leaf(error)
    if isinstance(cause.__cause__, EOFError):
        cause = cause.__cause__  # app.py called input() while it was loaded
    text, line = str(cause).strip(), ""
    if type(cause).__name__ in ("AppLoadError", "AppExit"):
        # These end with the learner's line, which is reported separately.
        text, _, line = text.partition("\n")
    outcome: Outcome = "error"
    message = text
    match cause:
        case pytest.skip.Exception():
            message = (
                "The test was skipped: something called pytest.skip(). A skipped "
                "test counts as not passed. Remove the call from app.py."
            )
        case pytest.xfail.Exception():
            message = (
                "The test was declared an expected failure: something called "
                "pytest.xfail(). That counts as not passed. Remove the call from "
                "app.py."
            )
        case pytest.exit.Exception():
            message = (
                "The test run was told to stop: something called pytest.exit(). "
                "That counts as not passed. Remove the call from app.py."
            )
        case AssertionError() | pytest.fail.Exception():
            outcome = "failed" if when == "call" else "error"
            message = text or "An assertion failed, without a message."
        case EOFError():
            message = (
                "app.py waits for keyboard input: it called input(). A web app has no "
                "keyboard. Take the value from the request."
            )
        case _ if not type(cause).__module__.startswith("workshop."):
            message = ": ".join(part for part in (type(cause).__name__, text) if part)
    # A test without a response, or that broke, has not seen what it is about.
    on_topic = outcome == "failed" and not isinstance(cause, (AppExit, NoResponse))
    return {"outcome": outcome, "message": message, "line": line, "on_topic": on_topic}


def _leaf(error: BaseException) -> BaseException:
    """Return the relevant exception of a group: an assertion if there is one."""
    found = leaves(error)
    return next((e for e in found if isinstance(e, AssertionError)), found[0])
