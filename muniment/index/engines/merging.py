"""Segments that tantivy merges behind a commit, waited for in a thread: a process that ends before leaves one a run.

The last segment below some 17,000 documents is merged anew at every seventh commit, which takes a second or more.
"""

from __future__ import annotations

import threading

import tantivy


class Merging:
    """What a commit set merging, waited for in a thread; the writer, and its lock, are gone when it is done."""

    def __init__(self, writer: tantivy.IndexWriter):
        self._thread = threading.Thread(target=self._run, args=(writer,), name="merging")
        self._failure: Exception | None = None
        self._thread.start()

    def _run(self, writer: tantivy.IndexWriter) -> None:
        try:
            writer.wait_merging_threads()
        except (ValueError, RuntimeError, OSError) as e:
            self._failure = e

    @property
    def is_going_on(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Raises what went wrong, where that is known by then."""
        self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure
