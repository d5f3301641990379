"""The app under test: loaded, started, asked, served, ended."""
