"""Records recovered from every WARC and ARC file of the real data, beside warcio and FastWARC.

A record counts where its head and the whole block that it states could be read. Each file is read in a process of its
own, which may take 20 seconds and 1 GB. `python -m bench.importing [FOLDER]` (default: $MUNIMENT_DATA).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from bench.common import table

LIMIT, MEMORY = 20, 1 << 30
_SUFFIXES = (".warc", ".arc", ".gz", ".bad", ".wat", ".wet", ".lz4")


class Read(NamedTuple):
    """What came of a file: whole records, an error's name, seconds, peak memory in MB."""

    records: int
    problem: str
    seconds: float
    memory: int


def by_muniment(path: Path) -> int:
    from muniment.ingest.importing import lz4
    from muniment.ingest.importing.inflow import Inflow
    from muniment.ingest.importing.records import Found, read_records

    with path.open("rb") as file, tempfile.TemporaryFile() as spool:
        if file.read(4) == lz4.MAGIC:
            file.seek(0)
            spool.writelines(lz4.unpack(file))
            return sum(isinstance(found, Found) for found in read_records(Inflow(cast(BinaryIO, spool))))
        return sum(isinstance(found, Found) for found in read_records(Inflow(file)))


def by_warcio(path: Path) -> int:
    from warcio.archiveiterator import ArchiveIterator

    count = 0
    with path.open("rb") as file:
        for record in ArchiveIterator(file, no_record_parse=True, arc2warc=False):
            size = 0
            while piece := record.raw_stream.read(1 << 16):
                size += len(piece)
            if size >= (record.length or 0):
                count += 1
                _report(count)
    return count


def by_fastwarc(path: Path) -> int:
    from fastwarc.warc import ArchiveIterator

    count = 0
    for record in ArchiveIterator(str(path), parse_http=False, quirks_mode=True):
        length, size = record.content_length, 0
        while piece := record.reader.read(1 << 16):
            size += len(piece)
        if size >= length:
            count += 1
            _report(count)
    return count


_pipe = -1


def _report(count: int) -> None:
    os.write(_pipe, json.dumps([count, ""]).encode() + b"\n")


def read(by: Callable[[Path], int], path: Path) -> Read:
    """In a process of its own; where it fails, what it had by then counts."""
    global _pipe
    ours, theirs = os.pipe()
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _pipe = theirs
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(LIMIT)
        count, problem = -1, ""
        try:
            count = by(path)
        except BaseException as e:  # noqa: BLE001 - whatever the readers raise is what is measured
            problem = type(e).__name__
        os.write(theirs, json.dumps([count, problem]).encode() + b"\n")
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as lines:
        said = [json.loads(line) for line in lines]
    _, status, usage = os.wait4(pid, 0)
    count = max((n for n, _ in said), default=0)
    problem = said[-1][1] if said and os.WIFEXITED(status) else "killed"
    return Read(max(0, count), problem, time.monotonic() - begun, usage.ru_maxrss >> 10)


def files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES and any(mark in path.name for mark in (".warc", ".arc")) and path.is_file()
    )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MUNIMENT_DATA", ""))
    if not folder.is_dir() or folder == Path():
        print("importing: skipped, MUNIMENT_DATA names no folder with the real data")
        return
    for module in ("warcio.archiveiterator", "fastwarc.warc", "muniment.ingest.importing.records"):
        __import__(module)
    readers = {"muniment": by_muniment, "warcio": by_warcio, "FastWARC": by_fastwarc}
    rows, totals, behind = [], dict.fromkeys(readers, 0), 0
    worst = Read(0, "", 0.0, 0)
    paths = files(folder)
    for path in paths:
        found = {name: read(by, path) for name, by in readers.items()}
        for name, one in found.items():
            totals[name] += one.records
        ours = found["muniment"]
        worst = Read(0, worst.problem or ours.problem, max(worst.seconds, ours.seconds), max(worst.memory, ours.memory))
        best = max(found["warcio"].records, found["FastWARC"].records)
        behind += ours.records < best
        if len({one.records for one in found.values()}) > 1 or any(one.problem for one in found.values()):
            cells = [f"{one.records} {one.problem}".strip() for one in found.values()]
            rows.append([str(path.relative_to(folder)), *cells, "behind" if ours.records < best else ""])
    rows.append([f"all {len(paths)} files", *map(str, totals.values()), f"{behind} behind"])
    table("Whole records recovered, where the readers differ", ["file", *readers, ""], rows)
    print(f"muniment: slowest file {worst.seconds:.2f} s, peak {worst.memory} MB, errors: {worst.problem or 'none'}")


if __name__ == "__main__":
    main()
