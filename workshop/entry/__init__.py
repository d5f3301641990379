"""What `python -m workshop` does before anything is installed."""
