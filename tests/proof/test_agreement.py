"""A leaf that says something else than its record, signed by whoever holds the key, is noticed wherever it is checked."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.records import Group, attempt_group, capture_group
from muniment.archive.verify import Finding, Request, Verification
from muniment.formats.agreement import differences, plainly_agree, read_head
from muniment.formats.leaf import Leaf, format_leaf
from muniment.model import Attempt, Capture, sha256
from tests.conftest import NOW, download, fill, upload
from tests.proof.conftest import Judges, proof_of, stock, unpacked

PAGE = download("http://small.example/x", b"<p>nothing</p>")
FILE = upload("x.txt", b"nothing")
LARGE = upload("large.bin", bytes(range(256)) * 30_000)
OTHER = sha256(b"a scandal").removeprefix("sha256:")


def verify(root: Path) -> list[Finding]:
    return list(Verification(root, read_config(root), Request()).run())


def new_id() -> str:
    return str(uuid.uuid4())


def logged(root: Path, capture: Capture, change: Callable[[Leaf], Leaf]) -> int:
    """An archive's key holder logs a capture with another leaf than its record's. Returns its number."""
    with Archive(root) as archive, archive.writer() as writer:
        group = capture_group(capture, [], None, new_id)
        number = writer._append("warc", Group(change(group.leaf), group.records, group.facts))
        writer.commit()
    return number


@pytest.mark.parametrize(
    ("capture", "change", "words"),
    [
        (PAGE, lambda leaf: leaf._replace(uri="http://news.example/scandal"), "says uri http://news.example/scandal"),
        (PAGE, lambda leaf: leaf._replace(payload=OTHER), "says payload sha256:"),
        (PAGE, lambda leaf: leaf._replace(status=404), "says status 404"),
        (PAGE, lambda leaf: leaf._replace(status=None), "says status"),
        (PAGE, lambda leaf: leaf._replace(at="2020-01-01T00:00:00.000000Z"), "another date"),
        (PAGE, lambda leaf: leaf._replace(id=new_id()), "another id"),
        (PAGE, lambda leaf: leaf._replace(type="attempt", reason="cut", payload=None, media=None, uri="http://b.example/"),
         "says uri http://b.example/"),
        (FILE, lambda leaf: leaf._replace(type="attempt", reason="cut", payload=None, media=None), "says type attempt"),
        (FILE, lambda leaf: leaf._replace(payload=OTHER), "says payload sha256:"),
        (FILE, lambda leaf: leaf._replace(status=200), "says status 200"),
        (FILE, lambda leaf: leaf._replace(uri=None), "record file:///x.txt"),
        (LARGE, lambda leaf: leaf._replace(uri="file:///small.bin"), "says uri file:///small.bin"),
    ],
)  # fmt: skip
def test_a_leaf_that_says_something_else_than_its_record_is_noticed(
    root: Path, judges: Judges, capture: Capture, change: Callable[[Leaf], Leaf], words: str
) -> None:
    number = logged(root, capture, change)
    parts = unpacked(proof_of(root, number))
    assert words in judges.refuse(parts)
    assert any(words in finding.detail for finding in judges.check(parts))
    (finding,) = verify(root)
    assert (finding.finding, finding.snapshot, words in finding.detail) == ("leaf-record", number, True)
    (root / "catalog.sqlite").unlink()
    (finding,) = verify(root)
    assert (finding.finding, finding.snapshot, words in finding.detail) == ("leaf-record", number, True)


def test_a_file_that_is_not_what_leaf_and_header_say_is_noticed_in_a_proof(root: Path, judges: Judges) -> None:
    """The record states the wrong digest itself."""
    number = logged(
        root, Capture(FILE.uri, NOW, "resource", FILE.block, b"", "sha256:" + OTHER, "text/plain"), lambda f: f
    )
    parts = unpacked(proof_of(root, number))
    assert "does not hold the payload that it states" in judges.refuse(parts)


def groups() -> Iterator[Group]:
    for capture in (PAGE, FILE, download("https://xn--bcher-kva.example/%D9%85?a=b", b"", status=404)):
        yield capture_group(capture, [("articleKey", "k")], None, new_id)
    gone = download("http://gone.example/", b"gone", status=410)
    yield attempt_group(Attempt(gone.uri, NOW, "http-410", "gone", gone), [], new_id)
    yield attempt_group(Attempt("http://slow.example/", NOW, "timeout", "slow"), [], new_id)


def test_what_muniment_writes_agrees_at_first_sight_and_at_the_second(root: Path) -> None:
    for group in groups():
        record = b"".join(group.records[0].chunks())
        headers, length = read_head(record)
        assert list(differences(group.leaf, headers, record[length:])) == []
        assert plainly_agree(format_leaf(group.leaf), record)


def test_nothing_passes_at_first_sight_that_differs(root: Path) -> None:
    """Each leaf with each record that is not its own, and with its own after each change of a byte in the head."""
    whole = list(groups())
    for group in whole:
        entry = format_leaf(group.leaf)
        for other in whole:
            record = b"".join(other.records[0].chunks())
            assert plainly_agree(entry, record) == (other is group)
            end = min(record.index(b"\r\n\r\n") + 16, len(record))
            for at in range(end if other is group else 0):
                changed = record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :]
                if plainly_agree(entry, changed):
                    headers, length = read_head(changed)
                    assert list(differences(group.leaf, headers, changed[length:])) == [], changed[:end]


def test_an_archive_of_every_kind_of_leaf_agrees(root: Path) -> None:
    stock(root)
    fill(root, 2)
    assert verify(root) == []
