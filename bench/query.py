"""Queries in process, beside Whoosh alone and bare tantivy-py on the same articles: `python -m bench.query [N]`.

Each contender does all of the work that a search is: query text in; parse, search, the ten best hits, the exact total
and two facets (source, year) out. Whoosh alone is what its documentation teaches: TEXT fields with StemmingAnalyzer,
MultifieldParser, groupedby. Bare tantivy-py is what its documentation teaches: en_stem fields, Index.parse_query,
search, a terms aggregation. Neither knows of languages, folding, or versions of one article.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tantivy
from whoosh import fields as wf
from whoosh import index as windex
from whoosh.analysis import StemmingAnalyzer
from whoosh.qparser import MultifieldParser

from bench import corpus
from muniment.index.engine import Document, open_engine
from muniment.search import language, results

FACETS = ("source", "year")
ROUNDS = 9


def queries(seed: int = 1) -> list[tuple[str, str, str]]:
    """(kind, in our language and Whoosh's, in tantivy's): the same condition in each."""
    rng = random.Random(seed)
    words = corpus.WORDS["en"]
    common, middling, rare = words[:60], words[100:1500], words[5000:]

    def c() -> str:
        return rng.choice(common)

    def m() -> str:
        return rng.choice(middling)

    def r() -> str:
        return rng.choice(rare)

    found: list[tuple[str, str, str]] = []
    for _ in range(12):
        a, b, d = c(), m(), r()
        year = rng.randrange(2002, 2024)
        source = f"Paper {rng.randrange(40):03}"
        start = m()[:4]
        both = f'"{a} {c()}"'
        found += [
            ("common word", a, a),
            ("middling word", b, b),
            ("rare word", d, d),
            ("two words", f"{a} {b}", f"+{a} +{b}"),
            ("two words", f"{b} {m()}", f"+{b} +{m()}"),
            ("OR", f"{b} OR {d}", f"{b} {d}"),
            ("phrase", both, both),
            ("prefix", f"{start}*", f"title:/{start}.*/ text:/{start}.*/"),
            ("negation", f"{b} NOT {a}", f"+{b} -{a}"),
            ("field", f"title:{b}", f"title:{b}"),
            ("source", f'{b} source:"{source}"', f'+{b} +source:"{source}"'),
            (
                "dates",
                f"{b} published:[{year} TO {year + 2}]",
                f"+{b} +published:[{year}-01-01T00:00:00Z TO {year + 2}-12-31T23:59:59Z]",
            ),
        ]
    return found


def day(article: dict[str, Any]) -> datetime:
    date = article["published"]
    return datetime.fromisoformat(date + "-01-01"[len(date) - 4 :] if len(date) < 10 else date).replace(tzinfo=UTC)


def build_ours(articles: Sequence[dict[str, Any]], path: Path, name: str = "tantivy") -> Callable[[str], int]:
    index = open_engine(name, path, create=True)
    for start in range(0, len(articles), 5000):
        index.add(as_document(a, articles) for a in articles[start : start + 5000])
        index.commit(start)
    page = results.Page(facets=FACETS)
    return lambda text: results.search(index, language.parse(text), page).total


def as_document(a: dict[str, Any], articles: Sequence[dict[str, Any]]) -> Document:
    number = a["number"]
    latest = number + 1 == len(articles) or articles[number + 1]["url"] != a["url"]
    first = number == 0 or articles[number - 1]["url"] != a["url"]
    return Document(
        number=number,
        article=a["url"],
        latest=latest,
        alone=latest and first,
        title=a["title"],
        text=a["text"],
        captured=datetime(2026, 1, 1, tzinfo=UTC),
        authors=tuple(a["authors"]),
        source=a["source"],
        hosts=(a["host"], a["host"].removeprefix("www.")),
        language=a["language"],
        tags=tuple(a["tags"]),
        published=a["published"],
    )


def build_tantivy(articles: Sequence[dict[str, Any]], path: Path) -> Callable[[str], int]:
    path.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("title", tokenizer_name="en_stem")
    builder.add_text_field("text", tokenizer_name="en_stem")
    builder.add_text_field("source", tokenizer_name="raw", fast=True)
    builder.add_integer_field("year", fast=True, indexed=True)
    builder.add_integer_field("number", fast=True, indexed=True, stored=True)
    builder.add_date_field("published", fast=True, indexed=True)
    index = tantivy.Index(builder.build(), path=str(path))
    writer = index.writer(64_000_000, num_threads=1)
    for start in range(0, len(articles), 5000):
        for a in articles[start : start + 5000]:
            writer.add_document(
                tantivy.Document(
                    title=a["title"],
                    text=a["text"],
                    source=a["source"],
                    year=day(a).year,
                    number=a["number"],
                    published=day(a),
                )
            )
        writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    facets = {name: {"terms": {"field": name, "size": 10}} for name in FACETS}

    def search(text: str) -> int:
        query = index.parse_query(text, ["title", "text"], field_boosts={"title": 2.0}, allow_regexes=True)
        found: Any = searcher.search(query, 10)
        hits = [(searcher.doc(address)["number"][0], score) for score, address in found.hits]
        answer = searcher.aggregate(query, facets)
        counts = {name: [(b["key"], b["doc_count"]) for b in answer[name]["buckets"]] for name in FACETS}
        assert len(hits) <= 10 and len(counts) == 2
        total: int = found.count
        return total

    return search


def build_whoosh(articles: Sequence[dict[str, Any]], path: Path) -> Callable[[str], int]:
    path.mkdir()
    schema = wf.Schema(
        title=wf.TEXT(analyzer=StemmingAnalyzer(), field_boost=2.0),
        text=wf.TEXT(analyzer=StemmingAnalyzer()),
        source=wf.ID(sortable=True),
        year=wf.NUMERIC(int, sortable=True),
        number=wf.NUMERIC(int, stored=True),
        published=wf.DATETIME(sortable=True),
    )
    index = windex.create_in(str(path), schema)
    writer = index.writer(limitmb=256)
    for a in articles:
        writer.add_document(
            title=a["title"],
            text=a["text"],
            source=a["source"],
            year=day(a).year,
            number=a["number"],
            published=day(a).replace(tzinfo=None),
        )
    writer.commit(optimize=True)
    searcher = index.searcher()
    parser = MultifieldParser(["title", "text"], schema)

    def search(text: str) -> int:
        found = searcher.search(parser.parse(text), limit=10, groupedby=list(FACETS))
        for hit in found:
            hit["number"]
        for name in FACETS:
            {value: len(numbers) for value, numbers in found.groups(name).items()}
        return len(found)

    return search


def measure(search: Callable[[str], int], texts: Sequence[str]) -> list[float]:
    """How long each query takes, in seconds."""
    times = []
    for text in texts:
        start = time.perf_counter()
        search(text)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("count", nargs="?", type=int, default=20_000, help="articles (default 20000)")
    options.add_argument("--without-whoosh", action="store_true", help="leave Whoosh out: it indexes for many minutes")
    options.add_argument("--versions", type=int, default=0, help="one in so many is an earlier version (default none)")
    chosen = options.parse_args()
    articles = list(corpus.articles(chosen.count, earlier_versions=chosen.versions))
    mixed = queries()
    contenders = {"muniment": (build_ours, 1), "bare tantivy-py": (build_tantivy, 2), "Whoosh alone": (build_whoosh, 1)}
    if chosen.without_whoosh:
        del contenders["Whoosh alone"]
    with tempfile.TemporaryDirectory() as folder:
        searches: dict[str, Callable[[str], int]] = {}
        for name, (build, column) in contenders.items():
            start = time.perf_counter()
            searches[name] = build(articles, Path(folder) / name.replace(" ", "-"))
            built = time.perf_counter() - start
            matches = sum(searches[name](query[column]) for query in mixed)
            print(f"{name}: indexed in {built:.1f} s, {matches} matches in {len(mixed)} queries")
        report(mixed, compare(searches, {name: [q[column] for q in mixed] for name, (_, column) in contenders.items()}))


def compare(searches: dict[str, Callable[[str], int]], texts: dict[str, list[str]]) -> dict[str, list[float]]:
    """The best of ROUNDS for each query. The contenders take turns, so that a busy moment of the machine hits them all;
    a round is every query, so that none is answered from the caches of the one before."""
    measured: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, search in searches.items():
            times = measure(search, texts[name])
            measured[name] = list(map(min, measured.get(name, times), times))
    return measured


def report(mixed: Sequence[tuple[str, str, str]], measured: dict[str, list[float]]) -> None:
    print(f"\n{'microseconds':24}" + "".join(f"{name:>18}" for name in measured))
    for kind in dict.fromkeys(kind for kind, _, _ in mixed):
        row = [
            statistics.median(t for t, (k, _, _) in zip(times, mixed, strict=True) if k == kind)
            for times in measured.values()
        ]
        print(f"{kind:24}" + "".join(f"{value * 1e6:18.0f}" for value in row))
    for name, quantile in (("p50 of all", 49), ("p95 of all", 94)):
        row = [statistics.quantiles(times, n=100)[quantile] for times in measured.values()]
        print(f"{name:24}" + "".join(f"{value * 1e6:18.0f}" for value in row))
        if quantile == 49:
            middle = dict(zip(measured, row, strict=True))
    ours = middle["muniment"]
    print(f"\np50, times bare tantivy-py: {ours / middle['bare tantivy-py']:.2f} (reach: at most 1.5)")
    if "Whoosh alone" in middle:
        print(f"p50, times faster than Whoosh alone: {middle['Whoosh alone'] / ours:.0f} (reach: at least 40)")


if __name__ == "__main__":
    main()
