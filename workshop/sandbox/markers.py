"""Markers on a worker's standard output, which show what each test printed."""

MARK = "\x1e"
"""Begins the line `MARK run-id test`, which is written where a test begins.

It is the record separator, which programs do not print by accident. The run id tells
the markers of this run from those of other processes.
"""

AGAIN = "again"
"""Follows the test's name if what it has printed so far is to be discarded."""

RUN_ID = "WORKSHOP_RUN"
"""Environment variable with the run's id, which all its processes inherit."""
