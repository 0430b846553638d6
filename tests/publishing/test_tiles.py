"""`log/` as any static web server publishes it, read by a client that was written from the C2SP texts alone."""

from __future__ import annotations

import base64
import gzip
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.archive.archive import Archive, rebuild
from muniment.archive.keys import Signer
from muniment.archive.log import Log
from muniment.archive.proving import Tree
from muniment.errors import IntegrityError
from muniment.formats.checkpoint import Checkpoint, parse_checkpoint
from muniment.formats.note import split_note
from muniment.formats.tile import edge_of, format_tile_path, parse_entries, split_hashes
from muniment.formats.tlog import EMPTY_ROOT, leaf_hash, perfect_root
from tests.publishing.tiles_client import Client, Head, Refused, tile_name, tree_head

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = re.findall(r"\^/tile/\S+\$", (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8"))
SIZES = (1, 3, 200, 254, 255, 256, 257, 300, 511, 512, 513, 599, 600)


class Static(SimpleHTTPRequestHandler):
    """Publishes what the servers in docs/evidence.md are told to, by the same pattern, and nothing else."""

    protocol_version = "HTTP/1.1"

    def send_head(self) -> Any:
        if self.path != "/checkpoint" and not re.match(PUBLISHED[0], self.path):
            self.send_error(404)
            return None
        return super().send_head()

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Publishes a folder; returns its address."""
    running = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Static, directory=str(folder)))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def grow(root: Path, size: int) -> None:
    """Commit as many leaves as make the log this long."""
    with Archive(root) as archive, archive.writer() as writer:
        while writer.size < size:
            if writer.size == 0:
                writer.add_stamp(0, {"0.test.note": b"a leaf without a record, so that there is a log of one\n"})
            else:
                writer.add_act("source", {"host": f"host-{writer.size}.example", "name": f"Source {writer.size}"})
        assert writer.size == size
        writer.commit()


def check_everything(client: Client, head: Head) -> list[bytes]:
    """Entries and tiles have the root, and belong together. Returns the entries."""
    entries = client.entries(head)
    assert client.hashes(head) == [leaf_hash(entry) for entry in entries]
    return entries


def check_proofs(client: Client, heads: list[Head], entries: list[bytes]) -> None:
    """Every step from an earlier checkpoint to the newest one, and some entries in each."""
    for head in heads:
        client.check_consistency(head, heads[-1])
        for number in {0, 1, head.size // 2, 255, 256, head.size - 1}:
            if number < head.size:
                client.check_inclusion(number, entries[number], head)


def test_a_client_of_the_specification_reads_and_checks_the_log_as_it_grows(
    root: Path, serve: Callable[[Path], str]
) -> None:
    with Archive(root) as archive:
        vkey = archive.config.vkeys[-1]
    client = Client(serve(root / "log"), vkey)
    assert client.head() == (0, EMPTY_ROOT)
    heads: list[Head] = []
    entries: list[bytes] = []
    for size in SIZES:
        grow(root, size)
        heads.append(client.head())
        assert heads[-1].size == size
        now = check_everything(client, heads[-1])
        assert now[: len(entries)] == entries, f"the log of {size} does not begin with the one before"
        entries = now
        for head in heads:  # whoever holds an earlier checkpoint can still check it
            assert check_everything(client, head) == entries[: head.size], f"{head.size} of {size}"
    check_proofs(client, heads, entries)
    with Archive(root) as archive:
        assert [archive.entry(number) for number in range(600)] == entries

    shutil.rmtree(root / "log" / "tile" / "0")
    shutil.rmtree(root / "log" / "tile" / "1")
    (root / "log" / "checkpoint").unlink()
    rebuild(root)
    assert client.head() == heads[-1]
    for head in heads:
        assert check_everything(client, head) == entries[: head.size]
    check_proofs(client, heads, entries)


def test_what_the_documents_tell_to_publish_is_the_same_for_each_server_and_holds_no_unsigned_leaf(
    root: Path, serve: Callable[[Path], str]
) -> None:
    assert len(PUBLISHED) == 3
    assert len(set(PUBLISHED)) == 1
    grow(root, 3)
    with Archive(root) as archive:
        client = Client(serve(root / "log"), archive.config.vkeys[-1])
    hidden = {"commits", "stamps/0.test.note", "tile/entries/000.p/tail"}
    names = {path.relative_to(root / "log").as_posix() for path in (root / "log").rglob("*") if path.is_file()}
    assert hidden <= names
    assert {name for name in names if client.get(name) is None} == hidden


def test_the_client_can_disagree(root: Path, serve: Callable[[Path], str]) -> None:
    """A judge that never refuses would judge nothing."""
    with Archive(root) as archive:
        client = Client(serve(root / "log"), archive.config.vkeys[-1])
    grow(root, 257)
    old = client.head()
    grow(root, 300)
    head = client.head()
    note = (root / "log" / "checkpoint").read_bytes()
    with pytest.raises(InvalidSignature):
        client.opened(note.replace(b"\n300\n", b"\n301\n"))
    with pytest.raises(Refused):
        client.check_consistency(Head(old.size, bytes(32)), head)
    with pytest.raises(Refused):
        client.check_inclusion(7, client.bundle(0, 300)[8], head)
    for name in ("tile/entries/000", "tile/0/001.p/44"):
        path = root / "log" / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(Refused):
            check_everything(client, head)
        path.write_bytes(content)
    check_everything(client, head)
    (root / "log" / "tile" / "0" / "001.p" / "44").unlink()
    with pytest.raises(Refused, match="not there"):
        client.hashes(head)


def test_a_log_of_70000_entries_has_the_tiles_that_the_specification_counts(
    tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    signer = Signer("test.example/log", Ed25519PrivateKey.generate(), None)
    log = Log(tmp_path, Checkpoint("test.example/log", 0, EMPTY_ROOT))
    client = Client(serve(tmp_path), signer.vkeys)
    heads = []
    for size in (65_535, 65_536, 65_537, 70_000):
        while log.size < size:
            log.append(b"entry %d" % log.size)
        log.sync()
        log.publish(signer.sign_checkpoint(log.size, log.root()))
        heads.append(client.head())
    log.close()
    entries = check_everything(client, heads[-1])
    assert entries == [b"entry %d" % number for number in range(70_000)]
    for head in heads:
        client.check_consistency(head, heads[-1])
        for number in (0, 65_534, head.size - 1):
            client.check_inclusion(number, entries[number], head)

    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    tiles = {tile_name("0", index, 256) for index in range(273)} | {"tile/0/273.p/112", "tile/1/000"}
    tiles |= {"tile/1/001.p/17", "tile/2/000.p/1"}
    bundles = {tile_name("entries", index, 256) for index in range(273)} | {"tile/entries/273.p/112"}
    assert names - tiles - bundles == {"checkpoint", "tile/entries/273.p/tail"}
    assert tiles | bundles <= names

    again = Log(tmp_path, Checkpoint("test.example/log", *heads[-1]))  # from the tiles' right edge alone
    assert (again.size, again.root()) == heads[-1]
    again.close()


@pytest.mark.parametrize(("index", "path"), [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")])
def test_both_name_a_tile_alike(index: int, path: str) -> None:
    assert format_tile_path(3, index) == tile_name("3", index, 256) == f"tile/3/{path}"
    assert format_tile_path("entries", index, 9) == tile_name("entries", index, 9) == f"tile/entries/{path}.p/9"


# ---- trees that other programs wrote


@pytest.fixture(scope="module")
def published() -> Path:
    if "MUNIMENT_DATA" not in os.environ:
        pytest.skip("MUNIMENT_DATA names no folder with the published trees")
    return Path(os.environ["MUNIMENT_DATA"]) / "proofs" / "tlog-tiles"


def checkpoint_of(path: Path) -> Checkpoint:
    return parse_checkpoint(split_note(path.read_text())[0])


def test_our_functions_read_and_prove_the_tree_that_tessera_wrote(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    shutil.copytree(published / "tessera" / "testdata" / "log", folder)
    checkpoints = sorted((checkpoint_of(path) for path in folder.glob("checkpoint.*")), key=lambda one: one.size)
    assert [one.size for one in checkpoints] == list(range(16))
    for checkpoint in checkpoints:
        entries: list[bytes] = []
        if checkpoint.size:
            bundle = folder / format_tile_path("entries", 0, checkpoint.size)
            tile = folder / format_tile_path(0, 0, checkpoint.size)
            entries = list(parse_entries(bundle.read_bytes()))
            assert [leaf_hash(entry) for entry in entries] == split_hashes(tile.read_bytes())
        assert tree_head([leaf_hash(entry) for entry in entries]) == checkpoint.root
        tree = Tree(folder, checkpoint)
        for number, entry in enumerate(entries):
            tree.prove_inclusion(number, entry)  # which checks its path against the root
        for old in checkpoints[1 : checkpoint.size + 1]:
            tree.prove_consistency(old)
    with pytest.raises(IntegrityError):
        Tree(folder, checkpoints[-1]).prove_inclusion(3, b"another entry")


def test_our_log_goes_on_where_tessera_stopped(published: Path, tmp_path: Path) -> None:
    """Only the leaves' own copy, which C2SP has no name for, is ours."""
    folder = tmp_path / "log"
    shutil.copytree(published / "tessera" / "testdata" / "log", folder)
    newest = checkpoint_of(folder / "checkpoint")
    shutil.copy(folder / "tile" / "entries" / "000.p" / "15", folder / "tile" / "entries" / "000.p" / "tail")
    log = Log(folder, newest)
    assert (log.size, log.root()) == (newest.size, newest.root)
    for number in range(15, 300):
        log.append(b"ours %d" % number)
    log.sync()
    log.publish("not signed\n")
    log.close()
    grown = Tree(folder, Checkpoint(newest.origin, log.size, log.root()))
    grown.prove_consistency(newest)
    assert not (folder / "tile" / "entries" / "000.p").exists()


def test_our_functions_read_the_tree_that_sunlight_mirrored(published: Path) -> None:
    folder = next((published / "cmd" / "skylight" / "testdata" / "witness" / "mirror").glob("0*"))
    lines = (folder / "checkpoint").read_text().split("\n")  # only a witness signed this copy
    checkpoint = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2]))
    assert checkpoint.size == 300
    assert Tree(folder, checkpoint).subtree(0, 300) == checkpoint.root
    hashes = [split_hashes((folder / path).read_bytes()) for path in ("tile/0/000", "tile/0/001.p/44")]
    assert perfect_root(hashes[0]) == (folder / "tile" / "1" / "000.p" / "1").read_bytes()
    edge = edge_of(300, [hashes[1], [perfect_root(hashes[0])]])
    assert edge.root() == checkpoint.root == tree_head(hashes[0] + hashes[1])


def test_the_entries_of_a_certificate_log_hash_to_its_tiles(published: Path) -> None:
    """Four full tiles and a partial one of sunlight's, whose entries are in the form of static-ct and not in bundles."""
    folder, count = published / "testdata" / "navigli2025h2" / "tile", 0
    for name in ("000", "001", "002", "003", "003.p/10"):
        content = (folder / "data" / name).read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        hashes = [leaf_hash(entry) for entry in certificate_entries(content)]
        assert hashes == split_hashes((folder / "0" / name).read_bytes())
        count += len(hashes)
    assert count == 4 * 256 + 10


def certificate_entries(tile: bytes) -> Iterator[bytes]:
    """C2SP static-ct-api: the MerkleTreeLeaf of each TileLeaf."""
    place = 0

    def skip(place: int, width: int) -> int:
        return place + width + int.from_bytes(tile[place : place + width], "big")

    while place < len(tile):
        start, precertificate = place, tile[place + 8 : place + 10] == b"\0\1"
        place = skip(place + 10 + 32 * precertificate, 3)
        place = skip(place, 2)  # the extensions end the TimestampedEntry
        yield b"\0\0" + tile[start:place]
        if precertificate:
            place = skip(place, 3)
        place = skip(place, 2)
