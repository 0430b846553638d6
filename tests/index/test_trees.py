"""Query trees at random: every engine gives the documents that brute force gives, and orders them as BM25 says.

A slice of it in `make test`. The whole, 1,000 trees on 5,000 documents for each engine, takes some minutes:

    MUNIMENT_TREES=1000 MUNIMENT_TREE_DOCUMENTS=5000 pytest tests/index/test_trees.py
"""

from __future__ import annotations

import os
import random
from operator import ge
from pathlib import Path

import index_examples as examples
import index_oracle as oracle
import pytest

from muniment.index import engine
from muniment.index.engine import Document, Engine, open_engine
from muniment.index.query import And, Query, Term

TREES = int(os.environ.get("MUNIMENT_TREES", "600"))
DOCUMENTS = int(os.environ.get("MUNIMENT_TREE_DOCUMENTS", "120"))
LANGUAGES = ["", "en", "fa", "fr", "ja"]
ENGINES = ("tantivy", "whoosh")


@pytest.mark.parametrize("name", ENGINES)
def test_random_trees_give_the_same_documents_as_brute_force(name: str, tmp_path: Path) -> None:
    documents = examples.documents(DOCUMENTS, seed=1)
    analysed = [oracle.analysed(document) for document in documents]
    matched, leaves = 0, set[str]()
    with open_engine(name, tmp_path, create=True) as index:
        fill(index, documents)
        rng = random.Random(7)
        for _ in range(TREES):
            tree = examples.tree(rng)
            expected = oracle.matching(tree, analysed, LANGUAGES)
            found = list(index.numbers(tree))
            assert [number for number, _ in found] == sorted(expected), tree
            assert index.search(tree, limit=1).total == len(expected), tree
            assert all(key == engine.article_id(f"article-{number // 6}") for number, key in found)
            matched += 0 < len(expected) < len(documents)
            leaves |= kinds(tree)
    assert matched > 0.4 * TREES, "most trees should match some documents and not all, or they show nothing"
    assert leaves == {
        "And", "Or", "Not", "Everything", "Nothing", "Term", "Phrase", "Prefix", "Wildcard", "Fuzzy", "Range", "AnyOf",
        "Near", "Boosted",
    }  # fmt: skip


def fill(index: Engine, documents: list[Document]) -> None:
    """In several commits, some of the documents twice: there are segments, and what was replaced."""
    half = len(documents) * 7 // 12
    index.add(documents[:half])
    index.commit(1)
    index.add(documents[half - 10 :])
    index.commit(2)


def kinds(tree: Query) -> set[str]:
    parts = getattr(tree, "parts", (tree.part,) if hasattr(tree, "part") else ())
    return {type(tree).__name__}.union(*map(kinds, parts))


@pytest.mark.parametrize("name", ENGINES)
def test_scores_order_documents_as_bm25_says(name: str, tmp_path: Path) -> None:
    """One of two documents is the better where it has each word at least as often, in a shorter text: by any BM25.

    Both engines round lengths to a byte, so that only what is clearly shorter counts.
    """
    rng = random.Random(3)
    vocabulary = [f"w{n}" for n in range(12)]
    weights = [1 / (n + 1) for n in range(12)]
    texts = [rng.choices(vocabulary, weights=weights, k=rng.randrange(5, 200)) for _ in range(150)]
    documents = [
        Document(n, f"key-{n}", True, "", " ".join(text), examples.START, language="en") for n, text in enumerate(texts)
    ]
    compared = 0
    with open_engine(name, tmp_path, create=True) as index:
        index.add(documents)  # in one segment: engines count words in each segment, or in all
        index.commit(1)
        for _ in range(20):
            words = rng.sample(vocabulary, rng.choice((1, 1, 2, 3)))
            tree = And(tuple(Term("text", word) for word in words)) if len(words) > 1 else Term("text", words[0])
            hits = index.search(tree, limit=150).hits
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
            assert [hit.number for hit in hits] == [hit.number for hit in index.stream(tree)]
            assert {hit.number for hit in hits} == {n for n, text in enumerate(texts) if set(words) <= set(text)}
            counted = [(len(texts[n]), [texts[n].count(word) for word in words], n) for n, _ in hits]
            for at, (length, counts, n) in enumerate(counted):
                for longer, others, better in counted[at + 1 :]:
                    dominates = longer < 0.9 * length and all(map(ge, others, counts))
                    assert not dominates, (words, better, "is behind", n)
                    compared += longer != length
    assert compared > 10_000


@pytest.mark.parametrize("name", ENGINES)
def test_the_rarer_of_two_words_weighs_more(name: str, tmp_path: Path) -> None:
    with open_engine(name, tmp_path, create=True) as index:
        index.add(
            Document(n, f"key-{n}", True, "", "rare filler" if n % 40 == 0 else "common filler", examples.START)
            for n in range(200)
        )
        index.commit(1)
        found = {word: index.search(Term("text", word), limit=1).hits[0].score for word in ("rare", "common", "filler")}
        assert found["rare"] > found["common"] > found["filler"] > 0
