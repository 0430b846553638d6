"""What verify shows while it works, and how it ends when it is told to stop."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from cli_console import Console, Stock
from test_cli_terminal import on_terminal

from muniment.archive.archive import Archive, create
from muniment.model import Article
from tests.conftest import NOW, upload

# The line is written over itself, and taken away before anything else is printed.
PROGRESS = re.compile(rb"(?:\r\x1b\[Kverifying +\d+%  [\d.]+ ?[kMG]?B/s  \d+:\d\d left)+\r\x1b\[K")


def test_a_terminal_gets_a_line_of_progress_that_goes_away(stock: Stock) -> None:
    out, err = on_terminal(stock.console, "verify")
    assert out == b""
    progress = PROGRESS.match(err)
    assert progress and b"verifying 100%" in progress[0]
    assert b"no findings: " in err[progress.end() :]
    assert b"verifying" not in err[progress.end() :]


def test_a_finding_takes_the_line_of_progress_away_first(copied: Callable[[], Console]) -> None:
    console = copied()
    assert console.archive is not None
    with (console.archive / "log/commits").open("ab") as commits:
        commits.write(b"more")
    out, err = on_terminal(console, "verify")
    assert out.startswith(b"\x1b[31muncommitted\x1b[0m log/commits")
    progress = PROGRESS.match(err)
    assert progress and err[progress.end() :].startswith(b"1 finding: ")


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_no_progress_is_shown_to_who_asked_for_quiet_or_for_json(stock: Stock, option: str) -> None:
    _, err = on_terminal(stock.console, "verify", option)
    assert err == b""


def test_no_progress_is_shown_where_stderr_is_no_terminal(stock: Stock) -> None:
    done = stock.console("verify")
    assert done.out == ""
    assert done.err.splitlines()[-1].startswith("no findings: ")
    assert "verifying" not in done.err and "\r" not in done.err


# ---- Control-C


@pytest.fixture(scope="module")
def riddled(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """An archive whose every record was changed, in three parts of the work. There is more to say of each than a pipe
    holds, so verify and its processes, of which there are two, stand in the middle of it until somebody reads."""
    base = tmp_path_factory.mktemp("riddled")
    root = create(base / "archive", "test.example/log", NOW).root
    with Archive(root) as archive, archive.writer() as writer:
        for i in range(1500):
            added = writer.add_capture(upload(f"{i}.txt", b"%d" % i), [])
            writer.add_article(Article(f"{i}", f"{i}", extractor="t/1"), added.number, f"file:///{i}.txt")
        writer.commit()
        placements = [placement for *_, placement in writer.catalog.all_placements() if placement.offset]
    for name in {placement.segment for placement in placements}:
        data = bytearray((root / name).read_bytes())
        for placement in placements:
            if placement.segment == name:
                data[placement.offset + placement.length // 2] ^= 1
        (root / name).write_bytes(data)
    return Console(root, base)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("whole_group", [False, True], ids=["the command alone", "as a terminal does"])
def test_an_interrupted_verify_says_so_and_leaves_no_process_behind(
    riddled: Console, processes: int, whole_group: bool
) -> None:
    running = riddled.spawn("verify", "--processes", str(processes), start_new_session=True)
    assert running.stdout is not None
    assert b"digest-mismatch" in running.stdout.readline()
    assert len(in_group(running.pid)) == (processes + 1 if processes > 1 else 1)
    (os.killpg if whole_group else os.kill)(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err.strip()) == (130, b"muniment: interrupted; everything acknowledged is stored")
    assert b"Traceback" not in out
    deadline = time.monotonic() + 30
    while in_group(running.pid):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.01)


def in_group(group: int) -> list[str]:
    """The live processes of a process group."""
    listing = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()[1:]]
    return [pid for pid, found, state in rows if found == str(group) and not state.startswith("Z")]
