"""Pages a second of `add`, beside the same cleaning alone, and the bare extractor alone, each on one core."""

from __future__ import annotations

import statistics
import subprocess
import sys

from bench.common import ENVIRONMENT, MUNIMENT, new_archive, pages, table, timed

COUNT, ROUNDS = 1000, 3
_BARE = """
import sys, time, pathlib, trafilatura
texts = [path.read_text() for path in sorted(pathlib.Path(sys.argv[1]).glob("*.html"))]
trafilatura.bare_extraction(texts[0], favor_precision=True, include_comments=False)
begun, cpu = time.perf_counter(), time.process_time()
for text in texts:
    trafilatura.bare_extraction(
        text, favor_precision=True, include_comments=False, deduplicate=False, with_metadata=False)
print(time.perf_counter() - begun, time.process_time() - cpu)
"""
_ALONE = """
import sys, time, pathlib
from datetime import UTC, datetime
from muniment.ingest.clean import CleanJob, clean
now = datetime.now(UTC)
jobs = [CleanJob(payload=path.read_bytes(), media_type="text/html", captured_at=now, uri=path.as_uri())
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.html"))]
clean(jobs[0])
begun, cpu = time.perf_counter(), time.process_time()
for job in jobs:
    clean(job)
print(time.perf_counter() - begun, time.process_time() - cpu)
"""


def run() -> None:
    folder = pages(COUNT)
    rounds: dict[str, list[tuple[float, float]]] = {"bare": [], "alone": [], "add": []}
    for _ in range(ROUNDS):
        for name, program in (("bare", _BARE), ("alone", _ALONE)):
            said = subprocess.check_output([sys.executable, "-c", program, folder], env=ENVIRONMENT, text=True)
            wall, cpu = map(float, said.split())
            rounds[name].append((wall, cpu))
        root = new_archive("archive-add")
        ran = timed([*MUNIMENT, "--archive", root, "add", "-q", "--processes", "2", folder])
        rounds["add"].append((ran.wall, ran.cpu))
    table(
        f"add: {COUNT:,} HTML files, 2 processes, whole command (median of {ROUNDS})",
        ["", "pages/s", "CPU ms a page", "reach"],
        [
            ["bare extractor, one core", *_figures(rounds["bare"]), ""],
            ["the same cleaning alone, one core", *_figures(rounds["alone"]), ""],
            ["muniment add", *_figures(rounds["add"]), ""],
            ["add, share of twice the same cleaning alone", _share(rounds, "alone"), "", "at least 0.90"],
            ["add, share of twice the bare extractor", _share(rounds, "bare"), "", ""],
        ],
    )


def _figures(rounds: list[tuple[float, float]]) -> tuple[str, str]:
    wall, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
    return f"{COUNT / wall:.1f}", f"{1000 * cpu / COUNT:.1f}"


def _share(rounds: dict[str, list[tuple[float, float]]], of: str) -> str:
    return f"{statistics.median(a / (2 * b) for (a, _), (b, _) in zip(rounds[of], rounds['add'], strict=True)):.2f}"
