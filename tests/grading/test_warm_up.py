"""What is done before an answer comes leaves nothing that the answer could meet."""

import logging
import os
import sys

import pytest

from workshop.grading.warm_up import rehearse, warm_up, warm_up_database
from workshop.testing.app.application import running_apps


def test_a_rehearsal_prints_nothing_and_leaves_nothing_behind(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx2")  # as in a worker
    warm_up()
    warm_up_database()
    rehearse()  # what it imports stays
    environment, modules = dict(os.environ), set(sys.modules)
    caplog.clear()

    rehearse()

    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []
    assert dict(os.environ) == environment
    assert set(sys.modules) == modules
    assert not running_apps()
