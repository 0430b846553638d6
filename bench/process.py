"""Wall time of a whole `muniment search`, beside an interpreter that does nothing."""

from __future__ import annotations

import statistics
import sys

from bench.common import MUNIMENT, archive, table, timed
from bench.pages import language

ROUNDS = 15


def run(articles: int) -> None:
    root = archive(articles)
    words = language("en").words
    queries = {
        "one word": [words[300]],
        "two words": [words[40], words[200]],
        "phrase": [f'"{words[5]} {words[9]}"'],
        "field and dates": [f"title:{words[60]}", "2010..2020"],
        "prefix, OR, NOT": [f"({words[80][:5]}* OR {words[90]})", f"-{words[7]}"],
    }
    command = [*MUNIMENT, "--archive", str(root), "search"]
    nothing: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(ROUNDS):
        nothing.append(timed([sys.executable, "-c", "pass"]).wall)
        for name, query in queries.items():
            found[name].append(timed([*command, "--facet", "source,year", *query], expect=(0, 1)).wall)
    base = statistics.median(nothing)
    rows = [["python -c pass", f"{base * 1000:.1f}", "1.0", ""]]
    for name, times in found.items():
        median = statistics.median(times)
        rows.append([f"search: {name}", f"{median * 1000:.1f}", f"{median / base:.1f}", "at most 9"])
    table(f"search: whole process on {articles:,} articles, warm disk (median of {ROUNDS})",
          ["", "ms", "times python -c pass", "reach"], rows)  # fmt: skip
