"""Code of the solutions that readers copy into their service, run as they would."""
