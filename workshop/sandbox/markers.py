"""Markers in a worker's standard output that show which test printed what."""

MARK = "\x1e"
"""Begins `MARK run-id test` and a line break, written where a test begins.

It is the record separator, a control character that is not printed by accident. Markers
of other processes have another run id and are ignored.
"""

AGAIN = "again"
"""Follows the test's name if its output so far is to be discarded."""

RUN_ID = "WORKSHOP_RUN"
"""The environment variable with the run id, which every process of a run inherits."""
