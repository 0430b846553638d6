"""Export to BagIt 1.0 (RFC 8493): the WARC files, the texts and the table as payload, the proof files as tag files.

    bagit.txt  bag-info.txt  manifest-sha256.txt  manifest-sha512.txt  tagmanifest-sha256.txt  tagmanifest-sha512.txt
    data/warc/data.warc.gz      data/derived/data.warc.gz
    data/texts/12.txt           data/snapshots.jsonl
    muniment/checkpoint         muniment/vkey          muniment/leaves.txt

Each file is digested while it is written; nothing is read twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from muniment.errors import IntegrityError
from muniment.export.job import SOFTWARE, Job
from muniment.export.tables import write_jsonl
from muniment.export.warc import write_warc

_ALGORITHMS = ("sha256", "sha512")


class _File(NamedTuple):
    path: str
    size: int
    digests: tuple[str, ...]


def write_bag(job: Job, folder: Path) -> None:
    """Fills an empty folder."""
    bag = _Bag(folder)
    with bag.add("data/snapshots.jsonl") as write:
        write_jsonl(job, write)
    counted = job.exported  # the JSONL has a line for each; the WARC files hold them again, and what they need
    with bag.add("data/warc/data.warc.gz") as write:
        write_warc(job, job.selection.captures, "data.warc.gz", write)
    with bag.add("data/derived/data.warc.gz") as write:
        write_warc(job, job.selection.derived, "data.warc.gz", write)
    job.exported = counted
    _write_texts(job, bag)
    _write_tags(job, bag)


class _Bag:
    """The bag's folder, and the digests of what was written into it."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.files: list[_File] = []

    @contextmanager
    def add(self, path: str) -> Iterator[Callable[[bytes], None]]:
        """A file of the bag, to be written in pieces."""
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        size, digests = 0, [hashlib.new(name) for name in _ALGORITHMS]
        with target.open("xb") as file:

            def write(piece: bytes) -> None:
                nonlocal size
                size += len(piece)
                for digest in digests:
                    digest.update(piece)
                file.write(piece)

            yield write
        self.files.append(_File(path, size, tuple(digest.hexdigest() for digest in digests)))

    def write(self, path: str, content: bytes) -> None:
        with self.add(path) as write:
            write(content)


def _write_texts(job: Job, bag: _Bag) -> None:
    for number in job.selection.snapshots:
        snapshot = next(iter(job.archive.catalog.snapshots([number])), None)
        if snapshot is None or snapshot.derivation is None or number in job.damaged:
            continue
        try:
            text = job.archive.text(snapshot)
        except IntegrityError as e:
            job.damaged[number] = str(e)
            continue
        if text:
            bag.write(f"data/texts/{number}.txt", text.encode("utf-8", "replace"))


def _write_tags(job: Job, bag: _Bag) -> None:
    """Manifests of the payload first, then everything that is no payload, then the manifests of that."""
    payload = list(bag.files)
    for i, name in enumerate(_ALGORITHMS):
        bag.write(f"manifest-{name}.txt", _manifest(payload, i))
    bag.write("bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    bag.write("bag-info.txt", _bag_info(job, payload))
    for name, content in job.proof_files():
        with bag.add(f"muniment/{name}") as write:
            for piece in content:
                write(piece)
    tags = bag.files[len(payload) :]
    for i, name in enumerate(_ALGORITHMS):
        bag.write(f"tagmanifest-{name}.txt", _manifest(tags, i))


def _manifest(files: list[_File], algorithm: int) -> bytes:
    return "".join(f"{file.digests[algorithm]}  {file.path}\n" for file in files).encode()


def _bag_info(job: Job, payload: list[_File]) -> bytes:
    """Who the organisation is stays for the user to say."""
    lines = {
        "Bag-Software-Agent": SOFTWARE,
        "Bagging-Date": job.now.strftime("%Y-%m-%d"),
        "External-Identifier": job.archive.config.origin,
        "External-Description": job.description,
        "Payload-Oxum": f"{sum(file.size for file in payload)}.{len(payload)}",
    }
    return "".join(f"{name}: {' '.join(value.split())}\n" for name, value in lines.items()).encode("utf-8", "replace")
