"""`make bench`: every figure beside its peer, in one run. `python -m bench [--articles N] [NAME...]` runs some of them.

| name | measures | beside |
| --- | --- | --- |
| add | pages a second of `muniment add` on 1,000 HTML files with 2 processes | the bare extractor, one core |
| memory | peak memory of `add`, `reindex` and `verify` on N/4 and N articles | 500 MB, and one another |
| verify | CPU time of `verify` and `verify --fast` on N articles | `sha256sum` on the same uncompressed bytes |
| log | opening, appending to and proving from a log of 1,000,000 leaves; what the log costs an article | limits |
| search | wall time of a whole `muniment search` on N articles | `python -c pass` |
| query | a mixed set of queries in process | Whoosh alone, tantivy-py alone |
| importing | records recovered from good and broken WARC and ARC files ($MUNIMENT_DATA) | warcio, FastWARC |
| documents | what becomes of documents of every kind ($MUNIMENT_DATA), words found, time, memory | the raw libraries |
| discovering | every feed, sitemap and robots.txt of $MUNIMENT_DATA, and hostile ones | feedparser, limits |
| extraction | quality of cleaning on gold corpora ($MUNIMENT_DATA), with floors | seven extractors, htmldate |
| snippets | passages of ten hits, texts of 4 kB and 1 MB in five languages | SQLite FTS5, tantivy |
| relevance | how well searches rank on four judged collections ($MUNIMENT_DATA) | Whoosh, FTS5, bm25s, tantivy-py |
| jobs | one run over 500 feeds on 50 local hosts: manners in the server's log, articles a second | limits, `add` |
| neardup | the check for near-duplicates among 1,000,000 articles; what it finds | brute force on a sample |

At sizes up to a million, with a corpus and indexes that are kept, `python -m bench.sizes` measures queries, indexing
and growth beside FTS5, Xapian, Whoosh and tantivy-py, and `python -m bench.whole` whole processes beside ripgrep.

The archives are made with `muniment add` from generated pages (bench/pages.py) in `.bench/`, and kept for the next run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from bench import adding, longlog, memory, process, verifying

NAMES = (
    "add", "memory", "verify", "log", "search", "query",
    "importing", "documents", "extraction", "discovering", "relevance", "neardup", "snippets", "jobs",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--articles", type=int, default=20_000, help="articles in the large archive (20,000)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no bench {sorted(unknown)[0]!r}; choose from {', '.join(NAMES)}")
    wanted = options.names or NAMES
    load = os.getloadavg()[0]
    print(f"{options.articles:,} articles; {os.cpu_count()} cores; load before the run {load:.2f}\n", flush=True)
    if "add" in wanted:
        adding.run()
    if "memory" in wanted:
        memory.run(options.articles)
    if "verify" in wanted:
        verifying.run(options.articles)
    if "log" in wanted:
        longlog.run(options.articles)
    if "search" in wanted:
        process.run(options.articles)
    if "query" in wanted:
        subprocess.run([sys.executable, "-m", "bench.query", str(options.articles)], check=True)
    if "importing" in wanted:
        subprocess.run([sys.executable, "-m", "bench.importing"], check=True)
    if "documents" in wanted:
        subprocess.run([sys.executable, "-m", "bench.documents"], check=True)
    if "discovering" in wanted:
        subprocess.run([sys.executable, "-m", "bench.discovering"], check=True)
    if "extraction" in wanted:
        subprocess.run([sys.executable, "-m", "bench.extraction"], check=True)
    if "snippets" in wanted:
        subprocess.run([sys.executable, "-m", "bench.snippets"], check=True)
    if "relevance" in wanted:
        subprocess.run([sys.executable, "-m", "bench.relevance"], check=True)
        subprocess.run([sys.executable, "-m", "bench.keyboards"], check=True)
    if "neardup" in wanted:
        subprocess.run([sys.executable, "-m", "bench.neardup"], check=True)
    if "jobs" in wanted:
        subprocess.run([sys.executable, "-m", "bench.jobs"], check=True)


main()
