"""muniment keeps articles as evidence: exact bytes, a signed Merkle log over them, and a full-text search."""

__version__ = "0.1.0"
