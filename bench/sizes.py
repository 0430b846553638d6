"""Searches at several sizes beside bare tantivy-py, SQLite FTS5, Xapian and Whoosh alone, in one run.

    python -m bench.corpus 1000000 > corpus.jsonl
    python -m bench.sizes corpus.jsonl --sizes 10000,100000,1000000 --keep FOLDER

Every contender does the same work: query text in; the ten best hits and the exact total out; for the kind `facets` the
ten most frequent sources and years too. Each takes its turn in every round, and of each query the best of the rounds
counts. Indexes stay in FOLDER for the next run. FTS5 answers up to --fts5 articles, Xapian up to --xapian, Whoosh up to
10,000: they take long to index. `--index PATH` is an index that `muniment reindex` made, the largest size, beside bare
tantivy of as many articles.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from bench import corpus, peers
from bench.common import table
from muniment.index.engine import Document, open_engine
from muniment.search import language, results

FACETS = ("source", "year")
ROUNDS, EACH = 3, 12
WHOOSH_MOST = 10_000


class Mixed(NamedTuple):
    """One condition in each language; `facets` says whether they are counted."""

    kind: str
    ours: str
    tantivy: str
    fts5: tuple[str, str, tuple[Any, ...], bool]
    xapian: tuple[str, str, bool]
    facets: bool


def mixed(seed: int = 1) -> list[Mixed]:
    rng = random.Random(seed)
    words = corpus.WORDS["en"]
    common, middling, rare = words[:60], words[100:1500], words[5000:]
    found: list[Mixed] = []

    def add(kind: str, ours: str, bare: str = "", fts5: str = "", other: str = "", facets: bool = False) -> None:
        match = fts5 or ours
        found.append(Mixed(kind, ours, bare or ours, (match, "", (), facets), (other or ours, "", facets), facets))

    for _ in range(EACH):
        a, b, c, d = rng.choice(common), rng.choice(middling), rng.choice(middling), rng.choice(rare)
        start, year, source = c[:4], rng.randrange(2002, 2024), f"Paper {rng.randrange(40):03}"
        both = f'"{a} {rng.choice(common)}"'
        add("rare word", d)
        add("frequent word", a)
        add("two words", f"{a} {b}", f"+{a} +{b}")
        add("OR", f"{b} OR {d}", f"{b} {d}")
        add("OR of frequent", f"{a} OR {b}", f"{a} {b}")
        add("phrase", both)
        add("prefix", f"{start}*", f"title:/{start}.*/ text:/{start}.*/")
        add("negation", f"{b} NOT {a}", f"+{b} -{a}")
        add("title", f"title:{b}", "", f"title:{b}")
        add("facets", a, facets=True)
        last = f"{year + 2}-12-31"
        ours, bare = f'{b} source:"{source}"', f'+{b} +source:"{source}"'
        found.append(Mixed("source", ours, bare, (b, "source = ?", (source,), False), (b, source, False), False))
        ours, bare = f"{b} {year}..{year + 2}", f"+{b} +year:[{year} TO {year + 2}]"
        between = (b, "published between ? and ?", (str(year), last), False)
        found.append(Mixed("dates", ours, bare, between, (f"{b} year:{year}..{year + 2}", "", False), False))
    return found


# ---- the contenders


class Built(NamedTuple):
    """What an index took."""

    cpu: float
    size: int


def documents(articles: Iterable[dict[str, Any]]) -> Iterator[Document]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for a in articles:
        hosts = (a["host"], a["host"].removeprefix("www."))
        yield Document(
            a["number"], a["url"], True, a["title"], a["text"], at, tuple(a["authors"]), a["source"], hosts,
            a["language"], tuple(a["tags"]), (), a["published"], (), True,
        )  # fmt: skip


def build_ours(articles: Iterable[dict[str, Any]], path: Path) -> None:
    with open_engine("tantivy", path, create=True) as index:
        index.add(documents(articles))
        index.commit(1)


def open_ours(path: Path) -> Callable[[Mixed], int]:
    index = open_engine("tantivy", path)
    pages = {wanted: results.Page(facets=FACETS if wanted else ()) for wanted in (True, False)}
    return lambda query: results.search(index, language.parse(query.ours), pages[query.facets]).total


def build_tantivy(articles: Iterable[dict[str, Any]], path: Path) -> None:
    import tantivy

    path.mkdir()
    builder = tantivy.SchemaBuilder()
    for field in ("title", "text"):
        builder.add_text_field(field, tokenizer_name="en_stem")
    builder.add_text_field("source", tokenizer_name="raw", fast=True)
    for field in ("year", "number"):
        builder.add_integer_field(field, fast=True, indexed=True, stored=field == "number")
    index = tantivy.Index(builder.build(), path=str(path))
    writer = index.writer(128_000_000, num_threads=1)
    for a in articles:
        year, number = int(a["published"][:4]), a["number"]
        document = tantivy.Document(title=a["title"], text=a["text"], source=a["source"], year=year, number=number)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()


def open_tantivy(path: Path) -> Callable[[Mixed], int]:
    import tantivy

    index = tantivy.Index.open(str(path))
    index.reload()
    searcher = index.searcher()
    facets = {name: {"terms": {"field": name, "size": 10}} for name in FACETS}

    def search(query: Mixed) -> int:
        parsed = index.parse_query(
            query.tantivy, ["title", "text"], field_boosts={"title": 2.0}, allow_regexes=query.kind == "prefix"
        )
        found: Any = searcher.search(parsed, 10)
        [searcher.doc(address)["number"][0] for _, address in found.hits]
        if query.facets:
            searcher.aggregate(parsed, facets)
        return int(found.count)

    return search


def open_fts5(path: Path) -> Callable[[Mixed], int]:
    search = peers.open_fts5(path)
    return lambda query: search(query.fts5)


def build_whoosh(articles: Iterable[dict[str, Any]], path: Path) -> None:
    from bench import query

    query.build_whoosh(list(articles), path)


def open_whoosh(path: Path) -> Callable[[Mixed], int]:
    from whoosh import index as windex
    from whoosh.qparser import MultifieldParser

    index = windex.open_dir(str(path))
    searcher, parser = index.searcher(), MultifieldParser(["title", "text"], index.schema)

    def search(query: Mixed) -> int:
        found = searcher.search(
            parser.parse(query.ours), limit=10, **({"groupedby": list(FACETS)} if query.facets else {})
        )
        for name in FACETS if query.facets else ():
            {value: len(numbers) for value, numbers in found.groups(name).items()}
        return len(found)

    return search


BUILD = {"muniment": build_ours, "bare tantivy": build_tantivy, "FTS5": peers.build_fts5, "Whoosh": build_whoosh}
OPEN = {"muniment": open_ours, "bare tantivy": open_tantivy, "FTS5": open_fts5, "Whoosh": open_whoosh}


def built(name: str, file: Path, size: int, keep: Path) -> Path:
    """The folder of a contender's index, made where it is not there; what it took stands beside it."""
    path = keep / f"{name.replace(' ', '-')}-{size}"
    about = path.with_name(path.name + ".json")
    if not about.exists():
        articles = corpus.read(file, size)
        begun = time.process_time()
        if name == "Xapian":
            cpu = peers.build_xapian(articles, path)
        else:
            reading = reading_cpu(file, min(size, 10_000)) * size
            BUILD[name](articles, path)
            cpu = time.process_time() - begun - reading
        about.write_text(json.dumps(Built(cpu, bytes_of(path))))
    return path


def reading_cpu(file: Path, count: int) -> float:
    """Seconds that an article of the corpus takes to be read: no contender's work."""
    begun = time.process_time()
    for _ in corpus.read(file, count):
        pass
    return (time.process_time() - begun) / count


def bytes_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


# ---- measuring


def measure(paths: dict[str, Path], queries: Sequence[Mixed]) -> tuple[dict[str, list[float]], dict[str, int]]:
    """The best time of each query, in seconds, and how many documents all matched."""
    searches = {name: OPEN[name](path) for name, path in paths.items() if name != "Xapian"}
    xapian = peers.Xapian(paths["Xapian"]) if "Xapian" in paths else None
    best: dict[str, list[float]] = {}
    matched: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name in paths:
            if name == "Xapian" and xapian is not None:
                answers = xapian.ask([query.xapian for query in queries])
            else:
                answers = [timed(searches[name], query) for query in queries]
            times = [seconds for seconds, _ in answers]
            best[name] = list(map(min, best.get(name, times), times))
            matched[name] = sum(matches for _, matches in answers)
    if xapian is not None:
        xapian.close()
    return best, matched


def timed(search: Callable[[Mixed], int], query: Mixed) -> tuple[float, int]:
    begun = time.perf_counter()
    matches = search(query)
    return time.perf_counter() - begun, matches


def report(size: int, best: dict[str, list[float]], queries: Sequence[Mixed], matched: dict[str, int]) -> None:
    rows: list[list[str]] = []
    for kind in dict.fromkeys(query.kind for query in queries):
        row = [median(t for t, q in zip(times, queries, strict=True) if q.kind == kind) for times in best.values()]
        rows.append([kind, *(f"{1e6 * value:,.0f}" for value in row)])
    for name, at in (("p50 of all", 49), ("p95 of all", 94)):
        rows.append([name, *(f"{1e6 * quantiles(times, n=100)[at]:,.0f}" for times in best.values())])
    facets = [t for t, q in zip(best["muniment"], queries, strict=True) if q.kind == "facets"]
    rows.append(["p95 of facets", f"{1e6 * quantiles(facets, n=100)[94]:,.0f}", *[""] * (len(best) - 1)])
    rows.append(["matches", *(f"{matched[name]:,}" for name in best)])
    table(f"query: microseconds at {size:,} articles (median of a kind, best of {ROUNDS})", ["", *best], rows)


def report_indexing(file: Path, size: int, paths: dict[str, Path]) -> None:
    text = sum(len(a["title"].encode()) + len(a["text"].encode()) for a in corpus.read(file, size))
    rows = []
    for name, path in paths.items():
        took = Built._make(json.loads(path.with_name(path.name + ".json").read_text()))
        rows.append([name, f"{size / took.cpu:,.0f}", f"{took.size / 1e6:,.0f}", f"{took.size / text:.2f}"])
    title = f"indexing: {size:,} articles, {text / 1e6:,.0f} MB of text ({text / size:,.0f} bytes each)"
    table(title, ["", "documents a CPU second", "MB", "share of the text"], rows)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("corpus", type=Path)
    options.add_argument("--sizes", default="10000,100000", help="articles, with commas")
    options.add_argument("--keep", type=Path, required=True, help="where the indexes stay")
    options.add_argument("--fts5", type=int, default=1_000_000, help="the most articles for SQLite FTS5")
    options.add_argument("--xapian", type=int, default=100_000, help="the most articles for Xapian")
    options.add_argument("--index", type=Path, help="an index that muniment reindex made, as the largest size")
    chosen = options.parse_args()
    chosen.keep.mkdir(parents=True, exist_ok=True)
    queries = mixed()
    medians: dict[int, dict[str, dict[str, float]]] = {}
    xapian = peers.xapian_is_here()
    if not xapian:
        print("Xapian: not installed for the system's Python (python3-xapian), left out\n")
    for size in map(int, chosen.sizes.split(",")):
        names = ["muniment", "bare tantivy"] + ["FTS5"] * (size <= chosen.fts5)
        names += ["Xapian"] * (xapian and size <= chosen.xapian) + ["Whoosh"] * (size <= WHOOSH_MOST)
        paths = {name: built(name, chosen.corpus, size, chosen.keep) for name in names}
        print(f"load {os.getloadavg()[0]:.1f}")
        report_indexing(chosen.corpus, size, paths)
        medians[size] = measured(size, paths, queries)
    if chosen.index:
        with open_engine("tantivy", chosen.index) as index:
            size = index.count()
        bare = built("bare tantivy", chosen.corpus, size, chosen.keep)
        print(f"load {os.getloadavg()[0]:.1f}; {bytes_of(chosen.index) / 1e6:,.0f} MB")
        medians[size] = measured(size, {"muniment": chosen.index, "bare tantivy": bare}, queries)
    report_growth(medians)


def measured(size: int, paths: dict[str, Path], queries: Sequence[Mixed]) -> dict[str, dict[str, float]]:
    """The median of each contender and kind."""
    best, matched = measure(paths, queries)
    report(size, best, queries, matched)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in best}
    for name, seconds in best.items():
        for took, query in zip(seconds, queries, strict=True):
            found[name].setdefault(query.kind, []).append(took)
    return {name: {kind: median(times) for kind, times in kinds.items()} for name, kinds in found.items()}


def report_growth(medians: dict[int, dict[str, dict[str, float]]]) -> None:
    least, most = min(medians), max(medians)
    names = [name for name in medians[most] if name in medians[least]]
    rows = []
    for kind in ("rare word", "phrase", "source", "dates", "two words"):
        times = (medians[most][name][kind] / medians[least][name][kind] for name in names)
        rows.append([kind, *(f"{value:.1f}" for value in times), "at most 4"])
    table(f"growth of the median from {least:,} to {most:,} articles, times", ["", *names, "reach of ours"], rows)


if __name__ == "__main__":
    main()
