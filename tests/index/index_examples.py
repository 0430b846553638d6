"""Documents and query trees made at random, from few enough words that they meet."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from muniment.index import analysis
from muniment.index.engine import Document, article_id
from muniment.index.query import (
    And,
    AnyOf,
    Boosted,
    Everything,
    Fuzzy,
    Near,
    Not,
    Nothing,
    Or,
    Phrase,
    Prefix,
    Query,
    Range,
    Term,
    Wildcard,
)

ENGLISH = "government governments governed run running runs river rivers café cafe iran’s U.S. C++ 2019 42 it's don't"
FRENCH = "élection élections l'eau courant courants cours gouverner gouvernement café run naïve"
PERSIAN = "دولت می‌خواهد کتاب‌ها کتاب ها كتابها دانش‌آموز هیئت هيات ایران إيران ۲۰۱۹ خواهد"
JAPANESE = "東京都 東京 京都大学 大学 水 コンピュータ"
SAMPLES = {"en": ENGLISH, "fr": FRENCH, "fa": PERSIAN, "ja": JAPANESE, None: ENGLISH + " " + FRENCH, "en-GB": ENGLISH}
SOURCES = ("Example.org", "news.example.com", "Le Café", "خبر", None)
TAGS = ("War", "peace", "élection", "a b")
AUTHORS = ("Jane Roe", "José Doe", "Li Wei")
DATES = (None, "2018", "2019", "2019-05", "2019-05-30", "2019-12-31", "2020-01-01", "2020-02", "2021-07-09")
WORDS = sorted(
    {word for text in SAMPLES.values() for word in (*analysis.words(text), *analysis.compounds(text))}
    | {"absent", "rivr", "govern"}
)
KINDS = ((), ("page",), ("pdf", "upload"), ("mail", "upload"))
FLAGS = ("paywall", "cookie-wall", "soft-404")
START = datetime(2024, 1, 1, tzinfo=UTC)


def documents(count: int, seed: int) -> list[Document]:
    return [document(number, random.Random(seed * 100_000 + number)) for number in range(count)]


def document(number: int, rng: random.Random) -> Document:
    language = rng.choice(list(SAMPLES))
    vocabulary = SAMPLES[language].split()
    host = rng.choice(("www.example.org", "example.org", "a.news.example.com"))
    return Document(
        number=number * 3 + 1,
        article=f"article-{number // 2}",
        latest=number % 4 != 0,
        alone=number % 3 == 0,
        title=" ".join(rng.choices(vocabulary, k=rng.randrange(4))),
        text=" ".join(rng.choices(vocabulary, k=rng.randrange(25))),
        captured=START + timedelta(hours=rng.randrange(2000)),
        authors=tuple(rng.sample(AUTHORS, rng.randrange(3))),
        source=rng.choice(SOURCES),
        hosts=tuple(host.split(".", n)[-1] for n in range(host.count(".") + 1)),
        language=language,
        tags=tuple(rng.sample(TAGS, rng.randrange(3))),
        published=rng.choice(DATES),
        kinds=rng.choice(KINDS),
        flags=tuple(rng.sample(FLAGS, rng.choice((0, 0, 1, 2)))),
        confidence=rng.choice((None, 0.0, 0.5, 0.699, 0.7, 0.95, 1.0)),
        removed=tuple(sorted(set(analysis.words(" ".join(rng.choices(vocabulary, k=rng.choice((0, 0, 6)))))))),
    )


def tree(rng: random.Random, depth: int = 3) -> Query:
    kind = rng.random()
    if depth and kind < 0.25:
        return And(tuple(tree(rng, depth - 1) for _ in range(rng.randrange(4))))
    if depth and kind < 0.5:
        return Or(tuple(tree(rng, depth - 1) for _ in range(rng.randrange(4))))
    if depth and kind < 0.6:
        return Not(tree(rng, depth - 1))
    if depth and kind < 0.65:
        return Boosted(tree(rng, depth - 1), rng.choice((0.5, 2.0)))
    return leaf(rng)


def leaf(rng: random.Random) -> Query:
    field = rng.choice(("words", "words", "words", "title", "text", "author", "removed"))
    word = rng.choice(WORDS) if field != "author" else rng.choice(("jane", "jose", "doe", "li"))
    piece = word[: rng.randrange(1, len(word) + 1)]
    pattern = "".join(rng.choice((c, c, c, "?", "*")) for c in word)
    several = tuple(rng.choice(WORDS) for _ in range(rng.randrange(1, 4)))
    ends = [rng.choice(WORDS), rng.choice(WORDS)]
    days = [rng.choice((None, 20180101, 20190530, 20191231, 20200101, 20210709)) for _ in range(2)]
    times = [rng.choice((None, int((START + timedelta(hours=rng.randrange(2000))).timestamp()))) for _ in range(2)]
    inclusive = (rng.random() < 0.5, rng.random() < 0.5)
    choices: list[Query] = [
        Term(field, word),
        Term(field, word),
        Phrase(field, several, rng.randrange(3)),
        Phrase(field, several[:1] * rng.randrange(1, 4), rng.randrange(2)),
        Phrase(field, several, rng.choice((0, 3, 10, 40))),
        Near(field, several, rng.choice((1, 2, 5, 10, 30))),
        Prefix(field, piece),
        Prefix(rng.choice(("title", "text", "author", "tag")), ""),
        Wildcard(field, pattern),
        Fuzzy(field, word, rng.choice((1, 2))),
        Range(field, *ends, *inclusive),
        Range(rng.choice(("first_day", "last_day")), *days, *inclusive),
        Range("captured", *times, *inclusive),
        Range("confidence", *(rng.choice((None, 0, 500, 700, 950, 1000)) for _ in range(2)), *inclusive),
        Term("source", rng.choice(("example.org", "le cafe", "", "خبر"))),
        Prefix("source", rng.choice(("e", "le ", "n"))),
        Term("host", rng.choice(("example.org", "org", "com", "www.example.org"))),
        Term("language", rng.choice(("en", "fa", "", "ja"))),
        Term("flag", rng.choice((*FLAGS, ""))),
        Term("kind", rng.choice(("page", "upload", ""))),
        Prefix("flag", rng.choice(("", "pay"))),
        Term("tag", rng.choice(("war", "a b", "election", ""))),
        Term(rng.choice(("latest", "alone")), rng.choice(("yes", "no"))),
        AnyOf("number", tuple(rng.sample(range(1, 400), rng.randrange(5)))),
        AnyOf("article", tuple(article_id(f"article-{n}") for n in rng.sample(range(60), rng.randrange(1, 20)))),
        AnyOf("first_day", tuple(rng.sample((20180101, 20190530, 20191231, 20210709), rng.randrange(3)))),
        AnyOf("confidence", tuple(rng.sample((0, 500, 700, 1000), rng.randrange(3)))),
        Everything(),
        Nothing(),
    ]
    return rng.choice(choices)
