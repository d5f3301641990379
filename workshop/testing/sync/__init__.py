"""Synchronize a test with its app: gates, rendezvous, and waits for an idle loop."""
