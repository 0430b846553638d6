"""Export to WARC: a warcinfo that says from where, then the records as they are, gzip member for gzip member.

The captures and the derived texts never go into one file: replay software takes a conversion for another capture of the
page. As in the archive itself, they are two files.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from muniment.archive.segments import Placement
from muniment.export.job import SOFTWARE, Job
from muniment.formats.leaf import Leaf
from muniment.formats.warc import build_record, format_date, format_fields

_GZIP = 31


class Written(NamedTuple):
    """A leaf whose records were written, the first of them at `offset`; `placement` is that record's in the archive."""

    number: int
    leaf: Leaf
    offset: int
    placement: Placement


def write_warc(
    job: Job,
    numbers: Sequence[int],
    filename: str,
    write: Callable[[bytes], object],
    done: Callable[[Written], object] = lambda written: None,
) -> int:
    """Writes the records of these leaves; `done` hears of each leaf. Returns how many bytes were written.

    All records of a leaf are compared with it before the first is written, so a damaged leaf leaves no trace.
    """
    first = _warcinfo(job, filename)
    write(first)
    job.records += 1
    position = len(first)

    def write_leaf(number: int) -> bool:
        nonlocal position
        leaf, placements = job.members.check(number)
        offset = position
        for placement in placements:
            job.members.copy(number, placement, write)
            position += placement.length
        job.records += len(placements)
        done(Written(number, leaf, offset, placements[0]))
        return True

    job.each(numbers, write_leaf)
    return position


def _warcinfo(job: Job, filename: str) -> bytes:
    block = format_fields(
        [
            ("software", SOFTWARE),
            ("format", "WARC File Format 1.1"),
            ("conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"),
            ("isPartOf", job.archive.config.origin),
            ("description", job.description),
            ("selection", job.selection.label),
            ("log-size", str(job.checkpoint.size)),
            ("log-root", job.root_hash),
        ]
    )
    at = format_date(job.now)
    record = build_record(
        "warcinfo", str(uuid.uuid4()), at, block, "application/warc-fields", [("WARC-Filename", filename)]
    )
    deflate = zlib.compressobj(wbits=_GZIP)
    return deflate.compress(b"".join(record.chunks())) + deflate.flush()
