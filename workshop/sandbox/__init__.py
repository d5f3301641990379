"""Run code that may be hostile: its process, its limits, and how it ended."""
