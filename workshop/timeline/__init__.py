"""Record who held the event loop, and draw it. Useful without the workshop."""
