"""The memory stick for workshops without internet, and how it is written.

A bundle is a folder with a clone of the course, packages for each system and Python,
the built site, and start scripts. `start.py` is the part that runs on learners'
machines. It is copied to the bundle and imports nothing of the workshop.
"""
