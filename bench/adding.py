"""Pages a second of `add`, beside the bare extractor with the same options on one core."""

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
begun = time.perf_counter()
for text in texts:
    trafilatura.bare_extraction(
        text, favor_precision=True, include_comments=False, deduplicate=False, with_metadata=False)
print(len(texts) / (time.perf_counter() - begun))
"""


def run() -> None:
    folder = pages(COUNT)
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(float(subprocess.check_output([sys.executable, "-c", _BARE, folder], env=ENVIRONMENT)))
        root = new_archive("archive-add")
        ours.append(COUNT / timed([*MUNIMENT, "--archive", root, "add", "-q", "--processes", "2", folder]).wall)
    ratios = [a / (2 * b) for a, b in zip(ours, bare, strict=True)]
    table(
        f"add: {COUNT:,} HTML files, 2 processes, whole command (median of {ROUNDS})",
        ["", "pages/s", "reach"],
        [
            ["bare extractor, one core", f"{statistics.median(bare):.1f}", ""],
            ["muniment add", f"{statistics.median(ours):.1f}", ""],
            ["share of twice the bare extractor", f"{statistics.median(ratios):.2f}", "at least 0.85"],
        ],
    )
