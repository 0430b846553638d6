"""Passages of hits: milliseconds for ten, and the share of query words that is marked: `python -m bench.snippets`.

Beside SQLite FTS5's `snippet()` and tantivy's SnippetGenerator in the same run, each asked for the same words. Texts
are made up (bench/corpus.py) in five languages, as long as an article and 1 MB long; the words of a query stand near
the start of a text, near its end, far apart, or not at all. The others know English stems at most. Times are CPU time.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tantivy

from bench import corpus
from muniment.search import language
from muniment.search.snippets import snippet

LIMIT_MS = 30
HITS = 10


class Case(NamedTuple):
    """Ten texts in a language, and a query of which `present` words are in each of them."""

    name: str
    language: str
    texts: list[str]
    query: str
    present: int


def cases(length: int, seed: int = 1) -> list[Case]:
    """Texts of about so many characters, and queries."""
    made = []
    for tag in (*corpus.LANGUAGES, "ja"):
        rng = random.Random(f"{seed}/{tag}")
        texts = [_text(rng, tag, length) for _ in range(HITS)]
        rare = [_rare(tag, n) for n in range(3)]
        common = corpus.WORDS[tag][:3] if tag in corpus.WORDS else ["日本", "大学"]
        made += [
            Case("a common word", tag, texts, common[0], 1),
            Case("two words at the start", tag, _with(texts, rare[:2], 0.01), " ".join(rare[:2]), 2),
            Case("two words at the end", tag, _with(texts, rare[:2], 0.99), " ".join(rare[:2]), 2),
            Case("words apart", tag, _with(_with(texts, rare[:1], 0.1), rare[1:2], 0.9), " ".join(rare[:2]), 1),
            Case("rare and common", tag, _with(texts, rare[:1], 0.5), f"{rare[0]} {common[0]}", 2),
            Case("one of three is there", tag, _with(texts, rare[:1], 0.4), " OR ".join(rare), 1),
            Case("none is there", tag, texts, " OR ".join(rare), 0),
            Case("a phrase", tag, _with(texts, rare[:2], 0.5), f'"{rare[0]} {rare[1]}"', 2),
            Case("a prefix", tag, _with(texts, rare[:1], 0.5), rare[0][:-1] + "*", 1),
        ]
        if tag != "ja":
            made.append(Case("a misspelt word", tag, _with(texts, rare[:1], 0.5), rare[0][:-2] + rare[0][-1] + "~", 1))
    return made


def _rare(tag: str, n: int) -> str:
    return {"en": "zyxomar quendrilo vashtupe", "fr": "zyxomar quendrilo vashtupe", "fa": "ژیکوند چلغوزم پژواکن",
            "ar": "ظقضغط ثخذضش غظثقص", "ja": "鰯鱈鯖 麒麟鳳 榴蓮薔"}[tag].split()[n]  # fmt: skip


def _text(rng: random.Random, tag: str, length: int) -> str:
    if tag == "ja":
        letters = [chr(rng.choice((rng.randrange(0x3042, 0x3093), rng.randrange(0x4E00, 0x7000)))) for _ in range(3000)]
        size = 0
        parts = []
        while size < length // 3:
            parts.append("日本の大学" + "".join(rng.choices(letters, k=rng.randrange(10, 60))) + "。")
            size += len(parts[-1])
        return "".join(parts)
    text = corpus._text(rng, tag, max(40, length // 6))
    size = length * len(text) // len(text.encode())  # of a million bytes
    return (text * (size // len(text) + 1))[:size]


def _with(texts: Sequence[str], words: Sequence[str], place: float) -> list[str]:
    found = []
    for text in texts:
        at = int(len(text) * place)
        at = text.find("。" if " " not in text[:200] else " ", at) + 1
        found.append(f"{text[:at]}{' '.join(words)} {text[at:]}")
    return found


def marked_ours(case: Case) -> list[int]:
    tree = language.parse(case.query)
    found = []
    for text in case.texts:
        pieces = snippet(text, tree, case.language).pieces
        found.append(len({piece.casefold() for piece, match in pieces if match}))
    return found


def fts5(case: Case) -> Callable[[], list[int]]:
    base = sqlite3.connect(":memory:")
    tokens = "trigram" if case.language == "ja" else "unicode61 remove_diacritics 2"
    base.execute(f"create virtual table t using fts5(text, tokenize = '{tokens}')")
    base.executemany("insert into t values (?)", [(text,) for text in case.texts])
    asked = case.query if "~" not in case.query else case.query.rstrip("~")

    def run() -> list[int]:
        rows = base.execute("select snippet(t, 0, '\x01', '\x02', '…', 30) from t where t match ? limit 10", (asked,))
        return [len({p.partition("\x02")[0].casefold() for p in row.split("\x01")[1:]}) for (row,) in rows]

    return run


def bare_tantivy(case: Case) -> Callable[[], list[int]]:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=True, tokenizer_name="en_stem" if case.language == "en" else "default")
    schema = builder.build()
    index = tantivy.Index(schema)
    writer = index.writer(64_000_000, num_threads=1)
    for text in case.texts:
        writer.add_document(tantivy.Document(text=text))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    asked = index.parse_query(case.query.replace("~", ""), ["text"])
    documents = [searcher.doc(address) for _, address in searcher.search(asked, HITS).hits]

    def run() -> list[int]:
        generator = tantivy.SnippetGenerator.create(searcher, asked, schema, "text")
        found = []
        for document in documents:
            made = generator.snippet_from_doc(document)
            text = made.fragment().encode()
            found.append(len({text[r.start : r.end].decode().casefold() for r in made.highlighted()}))
        return found

    return run


def measure(run: Callable[[], list[int]], rounds: int) -> tuple[float, list[int]]:
    """The median of the CPU milliseconds, and what was marked. The first round counts too: a search has one only."""
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        found = run()
        times.append((time.process_time() - begun) * 1000)
    return statistics.median(times), found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--without-others", action="store_true", help="muniment alone")
    chosen = options.parse_args()
    for length, name in ((4_000, "articles"), (1_000_000, "texts of 1 MB")):
        print(f"\n| {name}: milliseconds for {HITS} hits | muniment | FTS5 | tantivy | words marked | FTS5 | tantivy |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        worst, wanted, ours = 0.0, 0, 0
        for case in cases(length):
            took, found = measure(lambda case=case: marked_ours(case), chosen.rounds)  # type: ignore[misc]
            marked = sum(min(n, case.present) for n in found)
            row = [f"{took:.1f}"]
            told = [f"{marked} of {case.present * HITS}"]
            for other in () if chosen.without_others else (fts5, bare_tantivy):
                try:
                    spent, seen = measure(other(case), chosen.rounds)
                    row.append(f"{spent:.1f}")
                    told.append(str(sum(min(n, case.present) for n in seen)))
                except (ValueError, sqlite3.Error):
                    row.append("-")
                    told.append("-")
            if not chosen.without_others:
                print(f"| {case.language}, {case.name} | {' | '.join([*row, *told])} |", flush=True)
            elif took > LIMIT_MS:
                print(f"| {case.language}, {case.name} | {row[0]} | | | {told[0]} | | |", flush=True)
            worst, wanted, ours = max(worst, took), wanted + case.present * HITS, ours + marked
        print(f"\nslowest {worst:.1f} ms (reach: {LIMIT_MS}); {ours} of {wanted} words marked", flush=True)


if __name__ == "__main__":
    main()
