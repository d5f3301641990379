"""Watch mode on the full terminal: one lesson, its verdict, and keys.

What is on the screen is a `WatchState`: each event of a session makes a new one of
it, and `words` puts it into words. `controller` carries out the keys, for this face
and for the lines of `workshop.screen.lines`.
"""
