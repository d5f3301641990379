"""Make a test and an app meet: gates, rendezvous, and waits for an idle loop."""
