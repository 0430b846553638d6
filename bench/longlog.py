"""A log of a million leaves: opening it, appending to it, proving one of them; and what the log costs an article.

Nearly all of the leaves are failed attempts, the cheapest to make, written by the real writer; one in a hundred is a
capture or a derivation, so that there is something to prove.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from bench.common import ENVIRONMENT, MUNIMENT, WORK, archive, new_archive, table, timed

ROUNDS = 9
_FILL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from muniment.archive.archive import Archive
from muniment.model import Article, Attempt, Capture, sha256

root, leaves = Path(sys.argv[1]), int(sys.argv[2])
now = datetime.now(UTC)
with Archive(root) as archive, archive.writer() as writer:
    number = 0
    while writer.size < leaves:
        number += 1
        url = f"https://example.org/2026/11/article-{number}"
        if number % 200:
            writer.add_attempt(Attempt(url, now, "timeout", "no answer within 10 seconds"), [("articleKey", url)])
        else:
            body = f"The text of article {number}. ".encode() * 20
            capture = Capture(url, now, "resource", body, body, sha256(body), "text/plain")
            added = writer.add_capture(capture, [("articleKey", url), ("articleUrl", url)])
            writer.add_article(Article(f"Title {number}", body.decode()), added.number, url, source="example.org")
        if not number % 5000:
            writer.commit()
    writer.commit()
"""
# Each prints its figures as JSON: seconds, without what the disk takes to sync.
_OPEN = """
import json, os, sys, time
from pathlib import Path
begun = time.perf_counter()
from muniment.archive.archive import Archive
root = Path(sys.argv[1])
with Archive(root) as archive:
    reading = time.perf_counter() - begun
    begun = time.perf_counter()
    with archive.writer() as writer:
        writing = time.perf_counter() - begun
        from datetime import UTC, datetime
        from muniment.model import Capture, sha256
        syncing, whole = 0.0, os.fdatasync
        def sync(descriptor):
            global syncing
            started = time.perf_counter()
            whole(descriptor)
            syncing += time.perf_counter() - started
        os.fdatasync = sync
        times = []
        for i in range(20):
            body = os.urandom(2000)
            begun, syncing = time.perf_counter(), 0.0
            writer.add_capture(Capture(f"file:///{i}", datetime.now(UTC), "resource", body, body, sha256(body), "x/y"))
            writer.commit()
            times.append(time.perf_counter() - begun - syncing)
lines = Path("/proc/self/status").read_text().splitlines() if sys.platform.startswith("linux") else []
peak = next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0)
print(json.dumps({"reading": reading, "writing": writing, "append": sorted(times)[10], "memory": peak}))
"""


def long_archive(leaves: int) -> Path:
    root = WORK / f"log-{leaves}"
    if not (root / ".done").exists():
        new_archive(root.name)
        subprocess.run([sys.executable, "-c", _FILL, root, str(leaves)], env=ENVIRONMENT, check=True)
        (root / ".done").touch()
    return root


def run(articles: int, leaves: int = 1_000_000) -> None:
    root = long_archive(leaves)
    opening = [sys.executable, "-c", _OPEN, str(root)]
    opened = [
        json.loads(subprocess.run(opening, env=ENVIRONMENT, check=True, capture_output=True).stdout)
        for _ in range(ROUNDS)
    ]
    median = {name: statistics.median(figures[name] for figures in opened) for name in opened[0]}
    nothing = statistics.median(timed([sys.executable, "-c", "pass"]).wall for _ in range(ROUNDS))
    snapshot = _snapshot(root)
    proof = [*MUNIMENT, "--archive", str(root), "prove", str(snapshot), "--force", "-o", str(WORK / "proof.zip")]
    proving = statistics.median(timed(proof).wall for _ in range(ROUNDS))
    table(
        f"log: {leaves:,} leaves (median of {ROUNDS}; python -c pass takes {nothing * 1000:.0f} ms)",
        ["", "found", "reach"],
        [
            ["open for reading, imports and all", f"{median['reading'] * 1000:.0f} ms", "under 500 ms"],
            ["open for writing", f"{median['writing'] * 1000:.0f} ms", "under 500 ms"],
            ["append one and commit, besides sync", f"{median['append'] * 1000:.1f} ms", "under 20 ms"],
            ["peak memory of all that", f"{median['memory']:.0f} MB", "under 150 MB"],
            ["prove, whole process", f"{proving * 1000:.0f} ms", "under 300 ms"],
        ],
    )
    _overhead(articles)


def _snapshot(root: Path) -> int:
    """A capture in the middle of the log."""
    import sqlite3

    with sqlite3.connect(f"file:{root / 'catalog.sqlite'}?mode=ro", uri=True) as catalog:
        (number,) = catalog.execute(
            "select number from leaf where type = 'capture' and number > (select max(number) / 2 from leaf) limit 1"
        ).fetchone()
    return int(number)


def _overhead(articles: int) -> None:
    root = archive(articles)
    parts = {
        "leaves": sum(p.stat().st_size for p in (root / "log/tile/entries").rglob("*") if _counts(p)),
        "hash tiles": sum(p.stat().st_size for p in (root / "log/tile").glob("[0-9]*/**/*") if p.is_file()),
        "copies of the unfinished bundle": sum(
            p.stat().st_size for p in (root / "log/tile/entries").rglob("*.p/[0-9]*") if p.is_file()
        ),
        "commits": (root / "log/commits").stat().st_size,
    }
    records = sum(p.stat().st_size for s in ("warc", "derived") for p in (root / s).rglob("*.gz"))
    rows = [[name, f"{size / articles:.0f} B", ""] for name, size in parts.items()]
    rows.append(["all of log/", f"{sum(parts.values()) / articles:.0f} B", "under 700 B"])
    rows.append(["beside records of", f"{records / articles:,.0f} B", ""])
    table(f"log: what it costs an article, {articles:,} articles", ["", "found", "reach"], rows)


def _counts(path: Path) -> bool:
    return path.is_file() and (path.name == "tail" or not path.parent.name.endswith(".p"))
