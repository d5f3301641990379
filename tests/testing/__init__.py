"""Tests of the lab: each primitive shows what it should, and fails when it should."""
