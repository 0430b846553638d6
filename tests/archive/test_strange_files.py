"""Links, pipes and folders where files belong: nobody is led out of the archive, and nobody waits for ever.

Whoever puts them there can write the archive's folder, and holds no key.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment import durable
from muniment.archive.archive import Archive, rebuild
from muniment.archive.commit import format_frame, scan_frames
from muniment.archive.config import read_config
from muniment.archive.keys import key_path
from muniment.archive.log import remove_tiles
from muniment.archive.verify import Finding, Request, Tally, Verification
from muniment.cli import run
from muniment.durable import AppendFile, Lock
from muniment.errors import IntegrityError, Locked, MunimentError, StorageError
from muniment.indexing import Indexer
from muniment.regular import NotRegular, open_regular
from tests.conftest import fill

TREASURE = b"what belongs to somebody else"


def verify(root: Path) -> tuple[list[Finding], Tally]:
    verification = Verification(root, read_config(root), Request())
    return list(verification.run()), verification.tally


def within(seconds: float, work: Callable[[], object]) -> list[object]:
    """What the work returned or raised; fails where it does not end."""
    came: list[object] = []

    def run() -> None:
        try:
            came.append(work())
        except Exception as e:  # noqa: BLE001 - the test judges it
            came.append(e)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert came, "it waits for ever"
    return came


def replace_by(kind: str, path: Path, elsewhere: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path has to be short
        try:
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(path.name)
        finally:
            os.chdir(here)


@pytest.fixture
def treasure(tmp_path: Path) -> Path:
    path = tmp_path / "treasure"
    path.write_bytes(TREASURE)
    path.chmod(0o600)
    return path


@pytest.fixture
def filled(root: Path) -> Path:
    fill(root, 4)
    with Archive(root) as archive:
        indexer = Indexer(archive)
        indexer.take_new()
        indexer.close()
    return root


# ---- one file at a time

WRITES: dict[str, Callable[[Path, Path], object]] = {
    "append": lambda path, aside: AppendFile(path).append(b"x"),
    "overwrite": lambda path, aside: durable.overwrite(path, 0, b"x"),
    "cut": lambda path, aside: durable.cut(path, 0, aside),
    "set aside": lambda path, aside: durable.set_aside(path, aside),
    "lock": lambda path, aside: Lock(path),
}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_through_what_is_no_file(tmp_path: Path, treasure: Path, write: str, kind: str) -> None:
    path, aside = tmp_path / "folder" / "file", tmp_path / "aside"
    replace_by(kind, path, treasure)
    (error,) = within(5, lambda: WRITES[write](path, aside))
    assert isinstance(error, StorageError), error
    assert str(path) in str(error)
    assert "it is a " in str(error)
    assert treasure.read_bytes() == TREASURE
    assert not aside.exists() or not list(aside.iterdir())
    assert path.is_symlink() == (kind == "link")


def test_nothing_is_made_through_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    for write in WRITES.values():
        with pytest.raises(StorageError):
            write(tmp_path / "file", tmp_path / "aside")
    assert not (tmp_path / "elsewhere").exists()


def test_a_link_under_the_name_that_a_new_file_has_at_first_is_not_followed(tmp_path: Path, treasure: Path) -> None:
    path = tmp_path / "checkpoint"
    trap = tmp_path / f".checkpoint.{os.getpid()}.tmp"
    trap.symlink_to(treasure)
    durable.replace(path, b"new")
    assert (path.read_bytes(), path.is_symlink(), treasure.read_bytes()) == (b"new", False, TREASURE)
    trap.symlink_to(treasure)
    with durable.new_file(path) as file:
        file.write(b"newer")
    assert (path.read_bytes(), path.is_symlink(), treasure.read_bytes()) == (b"newer", False, TREASURE)


def test_a_file_that_has_another_name_elsewhere_is_not_cut(tmp_path: Path, treasure: Path) -> None:
    (tmp_path / "file").hardlink_to(treasure)
    with pytest.raises(StorageError, match="hard link"):
        durable.cut(tmp_path / "file", 3, tmp_path / "aside")
    assert treasure.read_bytes() == TREASURE


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket"])
def test_nothing_is_read_through_what_is_no_file(tmp_path: Path, treasure: Path, kind: str) -> None:
    replace_by(kind, tmp_path / "file", treasure)
    (error,) = within(5, lambda: open_regular(tmp_path / "file"))
    assert isinstance(error, NotRegular)
    assert (error.strerror or "").startswith("it is a ")


def test_what_is_set_aside_is_nobody_elses_to_read(tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir(mode=0o755)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"0123456789")
        (tmp_path / name).chmod(0o644)
    durable.cut(tmp_path / "a", 4, aside)
    durable.set_aside(tmp_path / "b", aside)
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700
    kept = sorted(aside.iterdir())
    assert [path.read_bytes() for path in kept] == [b"456789", b"0123456789"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_nothing_is_set_aside_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "aside").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_bytes(b"0123456789")
    for write in (durable.set_aside, lambda path, aside: durable.cut(path, 4, aside)):
        with pytest.raises(StorageError, match="aside"):
            write(tmp_path / "file", tmp_path / "aside")
    assert (tmp_path / "file").read_bytes() == b"0123456789"
    assert not list((tmp_path / "elsewhere").iterdir())


# ---- an archive


def test_a_segment_that_is_a_link_to_the_private_key_leaves_the_key_alone(filled: Path) -> None:
    """The lengths in a frame are not signed: whoever can write the folder can name a file there."""
    key = key_path(read_config(filled).vkeys[-1])
    before = key.read_bytes()
    commits = filled / "log" / "commits"
    *frames, last = scan_frames(commits.read_bytes())
    forged = format_frame(last.tail, {**last.segments, "warc/2026/00001.warc.gz": 0}, last.note)
    commits.write_bytes(commits.read_bytes()[: frames[-1].end] + forged)
    (filled / "warc" / "2026" / "00001.warc.gz").symlink_to(key)
    for path in filled.glob("catalog.sqlite*"):
        path.unlink()
    with pytest.raises(MunimentError):
        fill(filled, 1)
    with pytest.raises(MunimentError):
        rebuild(filled)
    assert key.read_bytes() == before
    assert not (filled / "quarantine").exists()


FOLDERS = ["warc", "warc/2026", "derived", "log", "log/tile", "log/tile/entries", "log/tile/0", "log/stamps",
           "log/tile/entries/000.p", "quarantine"]  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_a_link_is_neither_written_nor_emptied(filled: Path, tmp_path: Path, name: str) -> None:
    path, elsewhere = filled / name, tmp_path / "elsewhere"
    if path.exists():
        path.rename(elsewhere)
    for made in ("2019", "7"):
        (elsewhere / made).mkdir(parents=True)
        (elsewhere / made / "photo.jpg").write_bytes(TREASURE)
    (elsewhere / "1234").write_bytes(TREASURE)
    path.symlink_to(elsewhere)
    before = {p: p.stat().st_mtime_ns for p in elsewhere.rglob("*")}
    for write in (lambda: rebuild(filled), lambda: fill(filled, 1)):
        with pytest.raises(StorageError, match=f"/{name} is a link"):
            write()
    remove_tiles(filled / "log")
    if not name.startswith("log/tile/") and name != "log":
        assert {p: p.stat().st_mtime_ns for p in elsewhere.rglob("*")} == before
    assert (elsewhere / "2019" / "photo.jpg").read_bytes() == (elsewhere / "1234").read_bytes() == TREASURE
    findings, _ = verify(filled)
    assert ("unknown-file", name) in {(finding.finding, finding.file) for finding in findings}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize(
    "name", ["log/commits", "log/checkpoint", "log/tile/entries/000.p/tail", "log/tile/0/000.p/2", "log/stamps/1.a.tsr",
             "warc/2026/00000.warc.gz", "derived/2026/00007.warc.gz", "catalog.sqlite", "catalog.sqlite-wal", "lock"]
)  # fmt: skip
def test_verify_and_writers_come_to_an_end_whatever_stands_there(
    filled: Path, tmp_path: Path, treasure: Path, name: str, kind: str
) -> None:
    replace_by(kind, filled / name, treasure)
    ((findings, _),) = within(20, lambda: verify(filled))
    if kind != "folder" or name.endswith(".gz"):
        assert name in {finding.file for finding in findings}
    (came,) = within(20, lambda: fill(filled, 1))
    if kind != "folder":
        assert isinstance(came, MunimentError), came
    assert came is None or isinstance(came, MunimentError), came
    within(20, lambda: Archive(filled).raw_records(1))
    assert treasure.read_bytes() == TREASURE


def test_show_says_that_a_record_lies_in_a_pipe(filled: Path) -> None:
    replace_by("pipe", filled / "warc" / "2026" / "00000.warc.gz", filled)
    (error,) = within(5, lambda: Archive(filled).raw_records(1))
    assert isinstance(error, IntegrityError)
    assert "it is a pipe or a device" in str(error)


def test_an_index_that_is_a_link_is_neither_read_nor_written(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (filled / "index").rename(tmp_path / "elsewhere")
    (filled / "index").symlink_to(tmp_path / "elsewhere")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "elsewhere").rglob("*")}
    for words in (["search", "article"], ["reindex"]):
        assert run(["--archive", str(filled), *words]) == StorageError.exit_code
        said = capsys.readouterr().err
        assert "is a link" in said
        assert said.count("\n") == 1
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "elsewhere").rglob("*")} == before


# ---- what verify looks at where the lock says nothing, or somebody holds it


def cut_the_log(root: Path) -> None:
    """The end of the log is gone; checkpoint and tiles still know of it."""
    commits = (root / "log" / "commits").read_bytes()
    fill(root, 3)
    (root / "log" / "commits").write_bytes(commits)


def told(root: Path) -> set[tuple[str, str | None]]:
    return {(finding.finding, finding.file) for finding in verify(root)[0]}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_file_hides_nothing(filled: Path, treasure: Path, kind: str) -> None:
    cut_the_log(filled)
    before = told(filled)
    assert {"cut", "uncommitted"} <= {finding for finding, _ in before}
    replace_by(kind, filled / "lock", treasure)
    assert told(filled) == before | {("unknown-file", "lock")}
    assert verify(filled)[1].notices == []


def test_verify_makes_no_lock(filled: Path) -> None:
    (filled / "lock").unlink()
    assert verify(filled)[0] == []
    assert not (filled / "lock").exists()


def test_beside_a_writer_what_is_missing_is_told_and_the_rest_is_said_to_be_left_out(filled: Path) -> None:
    cut_the_log(filled)
    lock = Lock(filled / "lock")
    try:
        findings, tally = verify(filled)
    finally:
        lock.release()
    assert [finding.finding for finding in findings] == ["cut", "cut"]
    assert ["another muniment is writing" in notice for notice in tally.notices] == [True]
    assert "no commit covers" in tally.notices[0]


def test_a_lock_that_cannot_be_opened_is_said(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_the_log(filled)

    def refuse(path: Path, flags: int, mode: int = 0o644) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(durable, "open_descriptor", refuse)  # root may open everything
    findings, tally = verify(filled)
    assert [finding.finding for finding in findings] == ["cut", "cut"]
    assert ["cannot be told" in notice for notice in tally.notices] == [True]


def test_a_writer_that_is_there_for_a_moment_is_waited_for(filled: Path) -> None:
    cut_the_log(filled)
    before = told(filled)
    lock = Lock(filled / "lock")
    timer = threading.Timer(0.4, lock.release)
    timer.start()
    assert told(filled) == before
    timer.join()


def test_what_a_writer_committed_since_the_walk_is_not_called_uncommitted(filled: Path) -> None:
    (filled / "warc" / "2026" / "00007.warc.gz").write_bytes(b"nobody's")
    verification = Verification(filled, read_config(filled), Request())
    walked = verification._walk
    run, came = walked.run, []

    def then_a_writer_comes_and_goes():
        yield from run()
        (filled / "warc" / "2026" / "00007.warc.gz").unlink()
        fill(filled, 3)
        came.append(True)

    walked.run = then_a_writer_comes_and_goes  # type: ignore[method-assign]  # the writer is a real one
    assert list(verification.run()) == []
    assert came
    assert any("grew" in notice for notice in verification.tally.notices)


def test_a_writer_that_comes_while_lengths_are_compared_is_no_finding(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muniment.archive.verify.cover import CoverCheck

    look, times = CoverCheck._check_excess, []

    def while_a_writer_works(self, last, segments):
        times.append(time.monotonic())
        if len(times) == 1:
            fill(filled, 2)
        return look(self, last, segments)

    monkeypatch.setattr(CoverCheck, "_check_excess", while_a_writer_works)
    findings, _ = verify(filled)
    assert (findings, len(times)) == ([], 2)


def test_a_writer_that_never_ends_stops_no_verify(filled: Path) -> None:
    lock = Lock(filled / "lock")
    try:
        (came,) = within(20, lambda: verify(filled)[0])
        assert came == []
        with pytest.raises(Locked):
            Lock(filled / "lock")
    finally:
        lock.release()
