"""The outside world of a test: databases, Redis and stand-ins for remote services."""
