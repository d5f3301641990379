"""Private APIs of other people's code: all that the workshop relies on, in one place.

A name with a leading underscore may change in any release. Each of them is wrapped
here, once, and `tests/test_private_apis.py` has a test for each that says what breaks
without it. If a new release fails those tests, this is the folder to change.

The modules import nothing of ours and nothing that has to be installed, so every other
room may import them. They are three because `interpreter` is needed before a command
runs, and importing asyncio would delay every one of them.

`sys._getframe`, `sys._current_frames` and `os._exit` are not here, because Python
documents them.
"""
