"""Write the folder for memory sticks, for workshops without internet.

A bundle is a folder with a clone of the course, packages for each system and Python,
the built site, and start scripts. `start.py` runs on learners' machines. It is copied
to the bundle, so it imports nothing from the workshop.
"""
