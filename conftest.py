"""Make the test kit's fixtures known to every lesson, also for plain `pytest`."""

pytest_plugins = ["workshop.testing.plugin"]

collect_ignore = ["benchmarks", "bundle", "notebooks", "site", "solutions", "tests"]
"""What is collected only when its folder is named: `pytest tests`."""
