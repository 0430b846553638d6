"""The whole command, cleaning workers, index and all: killed at random moments, and on a full disk."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cli_console import Console, page

KILLS = 8


def test_a_killed_add_keeps_every_item_that_it_called_stored(root: Path, tmp_path: Path) -> None:
    chosen = random.Random(20261123)
    console = Console(root, tmp_path)
    for kill in range(KILLS):
        folder = tmp_path / f"pages{kill}"
        folder.mkdir()
        for i in range(250):
            (folder / f"{i}.html").write_bytes(page(f"Kill {kill} page {i}"))
        running = console.spawn("add", folder, "--json", start_new_session=True, stderr=subprocess.DEVNULL)
        assert running.stdout is not None
        first = running.stdout.readline()  # a group is stored, and the next one on its way
        time.sleep(chosen.random() * 0.4)
        os.killpg(running.pid, signal.SIGKILL)
        lines = (first + running.stdout.read()).splitlines(keepends=True)
        running.communicate()
        told = {row["snapshot"]: row["title"] for row in (json.loads(line) for line in lines if line.endswith(b"\n"))}
        assert told
        found = console("search", f'title:"Kill {kill}"', "--all", "--json").json()
        assert found["indexed"] == found["articles"]
        assert told.items() <= {hit["snapshot"]: hit["title"] for hit in found["hits"]}.items()
        again = console("add", folder, "--json").rows()
        assert {row["snapshot"] for row in again if row["state"] == "unchanged"} >= set(told)
        assert console("verify", "--json").rows()[-1]["findings"] == 0


def test_a_full_disk_is_said_to_be_full_and_nothing_is_lost(
    mount: Callable[[str], Path], root: Path, tmp_path: Path
) -> None:
    small_disk = mount("2m")
    archive = small_disk / "archive"
    shutil.copytree(root, archive)
    console = Console(archive, tmp_path)
    folder = tmp_path / "pages"
    folder.mkdir()
    for i in range(350):
        (folder / f"{i:03}.html").write_bytes(page(f"Page {i}") + os.urandom(3_000).hex().encode())
    done = console("add", folder, "--json", code=14)
    assert "everything acknowledged is stored" in done.err and "Python" not in done.err
    told = {row["snapshot"] for row in done.rows()}
    assert told
    filler = small_disk / "filler"
    for path in archive.glob("catalog.sqlite*"):
        path.unlink()
    filler.write_bytes(bytes(max(0, os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 4096)))
    for command in ("status", "add"):
        full = console(command, *([folder] if command == "add" else []), code=14)
        assert "full" in full.err or "No space" in full.err, full.err
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    assert console("rebuild", "--json").json()["articles"] >= len(told)
    console("verify")
