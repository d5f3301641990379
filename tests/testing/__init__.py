"""Tests of the test kit: each primitive shows what it should, or fails."""
