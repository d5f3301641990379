"""The room: its server and its pages."""
