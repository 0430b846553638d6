"""What a file or handed-over content holds: captures, one after another, for some hold many.

A plain file is one capture of its bytes. Each kind of container is opened by a module of its own, which gives what is
in it as captures with their own names, and says in their facts where they came from. Nothing is read before it is asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from muniment.model import Attempt, Capture, Declared, Imported

if TYPE_CHECKING:
    from muniment.ingest.upload import Target


class Opened(NamedTuple):
    """One thing that was found: what the user reads of it ("mail.mbox #3"), and its bytes, or why there are none.

    `declared` is what is declared of it, where that is not what was declared of the target. What is no article (a
    picture) is kept and not cleaned. `read` is how far in a file that holds many it stands, in bytes, and of how many.
    """

    name: str
    outcome: Capture | Attempt | Imported
    declared: Declared | None = None
    is_article: bool = True
    read: tuple[int, int] | None = None


def open_target(target: Target, now: datetime, max_size: int) -> Iterator[Opened]:
    """Everything in a target that is no URL. Raises UploadError where nothing, or nothing more, can be read."""
    from muniment.ingest.importing.files import contents
    from muniment.ingest.mailbox import is_mailbox, read_mailbox
    from muniment.ingest.upload import peek, read_target

    if (records := contents(target, now)) is not None:
        yield from records
        return
    if is_mailbox(peek(target), target.path.name if target.path else ""):
        yield from read_mailbox(target, now, max_size)
        return
    yield from open_capture(target.name, read_target(target, now, max_size), target.declared)


def open_capture(name: str, capture: Capture, declared: Declared) -> Iterator[Opened]:
    """A capture, read or fetched, and what is within it."""
    from muniment.ingest.attachments import with_saving, within

    capture = with_saving(capture)
    yield Opened(name, capture)
    yield from within(name, capture, declared)
