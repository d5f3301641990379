"""Tests of the databases and Redis that the workshop brings along."""
