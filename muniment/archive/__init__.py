"""Append, read, verify: `archive.py` is the face of this room."""
