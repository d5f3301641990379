"""The database and Redis of a test, and what they know of the app."""
