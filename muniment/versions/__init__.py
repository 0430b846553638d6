"""Versions of an article: what changed between two texts, and when."""
