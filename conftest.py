"""Make the lab's fixtures known to every lesson, also for plain ``pytest``."""

pytest_plugins = ["workshop.testing.plugin"]
