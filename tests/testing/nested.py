"""Running a lesson's tests inside a test, to see what a report would say."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from workshop.timeline import Timeline


@dataclass
class Told:
    """What pytest reported of one test."""

    outcomes: dict[str, str] = field(default_factory=dict)
    words: str = ""
    learner_line: str = ""
    timeline: Timeline | None = None

    @property
    def verdict(self) -> str:
        """`passed` only if every phase passed, else the first that did not."""
        return next(
            (
                f"{outcome} in {when}"
                for when, outcome in self.outcomes.items()
                if outcome != "passed"
            ),
            "passed",
        )


class _Recorder:
    def __init__(self) -> None:
        self.told: dict[str, Told] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        # pytest's own drawing of a failure takes longer than the test.
        config.option.tbstyle = "native"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        assert not report.failed, report.longreprtext

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = self.told.setdefault(report.nodeid.rpartition("::")[2], Told())
        told.outcomes[report.when or ""] = report.outcome
        if report.outcome == "failed":
            told.words += report.longreprtext
        for name, value in report.user_properties:
            if name == "learner_line":
                told.learner_line = str(value)
            if name == "timeline":
                told.timeline = Timeline.from_json(value)  # type: ignore[arg-type]


def run_lesson(folder: Path, app: str, tests: str, *options: str) -> dict[str, Told]:
    """Run *tests* against *app* as plain pytest would; return what it said of each."""
    (folder / "app.py").write_text(dedent(app), encoding="utf-8")
    file = folder / "test_it.py"
    file.write_text(dedent(tests), encoding="utf-8")
    (folder / "pytest.ini").write_text(
        "[pytest]\nanyio_mode = auto\nfilterwarnings = error\n", encoding="utf-8"
    )
    sys.modules.pop(file.stem, None)  # else pytest finds those of an earlier run
    recorder = _Recorder()
    with pytest.MonkeyPatch.context() as patch:
        # The options of this run are not those of plain pytest.
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        pytest.main(
            [
                str(file),
                *("-c", str(folder / "pytest.ini")),
                *("--rootdir", str(folder)),
                "--import-mode=importlib",
                "--capture=no",
                "--assert=plain",
                "--disable-plugin-autoload",
                *("-p", "anyio.pytest_plugin"),
                *("-p", "workshop.testing.plugin"),
                *("-p", "no:terminal"),
                *("-p", "no:logging"),
                *("-p", "no:faulthandler"),
                *("-p", "no:cacheprovider"),
                *options,
            ],
            plugins=[recorder],
        )
    return recorder.told
