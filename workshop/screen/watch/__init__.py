"""Watch mode on the full terminal: one lesson, its verdict, and keys.

A `WatchState` is the state on the screen. Each event from the engine produces a new
one, and `words` renders it. `app` is the only module that imports Textual.
"""
