"""How well searches rank, on four judged collections, beside peers: `python -m bench.relevance`.

Cranfield, CACM, MED and CISI of $MUNIMENT_DATA: abstracts, questions in whole sentences, and for each question the
abstracts that answer it. Every contender gets the same documents (a title and a text) and the question as it stands,
any of whose words will do; the first 1,000 hits are judged by nDCG@10 (how far up the best answers are) and MAP (how
far up all are), as trec_eval has them. A peer that is not installed is named and left out.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log2
from pathlib import Path
from statistics import fmean

from bench.common import table
from muniment.index.engine import Document, open_engine
from muniment.search import language, results

COLLECTIONS = ("cranfield", "cacm", "med", "cisi")
DEPTH = 1000
Search = Callable[[str], Sequence[str]]
Build = Callable[["Collection", Path], Search]


@dataclass(frozen=True)
class Collection:
    """Documents as (id, title, text), questions by their number, and the gains of the documents that answer each."""

    name: str
    documents: tuple[tuple[str, str, str], ...]
    questions: Mapping[str, str]
    answers: Mapping[str, Mapping[str, int]]


def read(folder: Path) -> Collection:
    """A collection as it lies in the gold data; questions that nobody judged are left out."""
    answers: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.trec").read_text(encoding="utf-8").splitlines():
        question, _, document, gain = line.split()
        if int(gain) > 0:
            answers.setdefault(question, {})[document] = int(gain)
    questions = dict(line.split("\t", 1) for line in (folder / "queries.tsv").read_text(encoding="utf-8").splitlines())
    with (folder / "docs.jsonl").open(encoding="utf-8") as lines:
        documents = tuple(_document(json.loads(line)) for line in lines)
    return Collection(folder.name, documents, {n: text for n, text in questions.items() if n in answers}, answers)


def _document(record: Mapping[str, str]) -> tuple[str, str, str]:
    title = record.get("title", "")
    return record["id"], title, record["text"].removeprefix(title).strip()  # Cranfield's texts begin with the title


# ---- measures


def ndcg(found: Sequence[str], gains: Mapping[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain: gains as judged, discounted by log2 of the place plus one."""

    def discounted(listed: Sequence[int]) -> float:
        return sum(gain / log2(place + 2) for place, gain in enumerate(listed[:depth]))

    return discounted([gains.get(name, 0) for name in found]) / discounted(sorted(gains.values(), reverse=True))


def average_precision(found: Sequence[str], gains: Mapping[str, int]) -> float:
    """The mean, over all answers, of the precision at the place of each; 0 for those not found."""
    places = [place for place, name in enumerate(found, 1) if name in gains]
    return sum(n / place for n, place in enumerate(places, 1)) / len(gains)


# ---- contenders


def ours(engine: str) -> Build:
    def build(collection: Collection, folder: Path) -> Search:
        index = open_engine(engine, folder, create=True)
        day = datetime(2026, 1, 1, tzinfo=UTC)
        index.add(
            Document(n, name, True, title, text, day, language="en", alone=True)
            for n, (name, title, text) in enumerate(collection.documents)
        )
        index.commit(1)
        page = results.Page(limit=DEPTH)

        def search(question: str) -> list[str]:
            found = results.search(index, language.any_of(question), page)
            return [collection.documents[hit.number][0] for hit in found.hits]

        return search

    return build


def bare_tantivy(stop_words: bool) -> Build:
    def build(collection: Collection, folder: Path) -> Search:
        import tantivy

        folder.mkdir()
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase())
        if stop_words:
            analyzer = analyzer.filter(tantivy.Filter.stopword("english"))
        schema = tantivy.SchemaBuilder()
        for field in ("title", "text"):
            schema.add_text_field(field, tokenizer_name="analyzer")
        schema.add_text_field("name", tokenizer_name="raw", stored=True)
        index = tantivy.Index(schema.build(), path=str(folder))
        index.register_tokenizer("analyzer", analyzer.filter(tantivy.Filter.stemmer("english")).build())
        writer = index.writer(64_000_000, num_threads=1)
        for name, title, text in collection.documents:
            writer.add_document(tantivy.Document(name=name, title=title, text=text))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher = index.searcher()

        def search(question: str) -> list[str]:
            query = index.parse_query(" ".join(plain_words(question)), ["title", "text"])
            return [searcher.doc(address)["name"][0] for _, address in searcher.search(query, DEPTH).hits]

        return search

    return build


def whoosh_alone(collection: Collection, folder: Path) -> Search:
    from whoosh import fields, index
    from whoosh.analysis import StemmingAnalyzer
    from whoosh.qparser import MultifieldParser, OrGroup

    folder.mkdir()
    words = fields.TEXT(analyzer=StemmingAnalyzer())
    made = index.create_in(str(folder), fields.Schema(name=fields.ID(stored=True), title=words, text=words))
    writer = made.writer(limitmb=256)
    for name, title, text in collection.documents:
        writer.add_document(name=name, title=title, text=text)
    writer.commit()
    searcher, parser = made.searcher(), MultifieldParser(["title", "text"], made.schema, group=OrGroup)

    def search(question: str) -> list[str]:
        found = searcher.search(parser.parse(" ".join(plain_words(question))), limit=DEPTH)
        return [hit["name"] for hit in found]

    return search


def sqlite_fts5(collection: Collection, folder: Path) -> Search:
    db = sqlite3.connect(":memory:")
    db.execute("create virtual table article using fts5(name unindexed, title, text, tokenize = 'porter unicode61')")
    db.executemany("insert into article values (?, ?, ?)", collection.documents)

    def search(question: str) -> list[str]:
        query = " OR ".join(f'"{word}"' for word in plain_words(question))
        rows = db.execute("select name from article where article match ? order by rank limit ?", (query, DEPTH))
        return [name for (name,) in rows]

    return search


def bm25s_alone(collection: Collection, folder: Path) -> Search:
    import bm25s
    import Stemmer

    def analysed(texts: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = bm25s.tokenize(
            texts, stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False
        )
        return found

    retriever = bm25s.BM25()
    names = [name for name, _, _ in collection.documents]
    retriever.index(analysed([f"{title} {text}" for _, title, text in collection.documents]), show_progress=False)

    def search(question: str) -> list[str]:
        listed, scores = retriever.retrieve(analysed([question]), k=min(DEPTH, len(names)), show_progress=False)
        return [names[n] for n, score in zip(listed[0], scores[0], strict=True) if score > 0]

    return search


def plain_words(question: str) -> list[str]:
    """The words of a question without signs that a peer's parser would read."""
    return re.findall(r"[a-z0-9]+", question.lower())


CONTENDERS: Mapping[str, Build] = {
    "muniment (tantivy)": ours("tantivy"),
    "muniment (Whoosh)": ours("whoosh"),
    "Whoosh alone": whoosh_alone,
    "SQLite FTS5 (porter)": sqlite_fts5,
    "bm25s (stemmed, stop words)": bm25s_alone,
    "bare tantivy (en_stem)": bare_tantivy(stop_words=False),
    "bare tantivy (en_stem, stop words)": bare_tantivy(stop_words=True),
}


# ---- the run


def measured(build: Build, collection: Collection) -> tuple[float, float, float]:
    """nDCG@10 and MAP over the questions, and the CPU time of one in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        search = build(collection, Path(folder) / "index")
        begun = time.process_time()
        found = {number: search(question) for number, question in collection.questions.items()}
        took = (time.process_time() - begun) / len(found)
    return (
        fmean(ndcg(names, collection.answers[number]) for number, names in found.items()),
        fmean(average_precision(names, collection.answers[number]) for number, names in found.items()),
        took * 1000,
    )


def rows(contenders: Mapping[str, Build], collections: Sequence[Collection]) -> Iterator[Sequence[str]]:
    for name, build in contenders.items():
        try:
            found = [measured(build, collection) for collection in collections]
        except ModuleNotFoundError as e:
            yield name, f"not installed: {e.name}", *[""] * (len(collections) + 1)
            continue
        means = [fmean(column) for column in zip(*found, strict=True)]
        yield name, *(f"{a:.4f} / {b:.4f}" for a, b, _ in [*found, means]), f"{means[2]:.1f}"


def main() -> None:
    if "MUNIMENT_DATA" not in os.environ:
        print("relevance: MUNIMENT_DATA names no folder with cranfield, cacm, med and cisi: left out")
        return
    collections = [read(Path(os.environ["MUNIMENT_DATA"]) / name) for name in COLLECTIONS]
    sizes = ", ".join(f"{c.name} {len(c.documents):,} / {len(c.questions)}" for c in collections)
    print(f"documents / questions: {sizes}\n")
    head = ("nDCG@10 / MAP", *(c.name for c in collections), "mean", "CPU ms a question")
    table("Relevance", head, rows(CONTENDERS, collections))


if __name__ == "__main__":
    main()
