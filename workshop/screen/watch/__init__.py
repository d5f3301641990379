"""Watch mode on the whole terminal: one lesson, its verdict, and keys.

What is on the screen is a `WatchState`; events from the engine make a new one
of it, and `words` says it. `app` is the only module that imports Textual.
"""
