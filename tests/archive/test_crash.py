"""Nothing acknowledged is ever lost: kills at random moments, power cuts, a full disk."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, rebuild
from muniment.archive.config import read_config
from muniment.archive.keys import load_signer
from muniment.archive.verify import Request, Verification
from muniment.archive.writer import Writer
from muniment.errors import StorageError
from muniment.model import Article
from tests.conftest import upload

KILLS = int(os.environ.get("MUNIMENT_KILLS", "200"))
ROLL_AT = 150_000
CACHES = ("log/checkpoint", "log/tile")


def in_a_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process; returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)
    return pid


def write_until_killed(root: Path, trace: int, seed: int) -> None:
    """Append and commit for ever. The trace tells, line by line, what was synced and what was acknowledged."""

    def on_event(event: str, arguments: tuple[object, ...]) -> None:
        if event == "muniment.synced":
            path, size = arguments
            os.write(trace, f"synced {size} {path}\n".encode())

    sys.addaudithook(on_event)
    chosen = random.Random(seed)
    config = read_config(root)
    with Writer(root, config, load_signer(config.vkeys[0]), roll_at=ROLL_AT) as writer:
        os.write(trace, b"open\n")
        while True:
            lines = []
            for _ in range(chosen.choice((1, 1, 1, 3, 20))):
                content = chosen.randbytes(chosen.choice((50, 2000, 20_000)))
                added = writer.add_capture(upload(f"{chosen.random()}", content))
                writer.add_article(Article("t", "text " * 50, extractor="t/1"), added.number, "file:///x")
                lines.append(f"ack {added.number} {hashlib.sha256(content).hexdigest()}\n")
            writer.commit()
            os.write(trace, "".join(lines).encode())


def read_trace(path: Path) -> tuple[dict[str, int], dict[int, str]]:
    """(bytes synced by file, digest acknowledged by number); a last line that was cut by the kill does not count."""
    synced: dict[str, int] = {}
    acknowledged: dict[int, str] = {}
    for line in path.read_text().split("\n")[:-1]:
        word, *rest = line.split(" ", 2)
        if word == "synced":
            synced[rest[1]] = int(rest[0])
        elif word == "ack":
            acknowledged[int(rest[0])] = rest[1]
    return synced, acknowledged


def cut_the_power(root: Path, synced: dict[str, int], before: dict[str, int], chosen: random.Random) -> None:
    """What was never synced may be there, cut, zeros or garbage; caches may be lost or damaged altogether.

    SQLite syncs its own file before it relies on it, so the catalog is lost whole or kept.
    """
    if chosen.random() < 0.05:
        for path in root.glob("catalog.sqlite*"):
            path.unlink()
    for path in [p for p in root.rglob("*") if p.is_file()]:
        name = path.relative_to(root).as_posix()
        if name.startswith(("warc/", "derived/", "log/stamps/")) or name == "log/commits" or name.endswith(".p/tail"):
            safe, size = synced.get(str(path), before.get(name, 0)), path.stat().st_size
            if size > safe:
                damage_from(path, safe + chosen.randrange(size - safe + 1), chosen)
        elif name.startswith("log/tile/entries/") and not path.parent.name.endswith(".p"):
            continue  # a full bundle: synced as the tail that it was
        elif name.startswith(CACHES) and name not in before and chosen.random() < 0.05:
            damage_from(path, chosen.randrange(path.stat().st_size + 1), chosen)


def damage_from(path: Path, start: int, chosen: random.Random) -> None:
    rest = path.stat().st_size - start
    kind = chosen.choice(("keep", "cut", "zeros", "garbage"))
    with path.open("r+b") as file:
        file.seek(start)
        if kind == "cut":
            file.truncate(start)
        elif kind != "keep":
            file.write(bytes(rest) if kind == "zeros" else chosen.randbytes(rest))


def sizes(root: Path) -> dict[str, int]:
    return {p.relative_to(root).as_posix(): p.stat().st_size for p in root.rglob("*") if p.is_file()}


def test_a_crash_never_damages_what_was_acknowledged(root: Path, tmp_path: Path) -> None:
    chosen = random.Random(20261122)
    held: dict[int, str] = {}
    before = sizes(root)
    kills_with_work = 0
    for kill in range(KILLS):
        trace_path = tmp_path / "trace"
        trace_path.unlink(missing_ok=True)
        trace = os.open(trace_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        pid = in_a_child(lambda: write_until_killed(root, trace, kill))  # noqa: B023 - runs before the next turn
        deadline = time.monotonic() + 60
        while b"open" not in trace_path.read_bytes():
            assert time.monotonic() < deadline, "the writer did not open the archive"
            assert os.waitpid(pid, os.WNOHANG) == (0, 0), "the writer died by itself"
            time.sleep(0.001)
        time.sleep(chosen.random() * chosen.choice((0.002, 0.01, 0.05, 0.15)))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(trace)
        synced, acknowledged = read_trace(trace_path)
        held.update(acknowledged)
        kills_with_work += bool(acknowledged)
        cut_the_power(root, synced, before, chosen)
        with Archive(root) as archive, archive.writer() as writer:
            assert not held or writer.size > max(held)
            assert writer.catalog.progress().size == writer.size
        if kill % 10 == 9 or kill == KILLS - 1:  # nothing that was damaged mends itself meanwhile
            check_everything(root, held)
        before = sizes(root)
    assert kills_with_work > KILLS // 10
    assert len(list((root / "warc").rglob("*.gz"))) > 1, "the segments should have rolled meanwhile"


def check_everything(root: Path, held: dict[int, str]) -> None:
    """Verify finds nothing that a rebuild does not mend, and every acknowledged capture holds the bytes that were
    acknowledged."""
    findings = list(Verification(root, read_config(root), Request()).run())
    # Copies for the holders of earlier checkpoints are never read again, so nobody notices that one was lost.
    assert [found for found in findings if found.finding != "tile-damaged" or ".p/" not in (found.file or "")] == []
    if findings:
        rebuild(root)
        assert list(Verification(root, read_config(root), Request()).run()) == []
    with Archive(root) as archive:
        for number in random.Random(len(held)).sample(sorted(held), min(len(held), 40)):
            assert hashlib.sha256(archive.records(number)[0].block).hexdigest() == held[number]
        payloads = dict(archive.catalog._db.execute("select number, payload from leaf where type = 'capture'"))
        assert {number: payloads[number] for number in held} == held


def add_until_full(root: Path, size: int = 3000) -> int:
    """Appends until the disk refuses; returns how many captures were acknowledged."""
    acknowledged = 0
    with Archive(root) as archive, archive.writer() as writer:
        try:
            for i in range(10_000):
                writer.add_capture(upload(f"{i}", os.urandom(size)))
                writer.commit()
                acknowledged += 1
        except StorageError as e:
            assert "everything acknowledged is stored" in str(e)
            assert e.exit_code == 14
            return acknowledged
    raise AssertionError("the disk never filled")


@pytest.mark.parametrize("size", [3000, 60_000])  # the catalog meets the limit first, or the WARC file
def test_a_file_that_may_not_grow_stops_the_writer_and_loses_nothing(root: Path, size: int) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        (root.parent / "acknowledged").write_text(str(add_until_full(root, size)))
        os._exit(0)

    _, status = os.waitpid(in_a_child(work), 0)
    assert status == 0
    acknowledged = int((root.parent / "acknowledged").read_text())
    assert acknowledged > 3
    with Archive(root) as archive, archive.writer():
        pass
    assert list(Verification(root, read_config(root), Request()).run()) == []
    with Archive(root) as archive:
        assert archive.progress.snapshots == acknowledged


def test_a_full_disk_stops_the_writer_at_any_step_and_loses_nothing(mount: Callable[[str], Path], root: Path) -> None:
    small_disk = mount("600k")
    for spare in (0, 1000, 2500, 4000, 6000, 9000):
        copy = small_disk / "archive"
        shutil.copytree(root, copy)
        filler = small_disk / "filler"
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
        filler.write_bytes(bytes(max(0, free - 170_000 - spare)))
        acknowledged = add_until_full(copy)
        filler.unlink()
        with Archive(copy) as archive, archive.writer():
            pass
        assert list(Verification(copy, read_config(copy), Request()).run()) == []
        with Archive(copy) as archive:
            assert archive.progress.snapshots == acknowledged
        shutil.rmtree(copy)
