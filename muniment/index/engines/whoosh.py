"""The engine in pure Python, on Whoosh: slow, but at home where no wheel of tantivy's is.

The schema is tantivy's (engines/tantivy.py). Whoosh serves as a store of postings: words are analysed here, prefixes,
wildcards and their like are looked up in its dictionary by the functions of index/query.py, and its `normalize()` and
AndNot, which change what a query means, are not used.

Whoosh keeps pickles, and whoever can write a pickle that we open can run code. So an index is opened only in the very
folder where this engine made it: a marker holds the folder's device and inode, which no unpacked or copied folder has.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from math import log1p
from pathlib import Path
from typing import Any

import whoosh
from whoosh import fields, index, matching
from whoosh import query as wq
from whoosh.analysis import IDTokenizer
from whoosh.columns import NumericColumn, VarBytesColumn
from whoosh.formats import Existence, Frequency
from whoosh.matching.wrappers import WrappingMatcher
from whoosh.query.wrappers import WrappingQuery
from whoosh.scoring import BM25F
from whoosh.writing import LockError

from muniment.errors import IndexBehind, Locked, StorageError
from muniment.index import analysis, positions, query, sound, stemming
from muniment.index.engine import (
    Document,
    Engine,
    Hit,
    Hits,
    Sort,
    State,
    Texts,
    Weight,
    facet_dates,
    field_values,
    numeric_values,
    read_state,
    sort_keys,
    word_values,
    write_state,
)
from muniment.index.facets import FACET_DATES, FACETS, Counts, check_facets, counts_of_dates, counts_of_values
from muniment.index.holding import Hold

NAME = f"whoosh {'.'.join(map(str, whoosh.__version__))} schema 7"
WRITER_MEGABYTES = 64
_MARKER = "muniment-whoosh"
_SEPARATOR = b"\xff"  # which UTF-8 has not
_SORT_FIELDS = {"newest": ("newest", -1), "oldest": ("oldest", 1), "captured": ("captured_order", -1)}


def _build_schema() -> fields.Schema:
    words = {
        field: fields.TEXT(analyzer=IDTokenizer(), phrase=field not in query.UNORDERED_FIELDS)
        for field in query.WORD_FIELDS
    }
    stems = {f"{field}_stem": fields.TEXT(analyzer=IDTokenizer(), phrase=False) for field in query.STEMMED_FIELDS}
    values = {field: fields.ID() for field in query.VALUE_FIELDS}
    facets = {f"facet_{field}": fields.COLUMN(VarBytesColumn()) for field in FACETS}
    numbers = {field: fields.NUMERIC(int, 64, sortable=True) for field in query.NUMBER_FIELDS}
    orders = {field: fields.NUMERIC(int, 64, sortable=True) for field, _ in _SORT_FIELDS.values()}
    version = fields.COLUMN(NumericColumn("q"))
    schema = fields.Schema(**words, **stems, **values, **facets, **numbers, **orders, version=version)
    for field in stems:
        schema[field].format = Frequency()
    for field in values:
        schema[field].format = Existence()
    return schema


class WhooshEngine:
    """An Engine on a folder of Whoosh's."""

    texts: Texts | None = None  # it has every place itself
    most_uncommitted = 64_000_000  # it holds them in memory

    def __init__(self, path: Path):
        self._path = path
        self._pending: dict[int, Document | None] = {}
        self._writer: Any = None
        self._base: Any = None  # what the writer began with
        if not _is_ours(path):
            raise IndexBehind(f"no index that was made here at {path}: run muniment reindex")
        self._hold = Hold(path)
        try:
            self._open()
        except BaseException:
            self._hold.release()
            raise

    def _open(self) -> None:
        sound.check(self._path)
        try:
            self._index = index.open_dir(str(self._path))
        except Exception as e:  # whatever it makes of a file that is none of its own
            raise IndexBehind(f"no index that can be opened at {self._path}: run muniment reindex") from e
        with self._telling_damage():
            self._read()

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> WhooshEngine:
        """See `open_engine`."""
        if create and not (path / _MARKER).exists():
            path.mkdir(parents=True, exist_ok=True)
            write_state(path, NAME, 0)
            index.create_in(str(path), _build_schema())
            (path / _MARKER).write_text(_mark(path), encoding="ascii")
        return cls(path)

    # Writing

    def add(self, documents: Iterable[Document]) -> None:
        self._open_writer()
        for document in documents:
            if self._version(document.number) <= document.version:
                self._pending[document.number] = document

    def _version(self, number: int) -> int:
        """Of the document with this number, as it will be after the commit; -1 where there is none."""
        if number in self._pending:
            pending = self._pending[number]
            return -1 if pending is None else pending.version
        with self._telling_damage():
            if self._base is None:
                self._base = self._writer.searcher()
            place = self._base.document_number(number=number)
            reader = self._base.reader()
            return -1 if place is None else int(reader.column_reader("version")[place])

    def remove(self, numbers: Iterable[int]) -> None:
        self._open_writer()
        self._pending.update(dict.fromkeys(numbers))

    def commit(self, log_size: int, log: str = "") -> None:
        writer = self._open_writer()
        self._close_base()
        try:
            with self._telling_damage():  # segments that are merged are read
                for number, document in self._pending.items():
                    writer.delete_by_term("number", number)
                    if document is not None:
                        writer.add_document(**_as_whoosh(document))
                with sound.telling_failure(self._path, "could not be written", OSError):
                    writer.commit()
        except BaseException:
            with suppress(Exception):  # it is of no more use, but that it holds the lock
                writer.cancel()
            raise
        finally:
            self._writer = None
            self._pending.clear()
        segments = {segment.segment_id() for segment in self._index._segments()}
        sound.record(self._path, lambda name: name.endswith(".toc") or name.partition(".")[0] in segments)
        write_state(self._path, NAME, log_size, log)
        self.refresh()

    def _open_writer(self) -> Any:
        if self._writer is None:
            sound.check(self._path)
            try:
                self._writer = self._index.writer(limitmb=WRITER_MEGABYTES)
            except LockError as e:
                raise Locked(f"another process writes the index at {self._path}: try again when it is done") from e
            except OSError as e:
                raise StorageError(f"the index at {self._path} cannot be written: {e.strerror}") from e
        return self._writer

    # Reading

    def refresh(self) -> None:
        self._searcher.close()
        sound.check(self._path)
        with self._telling_damage():
            self._read()

    def _telling_damage(self) -> AbstractContextManager[None]:
        return sound.telling_damage(self._path, Exception)

    def _read(self) -> None:
        # Before the index, so that the state is never ahead of it.
        self._state = read_state(self._path, NAME)
        self._searcher = self._index.searcher(weighting=_Ranking())
        self._languages = [term.decode() for term in self._searcher.lexicon("language")]

    def state(self) -> State:
        return self._state

    def count(self) -> int:
        count: int = self._searcher.doc_count()
        return count

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
        check_facets(facets)
        with self._telling_damage():
            return self._search(tree, limit, offset, sort, facets, facet_limit)

    def _search(
        self, tree: query.Query, limit: int, offset: int, sort: Sort, facets: Sequence[str], facet_limit: int
    ) -> Hits:
        if sort == "relevance" and not query.is_scored(tree):
            sort = "newest"
        limit, offset = min(limit, self.count()), min(offset, self.count())
        found = list(self._matches(tree, scored=sort == "relevance"))
        number = self._column("number")
        if sort == "relevance":
            ordered = heapq.nsmallest(offset + limit, found, key=lambda pair: (-pair[1], pair[0]))
        else:
            field, sign = _SORT_FIELDS[sort]
            key = self._column(field)
            ordered = heapq.nsmallest(offset + limit, found, key=lambda pair: sign * key(pair[0]))
        return Hits(
            total=len(found),
            hits=tuple(Hit(number(place), score) for place, score in ordered[offset:]),
            facets=self._facets([place for place, _ in found], facets, facet_limit),
        )

    def _matches(self, tree: query.Query, *, scored: bool) -> Iterator[tuple[int, float]]:
        """(place, score) of every document that matches; a place is Whoosh's number of a document."""
        compiled = self._compile(tree)
        for searcher, start in self._searcher.leaf_searchers():
            context = None if scored else searcher.boolean_context()
            matcher = compiled.matcher(searcher, context)
            while matcher.is_active():
                yield matcher.id() + start, matcher.score() if scored else 0.0
                matcher.next()

    def facets(self, tree: query.Query, names: Sequence[str], limit: int = 10) -> dict[str, Counts]:
        check_facets(names)
        with self._telling_damage():
            return self._facets([place for place, _ in self._matches(tree, scored=False)], names, limit)

    def _facets(self, places: Sequence[int], names: Sequence[str], limit: int) -> dict[str, Counts]:
        found: dict[str, Counts] = {}
        for name in names:
            value = self._column(f"facet_{name}")
            counts = Counter(entry for place in places for entry in value(place).split(_SEPARATOR))
            if name in FACET_DATES:
                found[name] = counts_of_dates([(int(entry), count) for entry, count in counts.items()])
            else:
                found[name] = counts_of_values([(entry.decode(), count) for entry, count in counts.items()], limit)
        return found

    def _column(self, field: str) -> Callable[[int], Any]:
        reader = self._searcher.reader()
        if not reader.has_column(field):
            return lambda place: None
        get: Callable[[int], Any] = reader.column_reader(field).__getitem__
        return get

    def numbers(self, tree: query.Query) -> Iterator[tuple[int, int]]:
        with self._telling_damage():
            number, article = self._column("number"), self._column("article")
            found = sorted((number(place), article(place)) for place, _ in self._matches(tree, scored=False))
        yield from found

    def stream(self, tree: query.Query, *, sort: Sort = "relevance") -> Iterator[Hit]:
        if sort == "relevance" and not query.is_scored(tree):
            sort = "newest"
        # All of it before the first hit: a commit takes the files away from under the columns.
        field, sign = _SORT_FIELDS.get(sort, ("number", 1))
        numbers = array("q")
        keys: Any = array("d" if sort == "relevance" else "q")
        with self._telling_damage():
            number, value = self._column("number"), self._column(field)
            for place, score in self._matches(tree, scored=sort == "relevance"):
                numbers.append(number(place))
                keys.append(-score if sort == "relevance" else sign * value(place))
        for at in sorted(range(len(numbers)), key=keys.__getitem__):  # equals stay in order of place
            yield Hit(numbers[at], -keys[at] if sort == "relevance" else 0.0)

    def _close_base(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def languages(self) -> Sequence[str]:
        return self._languages

    def frequencies(self, field: str, words: Sequence[str]) -> list[int]:
        with self._telling_damage():
            reader = self._searcher.reader()
            return [int(reader.doc_frequency(field, word.encode())) for word in words]

    def vocabulary(self, field: str, start: str, limit: int) -> Sequence[tuple[str, int]]:
        with self._telling_damage():
            reader = self._searcher.reader()
            held = list(reader.expand_prefix(field, start.encode()))
            counted = [(word.decode(), int(reader.doc_frequency(field, word))) for word in held]
        return heapq.nsmallest(limit, counted, key=lambda pair: (-pair[1], pair[0]))

    def weights(self, leaf: query.Leaf, number: int) -> list[Weight]:
        weights: list[Weight] = []
        with self._telling_damage():
            for field in query.fields_of(leaf):
                compiled = self._in_field(field, leaf)
                for part in compiled.subqueries if isinstance(compiled, wq.Or) else [compiled]:
                    weights += self._weight(part, field, leaf, number)
        return weights

    def _weight(self, part: wq.Query, field: str, leaf: query.Leaf, number: int) -> Iterator[Weight]:
        """What one query adds to the score of a document."""
        number_of, boost = self._column("number"), float(part.boost)
        words = getattr(leaf, "words", None)
        form, idf = " ".join(words) if words else None, None
        if isinstance(part, wq.Term):
            form, idf = str(part.text), self._searcher.idf(part.fieldname, part.text)
        for searcher, start in self._searcher.leaf_searchers():
            matcher = part.matcher(searcher, None)
            while matcher.is_active():
                if number_of(matcher.id() + start) == number:
                    frequency = matcher.weight() / boost if idf is not None else None
                    yield Weight(field, form, frequency, idf, boost, matcher.score())
                matcher.next()

    def close(self) -> None:
        self._close_base()
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None
            self._pending.clear()
        if not self._searcher.is_closed:
            self._searcher.close()
        self._hold.release()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # The query tree in Whoosh's terms

    def _compile(self, tree: query.Query) -> wq.Query:
        match tree:
            case query.And(parts):
                return self._conjunction(parts)
            case query.Or(parts):
                return _any([self._compile(part) for part in parts])
            case query.Not():
                return self._conjunction((tree,))
            case query.Everything():
                return _unscored(wq.Every())
            case query.Nothing():
                return wq.NullQuery
            case query.Boosted(part, factor):
                return _Boosted(self._compile(part), factor)
            case query.Range(field, low, high, include_low, include_high) if field in query.NUMBER_FIELDS:
                inside = wq.NumericRange(field, low, high, not include_low, not include_high)
                return _unscored(inside)
            case query.AnyOf(field, values):
                return _unscored(_any([self._value(field, value) for value in values]))
            case _ if tree.field in query.VALUE_FIELDS:
                return _unscored(self._in_field(tree.field, tree))
            case _:
                return _any([self._in_field(field, tree) for field in query.fields_of(tree)])

    def _conjunction(self, parts: Sequence[query.Query]) -> wq.Query:
        clauses = [
            _unscored(wq.Not(self._compile(p.part))) if isinstance(p, query.Not) else self._compile(p) for p in parts
        ]
        if all(isinstance(part, query.Not) for part in parts):
            clauses.append(self._compile(query.Everything()))
        return wq.And(clauses)

    def _in_field(self, field: str, leaf: query.Leaf) -> wq.Query:
        boost = query.TITLE_BOOST if field == "title" else 1.0
        match leaf:
            case query.Term(_, word) if field in query.STEMMED_FIELDS:
                forms = stemming.stem_forms(word, self._languages)
                return _any([wq.Term(f"{field}_stem", form, boost=boost) for form in forms])
            case query.Term(_, word):
                return wq.Term(field, word, boost=boost)
            case query.Phrase(_, words, slop):
                if len(words) == 1:
                    return wq.Term(field, words[0], boost=boost)
                if field in query.UNORDERED_FIELDS:
                    return wq.NullQuery
                return _AtPlaces(field, leaf, boost) if slop else wq.Phrase(field, list(words), boost=boost)
            case query.Near(_, words):
                if len(words) == 1:
                    return wq.Term(field, words[0], boost=boost)
                return wq.NullQuery if field in query.UNORDERED_FIELDS else _AtPlaces(field, leaf, boost)
            case query.AnyOf(_, values):
                return _any([self._value(field, value) for value in values])
            case query.Prefix(_, ""):
                return wq.Every(field)
            case _:
                matches = query.word_matcher(leaf)
                return _any([wq.Term(field, word) for word in self._dictionary(field) if matches(word)])

    def _value(self, field: str, value: int | str) -> wq.Query:
        return wq.Term(field, self._index.schema[field].to_bytes(value))

    def _dictionary(self, field: str) -> Iterator[str]:
        return (word.decode() for word in self._searcher.lexicon(field))


class _Ranking(BM25F):  # type: ignore[misc]  # of a library without types
    """BM25 as tantivy has it: Whoosh's own inverse document frequency ranks frequent words higher."""

    def idf(self, searcher: Any, fieldname: str, text: str | bytes) -> float:
        parent = searcher.get_parent()
        held, holding = parent.doc_count_all(), parent.doc_frequency(fieldname, text)
        return log1p((held - holding + 0.5) / (holding + 0.5))


class _Boosted(WrappingQuery):  # type: ignore[misc]  # the library is untyped
    """A query whose scores are multiplied, which Whoosh has for words only."""

    def __init__(self, child: wq.Query, factor: float):
        super().__init__(child)
        self.factor = factor

    def matcher(self, searcher: Any, context: Any = None) -> Any:
        return WrappingMatcher(self.child.matcher(searcher, context), boost=self.factor)


class _AtPlaces(wq.Query):  # type: ignore[misc]  # the library is untyped
    """Words at a distance, which Whoosh's own spans tell for some of them only."""

    def __init__(self, field: str, leaf: query.Phrase | query.Near, boost: float):
        self.fieldname, self.leaf, self.boost = field, leaf, boost

    def matcher(self, searcher: Any, context: Any = None) -> Any:
        places: dict[int, list[Sequence[int]]] = {}
        for n, word in enumerate(self.leaf.words):
            if (self.fieldname, word.encode()) not in searcher.reader():
                return matching.NullMatcher()
            postings = searcher.postings(self.fieldname, word.encode())
            while postings.is_active():
                if n == len(places.setdefault(postings.id(), [])):
                    places[postings.id()].append(postings.value_as("positions"))
                postings.next()
        held = sorted(
            place
            for place, found in places.items()
            if len(found) == len(self.leaf.words) and positions.holds(self.leaf, found)
        )
        weight = self.boost * sum(searcher.idf(self.fieldname, word) for word in self.leaf.words)
        return matching.ListMatcher(held, [weight] * len(held)) if held else matching.NullMatcher()

    def estimate_size(self, reader: Any) -> int:
        return min(int(reader.doc_frequency(self.fieldname, word.encode())) for word in self.leaf.words)

    def is_leaf(self) -> bool:
        return True

    def __hash__(self) -> int:
        return hash((self.fieldname, self.leaf))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AtPlaces) and (other.fieldname, other.leaf) == (self.fieldname, self.leaf)


def _is_ours(path: Path) -> bool:
    try:
        return (path / _MARKER).read_text(encoding="ascii") == _mark(path)
    except (OSError, UnicodeDecodeError):
        return False


def _mark(path: Path) -> str:
    place = path.stat()
    return f"{place.st_dev} {place.st_ino}\n"


def _any(parts: Sequence[wq.Query]) -> wq.Query:
    if not parts:
        return wq.NullQuery
    return parts[0] if len(parts) == 1 else wq.Or(list(parts))


def _unscored(condition: wq.Query) -> wq.Query:
    """The condition, adding nothing to scores: Whoosh's Not adds 1, and so does its ConstantScoreQuery with 0."""
    return _Boosted(condition, 0.0)


def _as_whoosh(document: Document) -> dict[str, object]:
    values = field_values(document)
    facets = {f: _SEPARATOR.join(map(str.encode, v)) for f, v in values.items() if f.startswith("facet_")}
    record: dict[str, object] = {
        **values,
        **facets,
        **{field: str(value).encode() for field, value in facet_dates(document).items()},
        **numeric_values(document),
        **sort_keys(document),
        **word_values(document),
        "author": [word for name in document.authors for word in analysis.words(name)],
    }
    return record
