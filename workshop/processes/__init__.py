"""Processes that the workshop starts: their environment, and how they end.

Standard library only, because the set-up uses this before anything is installed.
psutil is imported only in functions that run after the set-up.
"""
