"""Export to WARC: the records byte for byte, a selection with what it needs, damage left out."""

from __future__ import annotations

import gzip
import io
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from exporting import MOVED, STORY, Filled, run
from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from muniment.archive.archive import Archive


def members(content: bytes) -> list[bytes]:
    """The gzip members of a file, as they stand."""
    found = []
    while content:
        inflater = zlib.decompressobj(31)
        inflater.decompress(content)
        length = len(content) - len(inflater.unused_data)
        found.append(content[:length])
        content = content[length:]
    return found


def warc(filled: Filled, *arguments: str | int) -> bytes:
    return run("export", "--format", "warc", "-o", "-", *arguments, archive=filled.root).stdout


def targets(content: bytes) -> list[tuple[str, str | None]]:
    return [
        (record.rec_type, record.rec_headers.get_header("WARC-Target-URI"))
        for record in ArchiveIterator(io.BytesIO(content))
        if record.rec_type in ("response", "resource", "revisit", "conversion")
    ]


def test_every_record_is_copied_as_the_gzip_member_that_it_is(filled: Filled) -> None:
    first, *copied = members(warc(filled))
    kept = b"".join(path.read_bytes() for path in sorted(filled.root.glob("warc/*/*.gz")))
    assert copied == members(kept)[1:]  # but for the archive's own warcinfo
    assert gzip.decompress(first).startswith(b"WARC/1.1\r\nWARC-Type: warcinfo\r\n")


def test_the_first_record_says_from_where(filled: Filled) -> None:
    info = gzip.decompress(members(warc(filled, filled.named["alone"]))[0]).decode()
    with Archive(filled.root) as archive:
        assert f"\r\nlog-size: {archive.size}\r\n" in info
    assert "\r\nisPartOf: test.example/log\r\n" in info
    assert f"\r\nselection: #{filled.named['alone']}\r\n" in info
    assert "\r\nlog-root: " in info


def test_the_checkers_of_others_find_nothing(filled: Filled, tmp_path: Path) -> None:
    path = tmp_path / "all.warc.gz"
    run("export", "--format", "warc", "-o", path, archive=filled.root)

    class Arguments:
        inputs = (str(path),)
        verbose = True

    checker = Checker(Arguments())
    checker.process_all()
    assert checker.exit_value == 0
    records = FastIterator(io.BytesIO(path.read_bytes()), parse_http=False)
    assert [record.verify_block_digest() for record in records] == [True] * len(members(path.read_bytes()))


def test_a_selection_has_the_redirect_that_led_there_and_the_capture_that_a_revisit_refers_to(filled: Filled) -> None:
    named = filled.named
    assert targets(warc(filled, named["story again"])) == [("response", MOVED), ("response", STORY), ("revisit", STORY)]
    assert targets(warc(filled, named["story"])) == [("response", MOVED), ("response", STORY)]
    assert targets(warc(filled, named["alone"])) == [("response", "http://news.example/alone")]


def test_an_attempt_is_exported_where_it_is_asked_for(filled: Filled) -> None:
    assert targets(warc(filled, filled.named["gone"])) == [("response", "http://news.example/gone")]
    assert len(members(warc(filled, filled.named["silent"]))) == 2


def test_the_derived_texts_are_a_file_of_their_own(filled: Filled) -> None:
    assert {kind for kind, _ in targets(warc(filled))} == {"response", "resource", "revisit"}
    assert targets(warc(filled, "--derived", filled.named["alone"])) == [("conversion", "http://news.example/alone")]


def test_a_search_selects(filled: Filled) -> None:
    assert targets(warc(filled, "--query", "alone")) == [("response", "http://news.example/alone")]
    run("export", "--format", "warc", "-o", "-", "--query", "nowhere", code=1, archive=filled.root)


@pytest.fixture
def damaged(filled: Filled, tmp_path: Path) -> Filled:
    """A copy in which one bit of the record of `alone` is another."""
    copy = tmp_path / "damaged"
    shutil.copytree(filled.root, copy)
    with Archive(copy) as archive:
        placement = archive.catalog.placements(filled.named["alone"])[0]
    path = copy / placement.segment
    content = bytearray(path.read_bytes())
    content[placement.offset + placement.length // 2] ^= 1
    path.write_bytes(content)
    return Filled(copy, filled.named)


@pytest.mark.parametrize("form", ["warc", "wacz", "bagit"])
def test_a_damaged_snapshot_is_named_and_the_rest_exported(damaged: Filled, tmp_path: Path, form: str) -> None:
    target = tmp_path / "out.wacz"
    done = run("export", "--format", form, "-o", target, code=3, archive=damaged.root)
    assert f"left out #{damaged.named['alone']}: warc/".encode() in done.stderr
    if form == "warc":
        assert "http://news.example/alone" not in dict(map(reversed, targets(target.read_bytes())))
        assert len(targets(target.read_bytes())) == 7


def test_a_damaged_text_leaves_its_line_out(filled: Filled, tmp_path: Path) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(filled.root, copy)
    for path in copy.glob("derived/*/*.gz"):
        with Archive(copy) as archive:
            derivation = archive.snapshot(filled.named["alone"]).derivation
            assert derivation is not None
            placement = archive.catalog.placements(derivation)[0]
        content = bytearray(path.read_bytes())
        content[placement.offset + placement.length // 2] ^= 1
        path.write_bytes(content)
    done = run("export", "--format", "jsonl", "-o", "-", code=3, archive=copy)
    assert b'"uri": "http://news.example/alone"' not in done.stdout
    assert done.stdout.count(b"\n") == len(filled.named) - 1


# ---- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "wacz", "-o", "-"), "cannot be written to standard output"),
        (("--format", "wacz", "-o", "a.zip"), "ends in .wacz"),
        (("--format", "csv", "-o", "nowhere/a.csv"), "there is no folder"),
        (("--format", "csv", "-o", "-", "--derived"), "--derived goes with --format warc"),
        (("--format", "csv", "-o", "-", "--versions"), "--versions goes with --query"),
        (("--format", "csv", "-o", "-", "--query", "a", "1"), "not both"),
        (("--format", "csv", "-o", "-", "999"), "#999 is not in the log"),
        (("--format", "csv", "-o", "-", "0"), "#0 names a leaf that is no snapshot"),
        (("--format", "csv", "-o", "-", "--query", '"'), "this quote is not closed"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_written(
    filled: Filled, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("export", *arguments, code=2, archive=filled.root)
    assert message in done.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_by_force(filled: Filled, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("mine")
    run("export", "--format", "csv", "-o", target, code=2, archive=filled.root)
    assert target.read_text() == "mine"
    run("export", "--format", "csv", "-o", target, "--force", archive=filled.root)
    assert target.read_text().startswith("snapshot,")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one").write_text("mine")
    for form in ("bagit", "csv"):
        done = run("export", "--format", form, "-o", folder, "--force", code=2, archive=filled.root)
        assert b"it is not replaced" in done.stderr
    assert (folder / "one").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "photos"]


def test_a_full_disk_leaves_nothing_behind(filled: Filled, mount: Callable[[str], Path]) -> None:
    disk = mount("8k")
    done = run("export", "--format", "bagit", "-o", disk / "bag", code=14, archive=filled.root)
    assert b"No space left" in done.stderr
    run("export", "--format", "wacz", "-o", disk / "a.wacz", code=14, archive=filled.root)
    assert list(disk.iterdir()) == []
