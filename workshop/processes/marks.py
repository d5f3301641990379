"""Environment variables that identify the workshop's processes."""

OWNER = "WORKSHOP_OWNER"
"""Identifies the front end for which a process was started."""

PROCESS = "WORKSHOP_PROCESS"
"""Identifies a supervised process; its descendants inherit the variable."""

SUPERVISOR_MODULE = "workshop.processes.supervisor"
"""The module that a supervisor runs, by which its command line is recognized."""
