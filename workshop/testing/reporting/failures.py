"""The test kit's exceptions, with messages that a learner can act on."""

from __future__ import annotations

# True of sys.exit(), of exit() and of the exception alone.
ENDED_IT = "ended the process (sys.exit() or SystemExit)"


class TimeLimitExceeded(AssertionError):  # noqa: N818 -- reads as a verdict
    """Something that a test waited for did not happen within the outer limit."""


class NoResponse(TimeLimitExceeded):
    """A request got no response, or only a part of one, within the outer limit.

    Whatever a test is about, it has not been seen yet.
    """


class Stalled(AssertionError):  # noqa: N818 -- reads as a verdict
    """Nothing can make progress any more: every task waits for another one."""


class AppExit(AssertionError):  # noqa: N818 -- reads as a verdict
    """The learner's app tried to end the process, or the test, from inside.

    It stands for `SystemExit`, `KeyboardInterrupt` and pytest's own outcomes (skip,
    xfail, exit), none of which may decide about a lesson.
    """


class AppLoadError(Exception):
    """The file under test cannot be loaded, or holds no app."""


class StartupError(Exception):
    """The app's lifespan startup failed. The cause is the app's own exception."""


class ShutdownError(Exception):
    """The app's lifespan shutdown failed. The cause is the app's own exception."""
