"""Time in tests: the clock moved by hand, the outer limit, the event loop."""
