"""Environment variables by which processes of ours are found again."""

OWNER = "WORKSHOP_OWNER"
"""Names the front end for which a process was started."""

PROCESS = "WORKSHOP_PROCESS"
"""Names one supervised process; all that it starts inherits the name."""
