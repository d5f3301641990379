"""The app under test: load, start, call, serve and shut down."""
