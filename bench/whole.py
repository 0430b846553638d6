"""A whole `muniment search` on a large archive: wall time beside an interpreter that does nothing, and beside ripgrep.

    python -m bench.corpus 1000000 | tee corpus.jsonl | python -m bench.bulk ARCHIVE && muniment reindex
    python -m bench.whole ARCHIVE corpus.jsonl [--add]

Memory is what belongs to the process alone (/proc/PID/smaps_rollup, at its end): all of it, and of that what was
written; the rest are pages of the index's files, which the system takes back when it needs them. ripgrep reads the
texts of the first 100,000 articles, from a file each, and from one file. With --add an article is added to a copy of
the index again and again in a warm process, each time until a search finds it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from bench import corpus
from bench.common import ENVIRONMENT, WORK, table, timed
from muniment.archive.archive import Archive
from muniment.index.engine import Document, open_engine
from muniment.index.query import Phrase

ROUNDS, TEXTS, ADDED = 9, 100_000, 100
_PRIVATE = """
import sys
from pathlib import Path
from muniment.cli import run
run(sys.argv[1:])
lines = [line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]]
sizes = {line[0]: int(line[1]) for line in lines}
print(sizes["Private_Clean:"] + sizes["Private_Dirty:"], sizes["Private_Dirty:"], file=sys.stderr)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("archive", type=Path)
    options.add_argument("corpus", type=Path)
    options.add_argument("--add", action="store_true", help="add articles to a copy of the index too")
    chosen = options.parse_args()
    with Archive(chosen.archive) as archive:
        articles = archive.articles
    words = corpus.WORDS["en"]
    queries = {
        "one word": [words[300]],
        "rare word": [words[9000]],
        "two words": [words[40], words[200]],
        "phrase": [f'"{words[5]} {words[9]}"'],
        "field and dates": [f"title:{words[60]}", "2010..2020"],
        "prefix, OR, NOT": [f"({words[80][:5]}* OR {words[90]})", f"-{words[7]}"],
        "a frequent word, with facets": [words[3], "--facet", "source,year"],
    }
    search = [sys.executable, "-m", "muniment", "--archive", str(chosen.archive), "search"]
    texts = _texts(chosen.corpus)
    rg = shutil.which("rg")
    nothing: list[float] = []
    grep: dict[str, list[float]] = {"a file each": [], "one file": []}
    found: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(ROUNDS):
        nothing.append(timed([sys.executable, "-c", "pass"]).wall)
        for name, place in zip(grep, texts, strict=True) if rg else ():
            grep[name].append(timed([str(rg), "-uu", "-c", "-i", "-w", words[300], place], expect=(0, 1)).wall)
        for name, query in queries.items():
            found[name].append(timed([*search, *query], expect=(0, 1)).wall)
    base = median(nothing)
    rows = [["python -c pass", f"{base * 1000:.1f}", "1.0", "", ""]]
    for name, query in queries.items():
        private, written = _private(search[3:] + query)
        taken = median(found[name])
        rows.append(
            [name, f"{taken * 1000:.1f}", f"{taken / base:.1f}", f"{private / 1000:.0f}", f"{written / 1000:.0f}"]
        )
    for name, times in grep.items():
        if not rg:
            rows.append([f"rg, {name}", "not installed", "", "", ""])
            continue
        share = median(times) / median(found["one word"])
        rows.append([f"rg, {TEXTS:,} texts, {name}", f"{median(times) * 1000:.1f}", f"{share:.1f} x one word", "", ""])
    head = ["", "ms", "times python -c pass", "private MB", "of it written"]
    table(f"search: whole process on {articles:,} articles, warm disk (median of {ROUNDS})", head, rows)
    if chosen.add:
        _adding(chosen.archive)


def _texts(file: Path) -> tuple[Path, Path]:
    """A folder with a file for each article, and one file with all of them."""
    folder, path = WORK / f"texts-{TEXTS}", WORK / f"texts-{TEXTS}.txt"
    if not path.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with path.with_suffix(".part").open("w", encoding="utf-8") as out:
            for a in corpus.read(file, TEXTS):
                text = f"{a['title']}\n{a['text']}\n"
                part = folder / f"{a['number'] // 1000}"
                part.mkdir(exist_ok=True)
                (part / f"{a['number']}.txt").write_text(text, encoding="utf-8")
                out.write(text)
        path.with_suffix(".part").rename(path)
    return folder, path


def _private(arguments: list[str]) -> tuple[int, int]:
    """Kilobytes that belong to the process alone at its end, and of them those that it wrote."""
    command = [sys.executable, "-c", _PRIVATE, *arguments]
    said = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True).stderr
    whole, written = said.splitlines()[-1].split()
    return int(whole), int(written)


def _adding(root: Path) -> None:
    """Until an article is found in a warm process, in a copy of the index."""
    name = (root / "index" / "current").read_text().strip()
    copy = WORK / "index-to-add"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(root / "index" / name, copy)
    times, cpu = [], []
    with open_engine("tantivy", copy) as index:
        count = index.count()
        made = corpus.articles(ADDED, seed=7, words=corpus.SHORT)
        for number, a in enumerate(made, 1 << 30):
            text = f"{a['text']} added{number}"
            document = Document(number, a["url"], True, a["title"], text, datetime.now(UTC), language=a["language"])
            begun, used = time.perf_counter(), time.process_time()
            index.add([document])
            index.commit(number)
            assert index.search(Phrase("text", (f"added{number}",))).total == 1
            times.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - used)
    row = [f"{1000 * median(times):.0f}", f"{1000 * quantiles(times, n=20)[18]:.0f}", f"{1000 * median(cpu):.0f}"]
    table(f"one article added to {count:,}, until it is found", ["p50, ms", "p95, ms", "CPU, p50"], [row])


if __name__ == "__main__":
    main()
