"""What a failing test reports: the line, the exception and the order of events."""
