"""What a failing test reports: where, what was raised, in which order."""
