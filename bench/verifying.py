"""CPU time of `verify`, beside `sha256sum` on the same uncompressed bytes."""

from __future__ import annotations

import gzip
import shutil
import statistics

from bench.common import MUNIMENT, WORK, archive, table, timed

ROUNDS = 3


def run(articles: int) -> None:
    root = archive(articles)
    plain = WORK / "uncompressed"
    with plain.open("wb") as target:
        for path in sorted([*root.glob("warc/*/*"), *root.glob("derived/*/*")]):
            with gzip.open(path) as source:
                shutil.copyfileobj(source, target, 1 << 20)
    size = plain.stat().st_size
    sums, full, fast = [], [], []
    for _ in range(ROUNDS):
        sums.append(timed(["sha256sum", plain]).cpu)
        full.append(timed([*MUNIMENT, "--archive", root, "verify", "-q"]).cpu)
        fast.append(timed([*MUNIMENT, "--archive", root, "verify", "-q", "--fast"]).cpu)
    plain.unlink()
    times = [statistics.median(values) for values in (sums, full, fast)]
    reach = ["", "at least 1.2", "at least 8"]
    names = ["sha256sum", "muniment verify", "muniment verify --fast"]
    table(
        f"verify: {articles:,} articles, {size / 1e9:.2f} GB uncompressed, CPU seconds (median of {ROUNDS})",
        ["", "CPU s", "times sha256sum", "reach"],
        [
            [name, f"{cpu:.2f}", f"{times[0] / cpu:.2f}", goal]
            for name, cpu, goal in zip(names, times, reach, strict=True)
        ],
    )
