"""Verify while another process writes: what is on its way is no damage, and damage is found all the same."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.verify import Finding, Request, Verification
from muniment.archive.verify.finding import Tally
from muniment.archive.writer import Writer
from muniment.model import Article
from tests.conftest import fill, upload

ROUNDS = 24
KINDS = ({}, {"fast": True}, {"processes": 2}, {"fast": True, "processes": 2})


def verify(root: Path, **options) -> tuple[list[Finding], Tally]:
    verification = Verification(root, read_config(root), Request(**options))
    return list(verification.run()), verification.tally


def add(writer: Writer, chosen: random.Random) -> int:
    """A capture and its article; returns the capture's number."""
    added = writer.add_capture(upload(f"{chosen.random()}", chosen.randbytes(chosen.choice((50, 3000)))), [])
    writer.add_article(Article("t", "text " * 50, extractor="t/1"), added.number, "file:///x")
    return added.number


@contextmanager
def at_work(root: Path) -> Iterator[None]:
    """Another process adds and withdraws, in one writer after another, until it is killed."""
    child = os.fork()
    if not child:
        try:
            add_and_withdraw(root)
        finally:
            os._exit(1)
    try:
        yield
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "the writer died by itself"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def add_and_withdraw(root: Path) -> None:
    chosen, held = random.Random(20261124), list[int]()
    while True:
        with Archive(root) as archive, archive.writer() as writer:
            for _ in range(chosen.choice((1, 1, 2))):
                held += [add(writer, chosen) for _ in range(chosen.choice((1, 1, 4)))]
                writer.commit()
                if chosen.random() < 0.7:  # an old one or one that has just come
                    writer.withdraw(held.pop(chosen.choice((0, -1))), "a court said so")
        time.sleep(chosen.random() * 0.05)  # or verify would wait for the lock, and the log grow without end


def test_verify_finds_nothing_false_while_another_process_adds_and_withdraws(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muniment.archive.verify.records._LEAVES", 128)  # so that there is something to share out
    fill(root, 200, group=50)
    sizes, withdrawn = set[int](), set[int]()
    with at_work(root):
        for turn in range(ROUNDS):
            found, tally = verify(root, **KINDS[turn % len(KINDS)])
            assert found == [], (turn, found)
            sizes.add(tally.log_size)
            withdrawn |= set(tally.withdrawn)
    assert len(sizes) > ROUNDS // 2, "the log should have grown from round to round"
    assert len(withdrawn) > ROUNDS // 4
    with Archive(root) as archive, archive.writer():
        pass  # sets aside what the kill left
    assert verify(root)[0] == []


def test_verify_finds_a_damaged_record_while_another_process_adds_and_withdraws(root: Path) -> None:
    fill(root, 20)
    with Archive(root) as archive:
        damaged = archive.catalog.placements(7)[0]
    with (root / damaged.segment).open("r+b") as file:
        file.seek(damaged.offset + damaged.length // 2)
        (byte,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    with at_work(root):
        for options in KINDS[:2]:
            found, _ = verify(root, **options)
            assert [(f.finding, f.snapshot, f.offset) for f in found] == [("digest-mismatch", 7, damaged.offset)]
