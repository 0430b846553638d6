"""The tree of errors. Each class carries the exit code that the command line ends with (docs/cli.md).

    MunimentError                70   none of the others
    ├── UsageError                2   wrong call, wrong configuration
    │   └── QueryError            2   the query is wrong, at a place
    ├── ItemError                 3   one item of a batch failed; the rest go on
    │   ├── FetchError            3   a URL could not be captured (13 where every item is one)
    │   └── UploadError           3   a file could not be read or kept
    ├── IndexBehind               4   the index lacks articles and could not catch up
    ├── IntegrityError           10   committed bytes are missing or altered
    ├── Locked                   11   another writer holds the archive
    ├── NoArchive                12   no archive here
    └── StorageError             14   no space, or a write failed

A message is one line that says what, where, and what to do.
"""

from __future__ import annotations


class MunimentError(Exception):
    """Root of the tree."""

    exit_code = 70


class UsageError(MunimentError):
    """A wrong call or configuration."""

    exit_code = 2


class QueryError(UsageError):
    """A query that cannot be read; `position` is the offset in characters where it goes wrong, when known. `option` is
    the filter beside the query that is wrong, where it is one (`since`, `not_kind`), `file` what they stand in,
    which the message says then."""

    def __init__(
        self,
        message: str,
        query: str = "",
        position: int | None = None,
        *,
        option: str | None = None,
        file: str | None = None,
    ):
        super().__init__(message)
        self.query = query
        self.position = position
        self.option = option
        self.file = file


class ItemError(MunimentError):
    """One item of a batch failed. `reason` is a short slug that the log keeps ("robots", "timeout", "http-404")."""

    exit_code = 3

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class FetchError(ItemError):
    """A URL could not be captured."""


class UploadError(ItemError):
    """A file or a line of a list could not be read or kept."""


class IndexBehind(MunimentError):
    """The index lacks articles that the log holds, and could not catch up."""

    exit_code = 4


class IntegrityError(MunimentError):
    """Committed bytes are missing or altered; the archive refuses to be written."""

    exit_code = 10


class Locked(MunimentError):
    """Another writer holds the archive's lock."""

    exit_code = 11


class NoArchive(MunimentError):
    """No archive at the given place."""

    exit_code = 12


class StorageError(MunimentError):
    """No space left, or a write failed. Everything acknowledged is stored."""

    exit_code = 14
