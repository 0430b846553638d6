"""Export to WACZ and BagIt, with the reference tools as judges."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from exporting import MOVED, NOTE, STORY, Filled, run

from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.export.sorting import SortedLines
from muniment.formats.checkpoint import parse_checkpoint
from muniment.formats.leaf import format_leaf
from muniment.formats.note import check_note
from muniment.formats.proof import parse_proof
from muniment.formats.surt import surt
from muniment.formats.tlog import check_inclusion, leaf_hash


@pytest.fixture(scope="module")
def package(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wacz") / "all.wacz"
    run("export", "--format", "wacz", "-o", path, archive=filled.root)
    return path


@pytest.fixture(scope="module")
def bag(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bagit") / "bag"
    run("export", "--format", "bagit", "-o", path, archive=filled.root)
    return path


def judged(*command: str | Path) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout
    return done.stdout


# ---- WACZ


def test_the_reference_tool_finds_the_package_valid(package: Path, judge: Callable[[str], str]) -> None:
    assert "the passed WACZ is valid" in judged(judge("wacz"), "validate", "-f", package)


def test_the_manifest_lists_every_file_with_its_size_and_digest(package: Path) -> None:
    with zipfile.ZipFile(package) as opened:
        manifest = json.loads(opened.read("datapackage.json"))
        listed = {resource["path"]: resource for resource in manifest["resources"]}
        assert {*listed, "datapackage.json", "datapackage-digest.json"} == set(opened.namelist())
        for path, resource in listed.items():
            content = opened.read(path)
            assert resource["bytes"] == len(content)
            assert resource["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
        stored = {"archive/data.warc.gz", "indexes/index.cdx.gz"}
        assert {entry.filename for entry in opened.infolist() if entry.compress_type == zipfile.ZIP_STORED} == stored
    assert (manifest["profile"], manifest["wacz_version"]) == ("data-package", "1.1.1")
    assert {"muniment/checkpoint", "muniment/vkey", "muniment/leaves.txt"} <= listed.keys()


def check_signature(datapackage: bytes, digest: bytes) -> None:
    """As the reader of an anonymous signature does it."""
    said = json.loads(digest)
    signed = said["signedData"]
    assert said["hash"] == signed["hash"] == "sha256:" + hashlib.sha256(datapackage).hexdigest()
    assert set(signed) == {"hash", "created", "software", "version", "signature", "publicKey"}
    key = serialization.load_der_public_key(base64.b64decode(signed["publicKey"], validate=True))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    raw = base64.b64decode(signed["signature"], validate=True)
    assert len(raw) == 96
    numbers = encode_dss_signature(int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big"))
    key.verify(numbers, signed["hash"].encode(), ec.ECDSA(hashes.SHA256()))


def test_the_package_is_signed_as_the_specification_says(package: Path) -> None:
    with zipfile.ZipFile(package) as opened:
        datapackage, digest = opened.read("datapackage.json"), opened.read("datapackage-digest.json")
    check_signature(datapackage, digest)
    assert json.loads(datapackage)["created"] == json.loads(digest)["signedData"]["created"]
    signed = json.loads(digest)
    raw = bytearray(base64.b64decode(signed["signedData"]["signature"]))
    raw[0] ^= 1
    signed["signedData"]["signature"] = base64.b64encode(raw).decode()
    with pytest.raises(InvalidSignature):
        check_signature(datapackage, json.dumps(signed).encode())


def test_the_index_leads_to_every_capture_and_to_no_attempt(package: Path) -> None:
    with zipfile.ZipFile(package) as opened:
        warc, index = opened.read("archive/data.warc.gz"), gzip.decompress(opened.read("indexes/index.cdx.gz"))
    lines = index.splitlines()
    assert lines == sorted(lines)
    found = []
    for line in lines:
        key, moment, block = line.decode().split(" ", 2)
        entry = json.loads(block)
        member = warc[entry["offset"] : entry["offset"] + entry["length"]]
        assert entry["recordDigest"] == "sha256:" + hashlib.sha256(member).hexdigest()
        record = gzip.decompress(member).decode()
        assert f"\r\nWARC-Target-URI: {entry['url']}\r\n" in record
        assert key == surt(entry["url"])
        assert moment in ("20261122080000", "20261122090000")
        found.append((entry["url"], entry["mime"], entry["status"]))
    upload = next(url for url, *_ in found if url.startswith("file:"))
    assert sorted(found) == sorted(
        [
            (upload, "text/plain", 200), (upload, "warc/revisit", 200), (NOTE, "text/plain", 200),
            (MOVED, "text/html", 301), (STORY, "text/html", 200), (STORY, "warc/revisit", 200),
            ("http://news.example/alone", "text/html", 200),
        ]
    )  # fmt: skip


def test_the_index_is_the_one_that_the_reference_tool_makes(
    package: Path, judge: Callable[[str], str], tmp_path: Path
) -> None:
    program = judge("cdxj-indexer")
    with zipfile.ZipFile(package) as opened:
        opened.extract("archive/data.warc.gz", tmp_path)
        ours = gzip.decompress(opened.read("indexes/index.cdx.gz")).decode().splitlines()
    theirs = judged(program, "--sort", tmp_path / "archive" / "data.warc.gz").splitlines()

    def said(line: str) -> tuple[str, ...]:
        key, moment, block = line.split(" ", 2)
        entry = json.loads(block)
        names = ("url", "mime", "digest", "offset", "length", "filename")
        return key, moment, str(entry.get("status", 200)), *(str(entry[name]) for name in names)

    assert list(map(said, ours)) == [said(line) for line in theirs if "news.example/gone" not in line]


def test_the_pages_have_titles_and_texts(package: Path, filled: Filled) -> None:
    with zipfile.ZipFile(package) as opened:
        header, *pages = map(json.loads, opened.read("pages/pages.jsonl").splitlines())
    assert header["format"] == "json-pages-1.0"
    titled = {page["id"]: page for page in pages}
    assert set(titled) == {
        str(filled.named[name]) for name in ("story", "alone", "file", "note", "story again", "file again")
    }
    alone = titled[str(filled.named["alone"])]
    assert alone["text"] == "Alone: the text.\nAnother paragraph."
    assert (alone["url"], alone["ts"], alone["title"]) == ("http://news.example/alone", "2026-11-22T08:00:00Z", "Alone")


def test_the_proof_files_are_those_of_the_log(package: Path, filled: Filled) -> None:
    with zipfile.ZipFile(package) as opened, Archive(filled.root) as archive:
        assert opened.read("muniment/checkpoint") == (filled.root / "log" / "checkpoint").read_bytes()
        assert opened.read("muniment/vkey").decode().split() == list(archive.config.vkeys)
        lines = dict(line.split(b" ", 1) for line in opened.read("muniment/leaves.txt").splitlines())
        assert lines[b"%d" % filled.named["gone"]] == format_leaf(archive.leaf(filled.named["gone"]))
        assert len(lines) == archive.size - 2  # all but those of the two warcinfo records


def test_lines_are_sorted_by_their_bytes_however_few_are_held() -> None:
    lines = [b"%d\n" % (number * 7919 % 1000) for number in range(1000)]
    with SortedLines(held=64) as sorting:
        for line in lines:
            sorting.add(line)
        assert list(sorting) == sorted(lines)


# ---- BagIt


def test_the_reference_tool_finds_the_bag_valid(bag: Path, judge: Callable[[str], str]) -> None:
    assert "is valid" in judged(judge("bagit.py"), "--validate", bag)


def test_the_manifests_of_both_digests_hold_every_file(bag: Path) -> None:
    files = {str(path.relative_to(bag)) for path in bag.rglob("*") if path.is_file()}
    for name in ("sha256", "sha512"):
        payload, tags = (
            dict(reversed(line.split("  ", 1)) for line in (bag / f"{kind}-{name}.txt").read_text().splitlines())
            for kind in ("manifest", "tagmanifest")
        )
        assert set(payload) == {path for path in files if path.startswith("data/")}
        assert set(tags) == {path for path in files if not path.startswith(("data/", "tagmanifest-"))}
        for path, digest in (payload | tags).items():
            assert hashlib.new(name, (bag / path).read_bytes()).hexdigest() == digest
    info = dict(line.split(": ", 1) for line in (bag / "bag-info.txt").read_text().splitlines())
    sizes = [(bag / path).stat().st_size for path in payload]
    assert info["Payload-Oxum"] == f"{sum(sizes)}.{len(sizes)}"
    assert info["External-Identifier"] == "test.example/log"
    assert (bag / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def test_the_bag_holds_captures_texts_and_table(bag: Path, filled: Filled) -> None:
    text = (bag / "data" / "texts" / f"{filled.named['alone']}.txt").read_text()
    assert text == "Alone: the text.\nAnother paragraph."
    assert len((bag / "data" / "snapshots.jsonl").read_text().splitlines()) == len(filled.named)
    derived = gzip.decompress((bag / "data" / "derived" / "data.warc.gz").read_bytes())
    assert derived.count(b"WARC-Type: conversion") == 4
    assert (bag / "muniment" / "checkpoint").read_bytes() == (filled.root / "log" / "checkpoint").read_bytes()


def test_a_bag_takes_the_place_of_a_bag_by_force(filled: Filled, tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    run("export", "--format", "bagit", "-o", bag, filled.named["alone"], archive=filled.root)
    (bag / "left over").touch()
    run("export", "--format", "bagit", "-o", bag, "--force", filled.named["note"], archive=filled.root)
    assert [path.name for path in (bag / "data" / "texts").iterdir()] == [f"{filled.named['note']}.txt"]
    assert not (bag / "left over").exists()
    assert list(tmp_path.iterdir()) == [bag]


def test_proofs_that_each_leaf_is_in_the_log_come_along_and_are_listed(filled: Filled, tmp_path: Path) -> None:
    number = filled.named["alone"]
    for path in (tmp_path / "a.wacz", tmp_path / "bag"):
        kind = "wacz" if path.suffix else "bagit"
        run("export", "--format", kind, "-o", path, number, archive=filled.root)
    name = f"muniment/{number}.tlog-proof"
    with zipfile.ZipFile(tmp_path / "a.wacz") as opened:
        proof = parse_proof(opened.read(name).decode())
        assert f'"{name}"'.encode() in opened.read("datapackage.json")
        leaves = dict(line.split(b" ", 1) for line in opened.read("muniment/leaves.txt").splitlines())
    checkpoint = parse_checkpoint(check_note(proof.checkpoint, read_config(filled.root).keys()))
    check_inclusion(leaf_hash(leaves[b"%d" % number]), proof.index, checkpoint.size, proof.path, checkpoint.root)
    assert parse_proof((tmp_path / "bag" / name).read_text()) == proof
    assert name in (tmp_path / "bag" / "tagmanifest-sha256.txt").read_text()
