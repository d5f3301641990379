"""The exit codes of the command line."""

PASSED = 0
"""Passed or done."""
NOT_PASSED = 1
"""The answer has not passed, or a check has found something."""
WRONG_USE = 2
"""The command cannot be carried out as it was typed."""
TOOL_FAILED = 3
"""The tool itself, or something that it needs, has failed."""
INTERRUPTED = 130
"""Interrupted by Ctrl-C."""
