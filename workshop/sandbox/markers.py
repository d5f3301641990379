"""How a worker's standard output tells which test printed what."""

MARK = "\x1e"
"""Begins `MARK badge test` and a line break, written where a test begins.

The record separator: control characters of that kind are not printed by
accident, and a marker of another process is left alone.
"""

AGAIN = "again"
"""Follows the test's name where what it printed so far is to be forgotten."""

RUN_ID = "WORKSHOP_RUN"
"""Environment variable that every process of a run inherits."""
