"""What a file or handed-over content holds: captures, one after another, for some hold many.

A plain file is one capture of its bytes. Each kind of container is opened by a module of its own, which gives what is
in it as captures with their own names, and says in their facts where they came from. Nothing is read before it is asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from muniment.model import Attempt, Capture, Imported

if TYPE_CHECKING:
    from muniment.ingest.upload import Target


class Opened(NamedTuple):
    """One thing that was found: what the user reads of it ("mail.mbox #3"), and its bytes, or why there are none."""

    name: str
    outcome: Capture | Attempt | Imported


def open_target(target: Target, now: datetime, max_size: int) -> Iterator[Opened]:
    """Everything in a target that is no URL. Raises UploadError where nothing, or nothing more, can be read."""
    from muniment.ingest.importing.files import contents
    from muniment.ingest.upload import read_target

    if (records := contents(target, now)) is not None:
        yield from records
        return
    yield Opened(target.name, read_target(target, now, max_size))
