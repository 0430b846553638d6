"""WACZ: records read through the zip, digests compared, and zips that are traps refused by name."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from import_run import findings, run
from record_files import crawl, http, members, page, record, wacz

from muniment.archive.archive import Archive
from muniment.errors import UploadError
from muniment.ingest.importing.wacz import Package

WARC = "archive/data.warc.gz"


def reasons(root: Path, path: Path) -> list[str]:
    return [f"{added.reason}: {added.error}" for added in run(root, path) if added.state == "failed"]


@pytest.mark.parametrize("deflated", [False, True])
def test_a_sound_package(root: Path, tmp_path: Path, deflated: bool) -> None:
    path = wacz(tmp_path / "site.wacz", {WARC: members(crawl()), "pages/pages.jsonl": b"{}\n"}, deflated=deflated)
    added = run(root, path)
    assert {one.state for one in added} == {"stored", "kept"} and findings(root) == []
    with Archive(root) as archive:
        assert b"importedFrom: site.wacz!archive/data.warc.gz\r\n" in archive.raw_records(added[1].snapshot or 0)[-1]


def test_what_does_not_fit_the_manifest_is_told_and_the_records_are_read(root: Path, tmp_path: Path) -> None:
    def falsify(package: dict[str, Any]) -> None:
        package["resources"][0]["hash"] = "sha256:" + "0" * 64
        package["resources"].append({"path": "gone.txt", "hash": "sha256:" + "0" * 64, "bytes": 1})

    path = wacz(tmp_path / "site.wacz", {WARC: members(crawl()[1:2])}, change=falsify)
    assert reasons(root, path) == [
        f"wacz-digest: {WARC} does not have the digest that datapackage.json states",
        "wacz-digest: gone.txt, which datapackage.json names, is not there",
    ]
    with Archive(root) as archive:
        assert archive.articles == 1


def test_a_file_of_records_that_is_not_read_is_named(root: Path, tmp_path: Path) -> None:
    one, records = members(crawl()[1:2]), members(crawl()[5:6])
    path = wacz(tmp_path / "site.wacz", {WARC: one, "other/b.warc.gz": records, "archive/C.WARC.GZ": records,
                                             "archive/d.warc.zst": b"x"})  # fmt: skip
    unread = [reason for reason in reasons(root, path) if reason.startswith("wacz-unread")]
    assert [reason.split()[1] for reason in unread] == ["other/b.warc.gz", "archive/C.WARC.GZ", "archive/d.warc.zst"]


def refused(build: bytes) -> str:
    with pytest.raises(UploadError) as error:
        Package(io.BytesIO(build))
    return f"{error.value.reason}: {error.value}"


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "..\\x", "a/../../x", "C:/x", "a//b", "archive/./x"])
def test_names_that_lead_out_are_refused(name: str) -> None:
    assert "leads out of its folder" in refused(zipped((name, b"1")))


def test_links_are_refused() -> None:
    link = zipfile.ZipInfo(WARC)
    link.external_attr = 0o120777 << 16
    assert "is a link" in refused(zipped((link, b"/etc/passwd")))


def test_bombs_are_refused() -> None:
    assert "inflates" in refused(zipped((WARC, bytes(40 << 20)), method=zipfile.ZIP_DEFLATED))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused() -> None:
    assert "has the name of another" in refused(zipped((WARC, b"1"), (WARC, b"2")))


def test_entries_over_one_another_are_refused() -> None:
    content = zipped(("a", b"x" * 100))
    directory, end = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    entry = content[directory:end]
    many = b"".join(entry[:46] + b"%c" % (65 + i) for i in range(20))
    overlapping = content[:directory] + many
    overlapping += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 20, 20, len(many), directory, 0)
    assert "lies over another one" in refused(overlapping)


def test_encrypted_cut_and_no_zips_are_refused() -> None:
    content = bytearray(zipped((WARC, b"1")))
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in refused(bytes(content))
    whole = zipped((WARC, b"1"))
    for cut in (b"", b"PK\x03\x04", whole[:-30], whole[:-22]):
        assert refused(cut).startswith("wacz-damaged")


def test_every_cut_and_many_changes_are_refused_or_read(tmp_path: Path) -> None:
    whole = wacz(tmp_path / "a.wacz", {WARC: members([record("response", http(page("A")), "http://a.example/")])})
    content = whole.read_bytes()
    for position in range(0, len(content), 7):
        broken = bytearray(content)
        broken[position] ^= 0xFF
        try:
            package = Package(io.BytesIO(bytes(broken)))
            list(package.problems())
        except UploadError:
            pass


def test_a_refused_package_is_one_failed_item(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "trap.wacz"
    path.write_bytes(zipped(("../x", b"1")))
    assert reasons(root, path) == ["wacz-refused: an entry of the zip leads out of its folder: '../x'"]
