"""Whether a record that somebody else wrote can stand in a file of ours as it is.

Any reader of our files has to take it, the script in a proof among them: dates in UTC to the second or finer, UUIDs as
we write them, one line a header. And all have to read the same in it: some take the first of two headers and some the
last, some tell `warc-date` from `WARC-Date` and some do not, so no header stands twice or in a case of its own.
"""

from __future__ import annotations

import re
from datetime import datetime

from muniment.formats.agreement import read_head
from muniment.formats.warc import format_date

_DATE = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_ID = re.compile(r"<urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}>")
_LINE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\x00-\x1f\x7f-\x9f\u2028\u2029]*")
_NAMES = (
    "WARC-Type WARC-Record-ID WARC-Date WARC-Target-URI WARC-Payload-Digest WARC-Block-Digest WARC-IP-Address"
    " WARC-Refers-To WARC-Refers-To-Target-URI WARC-Refers-To-Date WARC-Profile WARC-Truncated WARC-Warcinfo-ID"
    " WARC-Filename WARC-Concurrent-To WARC-Identified-Payload-Type WARC-Segment-Number WARC-Segment-Origin-ID"
    " WARC-Segment-Total-Length Content-Type Content-Length"
)
_SPELLING = {name.lower(): name for name in _NAMES.split()}
_REPEATED = "WARC-Concurrent-To"


def sound_headers(head: bytes, size: int, at: str) -> dict[str, str] | None:
    """The headers of a record with this head and a block of `size` bytes, to be kept `at` this time (a WARC-Date).

    None where it is not sound.
    """
    try:
        headers, length = read_head(head)
        lines = head.decode().split("\r\n")
        date = datetime.fromisoformat(headers["WARC-Date"])
    except (ValueError, KeyError):
        return None
    sound = (
        length == len(head)
        and lines[0] in ("WARC/1.0", "WARC/1.1")
        and all(_LINE.fullmatch(line) for line in lines[1:-2])
        and _is_read_in_one_way([line.partition(":")[0] for line in lines[1:-2]])
        and headers.get("Content-Length") == str(size)
        and _ID.fullmatch(headers.get("WARC-Record-ID", ""))
        and _DATE.fullmatch(headers["WARC-Date"])
        and format_date(date) <= at  # a proof refuses what is of after its time stamp
    )
    return headers if sound else None


def _is_read_in_one_way(names: list[str]) -> bool:
    once = [name.lower() for name in names if name != _REPEATED]
    return len(set(once)) == len(once) and all(_SPELLING.get(name.lower(), name) == name for name in names)
