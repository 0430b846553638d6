"""What an engine is: documents in, hits out.

Two engines stand behind the one protocol (engines/tantivy.py and engines/whoosh.py), and one suite of tests runs
against both. An engine is a cache: it holds no text, and everything in it can be built again from the archive.

Writers and readers. One process writes at a time (else `Locked`). What is added is seen by nobody until `commit`, which
makes it durable, and then says in the file `state` how much of the log it accounts for. A writer killed at any
moment leaves the last commit; killed between the two, an index that holds more than it says, which is harmless, because
adding a document again replaces it. Readers never wait: each sees the commit of the moment when it opened or last
called `refresh`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from muniment import durable
from muniment.errors import StorageError, UsageError
from muniment.index import analysis, query, stemming
from muniment.index.facets import Counts
from muniment.index.value import Value

Sort = Literal["relevance", "newest", "oldest", "captured"]


class Document(Value):
    """One snapshot as it is indexed.

    `number` is the snapshot's number, `article` the key that all versions of one article share, `latest` whether this
    one stands for them. `hosts` are the host of its address and the parent domains, for `site:`. `published` is an
    ISO date cut to its precision, `captured` an aware datetime, `confidence` from 0 to 1, `flags` as cleaning gives
    them, `kinds` as `kinds.kinds_of` does. `removed` are the folded words that an earlier version had and this one, the
    latest, has not. `alone` says that the article has no other version; a caller who does not know says nothing, and
    searches that match many articles take longer. `version` says how new this
    description of the snapshot is: the size of the log that it was made from.
    """

    number: int
    article: str
    latest: bool
    title: str
    text: str
    captured: datetime
    authors: tuple[str, ...] = ()
    source: str | None = None
    hosts: tuple[str, ...] = ()
    language: str | None = None
    tags: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    published: str | None = None
    removed: tuple[str, ...] = ()
    alone: bool = False
    confidence: float | None = None
    flags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    version: int = 0


class Hit(NamedTuple):
    """A document that matches. `score` is comparable within one search only, and 0 unless sorted by relevance."""

    number: int
    score: float


class Hits(NamedTuple):
    """How many documents match, some of them in order, and facets over all that match (index/facets.py)."""

    total: int
    hits: tuple[Hit, ...]
    facets: Mapping[str, Counts]


class Weight(NamedTuple):
    """What one word adds to a score: in which field, as what (a stem: `run/en`; a phrase with spaces; None where
    several words count as one), how often it is there, how rare it is (idf), and its boost. None is unknown."""

    field: str
    form: str | None
    frequency: float | None
    idf: float | None
    boost: float
    score: float


class State(Value):
    """With what the index was built, and how much of the log its last commit accounts for.

    `engine` and `analysis` name the engine, its schema and the analyzer, with the versions of their libraries. Where
    one of them is not the present one, `current` is False: build the index anew. `log` is what the caller gave with the
    commit, to know the log again.
    """

    engine: str
    analysis: str
    log_size: int
    current: bool
    log: str = ""


Texts = Callable[[int], Mapping[str, str]]
MAX_LOOKED_THROUGH = 3_000  # texts, for words at a distance


class Engine(Protocol):
    """An index in a folder. Get one from `open_engine`; close it, or use it in a `with` statement.

    `texts` gives the title, text and author of a document by its number, for what an engine may be unable to tell:
    three words or more at a distance. Without it such a search may be refused, by a QueryError, and with it where it
    would take too long. `most_uncommitted` is how many characters of texts it should be given between two commits.
    """

    texts: Texts | None
    most_uncommitted: int

    def add(self, documents: Iterable[Document]) -> None:
        """Adds documents. One with the number of an earlier one replaces it, unless that one has a higher version: to
        add the same documents again, in any order, changes nothing. Raises Locked."""

    def remove(self, numbers: Iterable[int]) -> None:
        """Takes the documents of these numbers out; those that it does not hold are passed over. Raises Locked."""

    def commit(self, log_size: int, log: str = "") -> None:
        """Makes everything since the last commit durable and visible, with how far in which log it is. Raises Locked.

        `log` is one line that tells this log from others.
        """

    def refresh(self) -> None:
        """Sees the newest commit from now on, another process's too."""

    def state(self) -> State:
        """What the last commit says of itself."""

    def count(self) -> int:
        """How many documents the index holds."""

    def search(
        self,
        tree: query.Query,
        *,
        limit: int = 10,
        offset: int = 0,
        sort: Sort = "relevance",
        facets: Sequence[str] = (),
        facet_limit: int = 10,
    ) -> Hits:
        """The documents that match, by their sort: `newest` and `oldest` are by publication, undated ones last;
        `captured` is newest first; `relevance` is BM25 with a boost of the title, and `newest` where the tree looks for
        no words. Equals are in order of number (for `relevance` in the engine's own order). A page past
        the last hit is empty, however far."""

    def facets(self, tree: query.Query, names: Sequence[str], limit: int = 10) -> dict[str, Counts]:
        """The facets of `search` alone. `limit` is for values, and not for dates: of those all are told that are not
        empty."""

    def numbers(self, tree: query.Query) -> Iterator[tuple[int, int]]:
        """(number, article_id) of every document that matches, in order of number; of one commit, as `stream`."""

    def stream(self, tree: query.Query, *, sort: Sort = "relevance") -> Iterator[Hit]:
        """Every document that matches, however many, in the order of `search`, a page at a time.

        All are of the commit that is seen when the first is asked for: no commit and no `refresh` meanwhile adds, drops
        or repeats one. What is held in memory is a page; by `relevance` also a few bytes for each hit so far."""

    def languages(self) -> Sequence[str]:
        """The languages of the documents, "" among them where one has none."""

    def frequencies(self, field: str, words: Sequence[str]) -> list[int]:
        """In how many documents each of the words stands in a field, or in a field of stems (`text_stem`); documents
        that were replaced may still be counted."""

    def vocabulary(self, field: str, start: str, limit: int) -> Sequence[tuple[str, int]]:
        """The words of a field that start so, each with its frequency; the most frequent first, so many of them."""

    def weights(self, leaf: query.Leaf, number: int) -> list[Weight]:
        """What each form of a leaf adds to the score of a document, of those that it holds."""

    def close(self) -> None:
        """Gives up what is not committed, and every lock."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exc: object) -> None: ...


def open_engine(name: str, path: Path, *, create: bool = False) -> Engine:
    """The engine of this name ("tantivy" or "whoosh") on the index in the folder `path`.

    With `create`, an empty index is made where there is none. Raises IndexBehind where there is no index that this
    engine can open, UsageError for a name that is no engine's.
    """
    if name == "tantivy":
        from muniment.index.engines.tantivy import TantivyEngine

        return TantivyEngine.open(path, create=create)
    if name == "whoosh":
        from muniment.index.engines.whoosh import WhooshEngine

        return WhooshEngine.open(path, create=create)
    raise UsageError(f"there is no engine {name!r}: choose tantivy or whoosh")


def present_name(name: str) -> str:
    """What the engine of this name, as it is now, calls itself in the state of what it builds."""
    if name == "tantivy":
        from muniment.index.engines import tantivy

        return tantivy.NAME
    from muniment.index.engines import whoosh

    return whoosh.NAME


def read_state(path: Path, name: str) -> State:
    """What the index in the folder `path` says of itself; `name` is the present engine's. Where the file is missing or
    cut, `engine` is empty."""
    try:
        size, built_by, analysed_by, log, _ = (path / "state").read_text(encoding="utf-8").split("\n", 4)
        current = (built_by, analysed_by) == (name, analysis.VERSION)
        return State(built_by, analysed_by, int(size), current, log)
    except (OSError, ValueError):
        return State("", "", 0, current=False)


def write_state(path: Path, name: str, log_size: int, log: str = "") -> None:
    """Says how much of the log the index in the folder `path` accounts for. Raises StorageError."""
    if not path.is_dir():
        raise StorageError(f"the index at {path} is gone: another may have taken its place")
    durable.replace(path / "state", f"{log_size}\n{name}\n{analysis.VERSION}\n{log}\n".encode())


def article_id(key: str) -> int:
    """The number that stands for an article's key in the index: 63 bits of its BLAKE2b digest."""
    from hashlib import blake2b  # 3 ms that a search has no use for

    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1


def numeric_values(document: Document) -> dict[str, int]:
    """The document's value for every field of NUMBER_FIELDS that it has one for, and its version."""
    values = {
        "version": document.version,
        "number": document.number,
        "article": article_id(document.article),
        "captured": int(document.captured.timestamp()),
    }
    if document.published:
        values["first_day"], values["last_day"] = query.days(document.published)
    if document.confidence is not None:
        values["confidence"] = round(document.confidence * 1000)
    return values


def word_values(document: Document) -> dict[str, list[str]]:
    """The document's words for every field of WORD_FIELDS but the author, and their stems."""
    title, text = analysis.words(document.title), analysis.words_once(document.text)
    stems = []
    for found, whole in ((title, document.title), (text, document.text)):
        stems.append(list(stemming.stems(found, document.language)))
        if compounds := analysis.compounds(whole):
            stems[-1] += stemming.stems(compounds, document.language)
    values = {"title": title, "text": text, "title_stem": stems[0], "text_stem": stems[1]}
    if document.removed:
        gone = set(stemming.stems(document.removed, document.language)).difference(*stems)
        values |= {"removed": list(document.removed), "removed_stem": sorted(gone)}
    return values


def facet_dates(document: Document) -> dict[str, int]:
    """The facets `year` and `month` as integers, 2021 and 202105; 202100 has no month, and 0 stands for none known."""
    date = document.published or ""
    return {"facet_year": int(date[:4] or 0), "facet_month": int(f"{date[:4]}{date[5:7] or '00'}") if date else 0}


def field_values(document: Document) -> dict[str, list[str]]:
    """The document's values for every field of VALUE_FIELDS and every facet but the dates: "" stands for none known.

    People type sources, languages and tags in either case, so the fields that are searched hold them folded; the facets
    (`facet_source` and so on) keep them as they are written.
    """
    language = stemming.language_tag(document.language)
    values = {
        "source": [analysis.fold_value(document.source or "")],
        "host": [analysis.fold_value(host) for host in document.hosts] or [""],
        "language": [language],
        "tag": [analysis.fold_value(tag) for tag in document.tags] or [""],
        "collection": [analysis.fold_value(name) for name in document.collections] or [""],
        "flag": [analysis.fold_value(flag) for flag in document.flags] or [""],
        "kind": [analysis.fold_value(kind) for kind in document.kinds] or [""],
        "latest": ["yes" if document.latest else "no"],
        "alone": ["yes" if document.alone else "no"],
        "facet_source": [document.source or ""],
        "facet_language": [language],
        "facet_author": list(document.authors) or [""],
        "facet_tag": list(document.tags) or [""],
        "facet_kind": list(document.kinds) or [""],
    }
    return {field: list(dict.fromkeys(entries)) for field, entries in values.items()}


def sort_keys(document: Document) -> dict[str, int]:
    """Integers that order documents: `newest` and `captured_order` from the greatest, `oldest` from the least."""
    first, _ = query.days(document.published) if document.published else (0, 0)
    return {
        "newest": (first << 31) + document.number,
        "oldest": ((first or 99_999_999) << 31) + document.number,
        "captured_order": (int(document.captured.timestamp()) << 31) + document.number,
    }
