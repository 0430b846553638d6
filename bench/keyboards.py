"""Whether Persian queries find the same on either keyboard: `python -m bench.keyboards`.

The titles of 1,000 news articles of $MUNIMENT_DATA as queries, each typed in six ways: with Persian and with Arabic
letters (ی ي, ک ك), and the joints of affixes as a zero-width non-joiner, a space, or nothing.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from bench.common import table
from muniment.index import query
from muniment.index.engine import Document, Engine, open_engine
from muniment.search import language, results

TITLES, DEPTH = 1000, 50
LETTERS = {"Persian": str.maketrans("يىك", "ییک"), "Arabic": str.maketrans("یىک", "ييك")}
JOINTS = ("\u200c", " ", "")
_AFTER = "ها|های|هایی|هایم|هایش|هایشان|تر|ترین"
_JOINT = re.compile(
    rf"(?<![\w\u200c])(?P<before>ن?می)[ \u200c]+(?=\w)|(?<=\w)[ \u200c]+(?P<after>{_AFTER})(?![\w\u200c])"
)


def typed(title: str) -> Iterator[str]:
    """The title without signs, in each way that it may be typed."""
    plain = " ".join(re.sub(r"[^\w\u200c]+", " ", title.translate(LETTERS["Persian"])).split())
    for letters, joint in product(LETTERS.values(), JOINTS):
        yield _JOINT.sub(rf"\g<before>{joint}\g<after>", plain).translate(letters)


def articles(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted(folder.glob("fars-news-*.json")):
        for record in json.loads(path.read_text(encoding="utf-8")):
            yield {"title": record["title"], "text": "\n".join([record["abstract"], *record["paragraphs"]])}


def build(found: Sequence[dict[str, str]], engine: str, folder: Path) -> Engine:
    index = open_engine(engine, folder, create=True)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    index.add(
        Document(n, str(n), True, a["title"], a["text"], day, language="fa", alone=True) for n, a in enumerate(found)
    )
    index.commit(1)
    return index


def hits(index: Engine, tree: query.Query) -> list[tuple[int, float]]:
    found = results.search(index, tree, results.Page(limit=DEPTH))
    return [(found.total, 0), *((hit.number, round(hit.score, 3)) for hit in found.hits)]


def rows(found: Sequence[dict[str, str]], folder: Path) -> Iterator[Sequence[object]]:
    with build(found, "tantivy", folder / "index") as index:
        for name, parse in (("all of the words", language.parse), ("any of them", language.any_of)):
            titles = [a["title"] for a in found[:TITLES]]
            ways = [list(dict.fromkeys(typed(title))) for title in titles]
            same = sum(len({tuple(hits(index, parse(way))) for way in each}) == 1 for each in ways)
            yield name, len(titles), sum(len(each) for each in ways), same


def main() -> None:
    if "MUNIMENT_DATA" not in os.environ:
        print("keyboards: MUNIMENT_DATA names no folder with fars-news-fa: left out")
        return
    found = list(articles(Path(os.environ["MUNIMENT_DATA"]) / "fars-news-fa"))
    with tempfile.TemporaryDirectory() as folder:
        head = (
            "query",
            "titles",
            "different ways of typing them",
            "titles with the same hits, order and scores in each",
        )
        table(f"Persian keyboards, {len(found):,} articles", head, rows(found, Path(folder)))


if __name__ == "__main__":
    main()
