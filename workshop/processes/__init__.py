"""Processes that the workshop starts: their environment, and how they end.

The standard library alone, because the set-up uses it before anything is installed;
psutil is imported where a process that needs it is running.
"""
