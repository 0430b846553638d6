"""What the benches share: archives of generated pages, timed commands, tables."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.pages import write_pages

WORK = Path(__file__).resolve().parent.parent / ".bench"
MUNIMENT = [str(Path(sys.executable).with_name("muniment"))]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "XDG_CONFIG_HOME": str(WORK / "config"),
}


@dataclass(frozen=True)
class Timed:
    """A command's wall time and the CPU time of it and its children, in seconds."""

    wall: float
    cpu: float


def timed(command: Sequence[str | os.PathLike[str]], *, expect: Iterable[int] = (0,)) -> Timed:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in expect:
        sys.exit(f"bench: {command} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return Timed(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def pages(count: int) -> Path:
    """A folder of generated pages."""
    folder = WORK / f"pages-{count}"
    if not (folder / ".done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_pages(folder, count)
        (folder / ".done").touch()
    return folder


def new_archive(name: str) -> Path:
    root = WORK / name
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run([*MUNIMENT, "init", "-q", root], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return root


def archive(count: int) -> Path:
    """An archive of `count` generated pages, added by `muniment add`."""
    root = WORK / f"archive-{count}"
    if not (root / "index" / "current").exists():
        new_archive(root.name)
        timed([*MUNIMENT, "--archive", root, "add", "-q", pages(count)])
    return root


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table in Markdown."""
    print(f"{title}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    print(flush=True)
