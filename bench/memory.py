"""Peak memory of `add`, `reindex` and `verify`: proportional set size, summed over the command's processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.common import ENVIRONMENT, MUNIMENT, WORK, archive, new_archive, pages, table

LIMIT_MB = 500


def run(articles: int) -> None:
    if not sys.platform.startswith("linux"):
        print("memory: skipped, it reads /proc\n")
        return
    counts = (max(1, articles // 4), articles)
    rows = []
    for count in counts:
        folder, root = pages(count), WORK / f"archive-{count}"
        new_archive(root.name)
        rows.append([f"add of {count:,} files", peak([*MUNIMENT, "--archive", root, "add", "-q", folder])])
    for name in ("reindex", "verify"):
        for count in counts:
            rows.append([f"{name} on {count:,}", peak([*MUNIMENT, "--archive", archive(count), name, "-q"])])
    table(
        "memory: peak MB of all processes of a command",
        ["", "MB", "reach"],
        [[name, f"{found:.0f}", f"under {LIMIT_MB}, flat"] for name, found in rows],
    )


def peak(command: Sequence[str | Path]) -> float:
    """The greatest sum of proportional set sizes seen, in MB, ten looks a second."""
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    greatest = 0
    while process.poll() is None:
        greatest = max(greatest, sum(map(proportional_size, family(process.pid))))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"bench: {command} ended with {process.returncode}")
    return greatest / 1e6


def family(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError):
            continue
    return found


def proportional_size(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
