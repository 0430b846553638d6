"""Export to WACZ 1.1.1: one zip that replay software opens, in which it can seek."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from muniment import __version__
from muniment.errors import IntegrityError
from muniment.export.job import SOFTWARE, Job
from muniment.export.sorting import SortedLines
from muniment.export.warc import Written, write_warc
from muniment.formats import cdxj, wacz

_FOLDER = "muniment"  # our proof files; readers look at no level below it


def write_wacz(job: Job, file: BinaryIO) -> None:
    """Writes the package into a seekable file."""
    with zipfile.ZipFile(file, "w") as archive, SortedLines() as lines:
        package = _Package(job, archive)
        with package.add(wacz.WARC, deflated=False) as write:
            write_warc(job, job.selection.captures, "data.warc.gz", write, _indexer(job, lines))
        _write_index(package, lines)
        with package.add(wacz.PAGES) as write:
            _write_pages(job, write)
        for name, content in job.proof_files():
            with package.add(f"{_FOLDER}/{name}") as write:
                for piece in content:
                    write(piece)
        package.close()


class _Package:
    """The zip, and what its manifest will say of each file."""

    def __init__(self, job: Job, archive: zipfile.ZipFile):
        self._job, self._archive = job, archive
        self._resources: list[wacz.Resource] = []

    @contextmanager
    def add(self, path: str, *, deflated: bool = True) -> Iterator[Callable[[bytes], None]]:
        """A file of the package, to be written in pieces."""
        size, digest = 0, hashlib.sha256()
        with self._archive.open(self._entry(path, deflated), "w", force_zip64=True) as file:

            def write(piece: bytes) -> None:
                nonlocal size
                size += len(piece)
                digest.update(piece)
                file.write(piece)

            yield write
        self._resources.append(wacz.Resource(path, size, digest.hexdigest()))

    def close(self) -> None:
        """Adds the manifest and its signed digest."""
        job = self._job
        described = {
            "title": f"{job.archive.config.origin}: {job.selection.label}",
            "description": job.description,
            "created": job.created,
            "software": SOFTWARE,
        }
        datapackage = wacz.format_datapackage(self._resources, described)
        self._archive.writestr(self._entry(wacz.DATAPACKAGE, True), datapackage)
        self._archive.writestr(self._entry(wacz.DIGEST, True), _signed(datapackage, job.created))

    def _entry(self, path: str, deflated: bool) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(path, self._job.now.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
        entry.external_attr = 0o644 << 16
        return entry


def _indexer(job: Job, lines: SortedLines) -> Callable[[Written], None]:
    """Notes where each capture stands. Attempts and what was withdrawn are not indexed: replay shows what is there."""

    def index(written: Written) -> None:
        leaf = written.leaf
        if job.archive.catalog.withdrawn_by(written.number) is not None:
            return
        if leaf.type in ("capture", "revisit") and leaf.uri is not None and leaf.payload is not None:
            mime = "warc/revisit" if leaf.type == "revisit" else leaf.media or "application/octet-stream"
            place = written.offset, written.placement.length, "data.warc.gz", written.placement.member.hex()
            lines.add(cdxj.format_entry(cdxj.Entry(leaf.uri, leaf.date, mime, leaf.status, leaf.payload, *place)))

    return index


def _write_index(package: _Package, lines: Iterable[bytes]) -> None:
    blocks: list[tuple[bytes, int, int, str]] = []
    offset = 0
    with package.add(wacz.INDEX, deflated=False) as write:
        for first, block in cdxj.compress_lines(lines):
            write(block)
            blocks.append((first, offset, len(block), cdxj.digest_of(block)))
            offset += len(block)
    with package.add(wacz.BLOCKS) as write:
        write(cdxj.format_blocks("index.cdx.gz", blocks))


def _write_pages(job: Job, write: Callable[[bytes], None]) -> None:
    """What was asked for and can be shown: redirects and attempts are no pages. A text that is damaged is left out."""
    write(wacz.PAGES_HEADER)
    for number in job.selection.snapshots:
        snapshot = next(iter(job.archive.catalog.snapshots([number])), None)
        if (
            snapshot is None
            or snapshot.withdrawn is not None
            or number in job.damaged
            or 300 <= (snapshot.status or 0) < 400
        ):
            continue
        text = None
        try:
            text = job.archive.text(snapshot) or None
        except IntegrityError as e:
            job.damaged[number] = str(e)
        ts = snapshot.captured_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        write(wacz.format_page(str(number), snapshot.uri, ts, snapshot.title, text))


def _signed(datapackage: bytes, created: str) -> bytes:
    """Signed with a key that is made for this package and then forgotten: the checkpoint tells who vouches for it."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    key = ec.generate_private_key(ec.SECP384R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(content: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    return wacz.format_digest(datapackage, created, ("muniment", __version__), public, sign)
