"""Time in tests: a clock moved by the test, the outer limit and the event loop."""
