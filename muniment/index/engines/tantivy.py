"""The default engine, on tantivy.

Fields of the schema: `title`, `text`, `author` hold folded words with positions; `title_stem`, `text_stem` hold stems;
the value fields hold whole values, the facets and the sort keys are columns.

tantivy has no filters in Python, so that words are analysed here and handed over joined by spaces. Hazards that shape
this file: a phrase of one word and `limit=0` panic; a purely negative query matches nothing without a positive part;
the slop of its phrases lets words swap, and is a guess where there are three (see `_two`, looking.py); a
long-lived index object leaks merged files when another process writes, so that each write opens its own.
Where a few documents were added, they are found before all is merged that their commit set merging (merging.py).
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tantivy
from tantivy.tantivy import __version__

from muniment.errors import IndexBehind, Locked, QueryError, StorageError
from muniment.index import analysis, query, sound
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

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from muniment.index.engines.looking import Looking
    from muniment.index.engines.merging import Merging

NAME = f"tantivy {__version__} schema 7"
WRITER_BYTES = {False: 15_000_000, True: 128_000_000}  # for few documents: tables are made, and gone through, in size
FEW_DOCUMENTS = 50
AT_ONCE = 0.02  # seconds until it is clear that segments are being merged
FEW, PAGE, MANY = 2_000, 50_000, 1_000_000
MANY_TERMS = 500
FEW_ALTERNATIVES = 8
IDENTITIES = ("number", "article")
MANY_FORMS = {False: 5_000, True: 150}  # of words at a distance, where no texts are at hand, and where they are
SORT_FIELDS = {
    "newest": ("newest", tantivy.Order.Desc),
    "oldest": ("oldest", tantivy.Order.Asc),
    "captured": ("captured_order", tantivy.Order.Desc),
}


def _build_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for field in query.WORD_FIELDS:
        ordered = "freq" if field in query.UNORDERED_FIELDS else "position"
        builder.add_text_field(field, tokenizer_name="whitespace", index_option=ordered)
    for field in query.STEMMED_FIELDS:
        builder.add_text_field(f"{field}_stem", tokenizer_name="whitespace", index_option="freq")
    for field in query.VALUE_FIELDS:
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in FACETS:
        if field in FACET_DATES:
            builder.add_integer_field(f"facet_{field}", fast=True)
        else:
            builder.add_text_field(f"facet_{field}", tokenizer_name="raw", index_option="basic", fast=True)
    for field in query.NUMBER_FIELDS:
        builder.add_integer_field(field, indexed=field in IDENTITIES, fast=True)  # ranges are looked up in columns
    for field, _ in SORT_FIELDS.values():
        builder.add_integer_field(field, fast=True)
    builder.add_integer_field("version", fast=True)
    return builder.build()


SCHEMA = _build_schema()


class TantivyEngine:
    """An Engine on a folder of tantivy's."""

    texts: Texts | None = None

    def __init__(self, path: Path):
        self._path = path
        self._writer: tantivy.IndexWriter | None = None
        self._many = False  # whether the writer is for many documents
        self._merging: Merging | None = None
        self._base: tantivy.Searcher | None = None
        self._uncommitted: dict[int, int] = {}
        sound.check(path)  # before the library maps a file into memory
        only_read = path.is_dir() and not os.access(path, os.W_OK)
        self._shelter = _shelter(path) if only_read else None
        self._index = _open_index(Path(self._shelter.name) if self._shelter else path)
        with self._telling_damage():
            self._read()

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> TantivyEngine:
        """See `open_engine`."""
        if create and not (path.is_dir() and tantivy.Index.exists(str(path))):
            path.mkdir(parents=True, exist_ok=True)
            write_state(path, NAME, 0)
            tantivy.Index(SCHEMA, path=str(path))
        return cls(path)

    # Writing

    def add(self, documents: Iterable[Document]) -> None:
        coming = iter(documents)
        first = list(itertools.islice(coming, FEW_DOCUMENTS))
        writer = self._open_writer(many=len(first) == FEW_DOCUMENTS)
        for document in itertools.chain(first, coming):
            if (held := self._version(document.number)) > document.version:
                continue
            if held >= 0:
                writer.delete_documents_by_term("number", document.number)
            self._uncommitted[document.number] = document.version
            writer.add_document(_as_tantivy(document))

    def _version(self, number: int) -> int:
        """Of the document with this number, as it will be after the commit; -1 where there is none."""
        if number in self._uncommitted or self._base is None:
            return self._uncommitted.get(number, -1)
        if not self._base.doc_freq("number", number):
            return -1
        held = self._base.search(_term("number", number), 1).hits
        versions = self._base.fast_field_values("version", [address for _, address in held])
        return int(versions[0] or 0) if versions else -1

    def remove(self, numbers: Iterable[int]) -> None:
        writer = self._open_writer()
        for number in numbers:
            writer.delete_documents_by_term("number", number)
            self._uncommitted[number] = -1

    def commit(self, log_size: int, log: str = "") -> None:
        from muniment.index.engines.merging import Merging

        writer = self._open_writer()
        try:
            with self._telling_failure("could not be written"):
                writer.commit()
                self._merging = Merging(writer)
                self._merging.wait(None if self._many else AT_ONCE)
        finally:
            self._forget_writer()
        sound.record(self._path, _committed(self._path))
        write_state(self._path, NAME, log_size, log)
        with self._telling_damage():
            self._read()
        if not self._merging.is_going_on:
            self._merging = None

    def _open_writer(self, *, many: bool = False) -> tantivy.IndexWriter:
        if self._writer is None:
            self._settle()
            sound.check(self._path)
            index = _open_index(self._path)
            try:
                self._writer, self._many = index.writer(WRITER_BYTES[many], num_threads=1), many
            except ValueError as e:
                if "LockBusy" not in str(e):
                    raise StorageError(f"the index at {self._path} cannot be written: {e}") from e
                raise Locked(f"another process writes the index at {self._path}: try again when it is done") from e
            # A killed commit leaves a file of deletions that the next one would make again, and fail for good.
            self._writer.garbage_collect_files()
            self._base = index.searcher()
        return self._writer

    def _settle(self) -> None:
        """Segments that are being merged are waited for, and listed."""
        merging, self._merging = self._merging, None
        if merging is not None:
            with self._telling_failure("could not be merged"):
                merging.wait()
            sound.record(self._path, _committed(self._path))

    @contextmanager
    def _telling_failure(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ValueError, RuntimeError, OSError) as e:
            raise StorageError(f"the index at {self._path} {what}: {e}") from e

    def _forget_writer(self) -> None:
        self._writer, self._base = None, None
        self._uncommitted.clear()

    # Reading

    def refresh(self) -> None:
        sound.check(self._path)
        with self._telling_damage():
            self._read()

    def _telling_damage(self) -> AbstractContextManager[None]:
        return sound.telling_damage(self._path, ValueError, OSError)

    def _read(self) -> None:
        # Before the index, so that the state is never ahead of it.
        self._state = read_state(self._path, NAME)
        self._index.reload()
        self._searcher = self._index.searcher()
        held = self._searcher.terms_with_prefix("language", "")
        self._languages = [tag for tag, _ in held]
        # One search compiles its tree several times.
        self._in_fields = lru_cache(64)(self._compile_leaf)
        self._looking: Looking | None = None

    def state(self) -> State:
        return self._state

    def count(self) -> int:
        return self._searcher.num_docs

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
        # tantivy makes room for as many hits as are asked for.
        limit, offset = min(limit, self.count()), min(offset, self.count())
        compiled = self._compile(self._settled(tree))
        if sort == "relevance" and not query.is_scored(tree):
            sort = "newest"
        if sort == "relevance":
            found = self._searcher.search(compiled, max(limit, 1), offset=offset)
        else:
            field, order = SORT_FIELDS[sort]
            found = self._searcher.search(compiled, max(limit, 1), offset=offset, order_by_field=field, order=order)
        hits = found.hits[:limit]
        numbers = self._searcher.fast_field_values("number", [address for _, address in hits])
        scores = [score for score, _ in hits] if sort == "relevance" else [0.0] * len(hits)
        listed = tuple(map(Hit._make, zip(numbers, scores, strict=True)))
        return Hits(_total(found), listed, self._facets(compiled, facets, facet_limit))

    def facets(self, tree: query.Query, names: Sequence[str], limit: int = 10) -> dict[str, Counts]:
        check_facets(names)
        return self._facets(self._compile(self._settled(tree)), names, limit)

    def _facets(self, compiled: tantivy.Query, names: Sequence[str], limit: int) -> dict[str, Counts]:
        if not names:
            return {}
        # Every segment hands over all of its values: so counts are exact, and how many values there are.
        terms = {"size": MANY, "segment_size": MANY}
        request = {name: {"terms": {"field": f"facet_{name}", **terms}} for name in names}
        answer = self._searcher.aggregate(compiled, request)
        found: dict[str, Counts] = {}
        for name in names:
            buckets = answer[name]["buckets"]
            if name in FACET_DATES:
                found[name] = counts_of_dates([(int(bucket["key"]), bucket["doc_count"]) for bucket in buckets])
            else:
                found[name] = counts_of_values([(bucket["key"], bucket["doc_count"]) for bucket in buckets], limit)
        return found

    def numbers(self, tree: query.Query) -> Iterator[tuple[int, int]]:
        with self._telling_damage():
            if self._is_hopeless(tree):
                return
            searcher = self._searcher
            for page in self._in_order(searcher, self._compile(self._settled(tree)), "number", tantivy.Order.Asc):
                articles = searcher.fast_field_values("article", [address for _, address in page])
                for (number, _), article in zip(page, articles, strict=True):
                    yield number, int(article or 0)

    def stream(self, tree: query.Query, *, sort: Sort = "relevance") -> Iterator[Hit]:
        with self._telling_damage():
            searcher, compiled = self._searcher, self._compile(self._settled(tree))
            if sort == "relevance" and not query.is_scored(tree):
                sort = "newest"
            if sort == "relevance":
                pages = self._by_relevance(searcher, compiled)
            else:
                pages = self._in_order(searcher, compiled, *SORT_FIELDS[sort])
            for page in pages:
                numbers = searcher.fast_field_values("number", [address for _, address in page])
                for number, (score, _) in zip(numbers, page, strict=True):
                    yield Hit(int(number or 0), score if sort == "relevance" else 0.0)

    def _settled(self, tree: query.Query) -> query.Query:
        """The tree, with the numbers of the documents in place of words at a distance that tantivy cannot tell."""
        if not any(map(query.is_wide, query.leaves(tree))):
            return tree
        from muniment.index.engines.looking import Looking

        if self._looking is None:
            self._looking = Looking(self.numbers, lambda leaf: _forms(leaf) <= MANY_FORMS[self.texts is not None])
        return self._looking.settled(tree, self.texts)

    def _in_order(
        self, searcher: tantivy.Searcher, compiled: tantivy.Query, field: str, order: tantivy.Order
    ) -> Iterator[list[Any]]:
        """Pages of (value, address) by a field that no two documents share a value of: each begins behind the last.

        tantivy makes room for as many hits as are asked for, which is slow where all are, and they are few mostly.
        """
        size, rest = FEW, compiled
        while page := searcher.search(rest, size, order_by_field=field, order=order).hits:
            yield page
            if len(page) < size:
                return
            last, size = page[-1][0], PAGE
            low, high = (last, None) if order == tantivy.Order.Asc else (None, last)
            beyond = _number_range(query.Range(field, low, high, False, False))
            clauses = [(tantivy.Occur.Must, compiled), (tantivy.Occur.Must, _unscored(beyond))]
            rest = tantivy.Query.boolean_query(clauses)

    def _by_relevance(self, searcher: tantivy.Searcher, compiled: tantivy.Query) -> Iterator[list[Any]]:
        """Pages of (score, address): scores are no place to go on from, so that each page passes over those before."""
        size, passed = FEW, 0
        while page := searcher.search(compiled, size, offset=passed).hits:
            yield page
            if len(page) < size:
                return
            passed, size = passed + size, PAGE

    def languages(self) -> Sequence[str]:
        return self._languages

    def frequencies(self, field: str, words: Sequence[str]) -> list[int]:
        return [self._searcher.doc_freq(field, word) for word in words]

    def vocabulary(self, field: str, start: str, limit: int) -> Sequence[tuple[str, int]]:
        return self._searcher.terms_with_prefix(field, start, limit=limit)

    def weights(self, leaf: query.Leaf, number: int) -> list[Weight]:
        from muniment.index.engines.weighing import weighed

        return weighed(self._searcher, _term("number", number), leaf, self._in_field)

    def _is_hopeless(self, tree: query.Query) -> bool:
        """Whether a condition that all matches must meet is met by none: spares a search what it costs otherwise."""
        parts = tree.parts if isinstance(tree, query.And) else (tree,)
        return any(
            isinstance(part, query.Term)
            and part.field in query.VALUE_FIELDS
            and not self._searcher.doc_freq(part.field, part.word)
            for part in parts
        )

    def close(self) -> None:
        if self._writer is not None:
            self._writer.rollback()
            self._forget_writer()
        self._settle()
        if self._shelter is not None:
            self._shelter.cleanup()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # The query tree in tantivy's terms

    def _compile(self, tree: query.Query) -> tantivy.Query:
        match tree:
            case query.And(parts):
                return self._conjunction(parts)
            case query.Or() | query.Term() | query.Phrase() | query.Near():
                return _any(self._alternatives(tree))
            case query.Not():
                return self._conjunction((tree,))
            case query.Everything():
                return _unscored(tantivy.Query.all_query())
            case query.Nothing():
                return tantivy.Query.empty_query()
            case query.Boosted(part, factor):
                return tantivy.Query.boost_query(self._compile(part), factor)
            case query.Range(field) if field in query.NUMBER_FIELDS:
                return _unscored(_number_range(tree))
            case query.AnyOf(field, values):
                return _unscored(_one_of(field, values))
            case query.Prefix() | query.Wildcard() | query.Fuzzy() | query.Range():
                return _any(self._alternatives(tree))

    def _alternatives(self, tree: query.Query) -> list[tantivy.Query]:
        """Queries, any of which may match. Flat, because each level of unions costs as much as the search itself."""
        match tree:
            case query.Or(parts):
                return [alternative for part in parts for alternative in self._alternatives(part)]
            case query.Term() | query.Phrase() | query.Near() | query.Prefix() | query.Wildcard() | query.Fuzzy():
                found = self._in_fields(tree)
            case query.Range(field) if field not in query.NUMBER_FIELDS:
                found = self._in_fields(tree)
            case _:
                found = [self._compile(tree)]
        return found

    def _compile_leaf(self, leaf: query.Leaf) -> list[tantivy.Query]:
        if leaf.field in query.VALUE_FIELDS:
            return [_unscored(part) for part in self._in_field(leaf.field, leaf)]
        return [
            _boosted(part) if field == "title" else part
            for field in query.fields_of(leaf)
            for part in self._in_field(field, leaf)
        ]

    def _conjunction(self, parts: Sequence[query.Query]) -> tantivy.Query:
        must, must_not = tantivy.Occur.Must, tantivy.Occur.MustNot
        excluded = [
            (must_not, alternative)
            for part in parts
            if isinstance(part, query.Not)
            for alternative in self._alternatives(part.part)
        ]
        filters = [(must, self._compile(part)) for part in parts if _is_filter(part)]
        others = [part for part in parts if not _is_filter(part) and not isinstance(part, query.Not)]
        wanted = [self._alternatives(part) for part in others]
        if len(wanted) == 1 and 1 < len(wanted[0]) <= FEW_ALTERNATIVES and filters:
            # The filters go into each alternative: a union that is not led by its filter is worked out in full.
            wanted = [[tantivy.Query.boolean_query([(must, one), *filters]) for one in wanted[0]]]
            filters = []
        clauses = [*((must, _any(alternatives)) for alternatives in wanted), *filters, *excluded]
        if len(clauses) == len(excluded):
            clauses.append((must, self._compile(query.Everything())))
        return tantivy.Query.boolean_query(clauses)

    def _in_field(self, field: str, leaf: query.Leaf) -> list[tantivy.Query]:
        match leaf:
            case query.Term(_, word) if field in query.STEMMED_FIELDS:
                stem_field = f"{field}_stem"
                forms = analysis.stem_forms(word, self._languages)
                return [_term(stem_field, form) for form in forms if self._searcher.doc_freq(stem_field, form)]
            case query.Term(_, word):
                return [_term(field, word)]
            case query.Phrase(_, words) | query.Near(_, words) if field in query.UNORDERED_FIELDS and len(words) > 1:
                return []
            case query.Phrase(_, words, slop):
                return _phrases(field, words, slop)
            case query.Near(_, words, distance):
                return _near(field, words, distance)
            case query.Prefix(_, start):
                # By far the fastest of the ways to ask for a prefix: no mistakes, and any end.
                return [tantivy.Query.fuzzy_term_query(SCHEMA, field, start, 0, prefix=True)]
            case query.Wildcard(_, pattern):
                return [_wildcard(field, pattern)]
            case query.Fuzzy(_, word, distance):
                return [tantivy.Query.fuzzy_term_query(SCHEMA, field, word, distance, transposition_cost_one=False)]
            case query.Range():
                # tantivy has no ranges of text.
                held = (word for word, _ in self._searcher.terms_with_prefix(field, ""))
                inside = [word for word in held if query.is_within(word, leaf)]
                return [tantivy.Query.term_set_query(SCHEMA, field, inside)]
            case query.AnyOf(_, values):
                return [_one_of(field, values)]


def _committed(path: Path) -> Callable[[str], bool]:
    """Whether a file of this name belongs to the last commit's segments, whose names it begins with."""
    import json

    try:
        listed = json.loads((path / "meta.json").read_bytes())["segments"]
        segments = {segment["segment_id"].replace("-", "") for segment in listed}
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise StorageError(f"the index at {path} could not be written: {e}") from e
    return lambda name: name.partition(".")[0] in segments


def _shelter(path: Path) -> TemporaryDirectory[str]:
    """A folder of links to the index's files: tantivy makes a lock file beside an index that it only reads."""
    from tempfile import TemporaryDirectory

    folder = TemporaryDirectory(prefix="muniment-", ignore_cleanup_errors=True)
    for file in path.iterdir():
        if not file.name.endswith(".lock"):
            Path(folder.name, file.name).symlink_to(file.absolute())
    return folder


def _open_index(path: Path) -> tantivy.Index:
    try:
        index = tantivy.Index.open(str(path))
        index.config_reader("manual")
        index.reload()
    except (ValueError, OSError) as e:
        raise IndexBehind(f"no index that can be opened at {path}: run muniment reindex") from e
    return index


def _as_tantivy(document: Document) -> tantivy.Document:
    fields: dict[str, object] = {
        **field_values(document),
        **facet_dates(document),
        **numeric_values(document),
        **sort_keys(document),
        **{field: " ".join(words) for field, words in word_values(document).items()},
        "author": [" ".join(analysis.words(name)) for name in document.authors],
    }
    return tantivy.Document(**fields)


def _total(found: Any) -> int:
    # Any, because the library's stub does not know of `count`.
    total: int = found.count
    return total


def _term(field: str, word: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(SCHEMA, field, word)


def _any(parts: Sequence[tantivy.Query]) -> tantivy.Query:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return tantivy.Query.empty_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])


def _is_filter(part: query.Query) -> bool:
    """Whether the part is a quick condition on values, without a score."""
    match part:
        case query.Term(field) | query.Range(field) | query.AnyOf(field):
            return field in query.VALUE_FIELDS or field in query.NUMBER_FIELDS
        case _:
            return False


def _one_of(field: str, values: Sequence[int] | Sequence[str]) -> tantivy.Query:
    """Any of the values; a set of terms, which is looked up in the whole dictionary, is faster for many only."""
    if field in query.NUMBER_FIELDS and field not in IDENTITIES:
        return _any([_number_range(query.Range(field, value, value)) for value in values])
    if len(values) <= MANY_TERMS:
        return _any([_term(field, value) for value in values])
    return tantivy.Query.term_set_query(SCHEMA, field, values)


def _unscored(compiled: tantivy.Query) -> tantivy.Query:
    return tantivy.Query.const_score_query(compiled, 0.0)


def _boosted(compiled: tantivy.Query) -> tantivy.Query:
    return tantivy.Query.boost_query(compiled, query.TITLE_BOOST)


def _wildcard(field: str, pattern: str) -> tantivy.Query:
    try:
        return tantivy.Query.regex_query(SCHEMA, field, query.wildcard_regex(pattern))
    except ValueError as e:  # the automaton has too many states: the query language refuses such a pattern before
        raise QueryError("this pattern is too complex: use fewer letters, * and ?", pattern) from e


def _phrases(field: str, words: Sequence[str], slop: int) -> list[tantivy.Query]:
    if len(words) == 1:
        return [_term(field, words[0])]
    if len(words) == 2:
        return _two(field, words, slop + 1)
    gaps = itertools.product(range(1, slop + 2), repeat=len(words) - 1)
    forms = (zip(itertools.accumulate((0, *gap)), words, strict=True) for gap in gaps)
    return [tantivy.Query.phrase_query(SCHEMA, field, list(form)) for form in forms]


def _two(field: str, words: Sequence[str], reach: int) -> list[tantivy.Query]:
    """Two words in this order, at most `reach` places apart. Of two words, tantivy's slop is how far they are from the
    places asked for, either way; so that the places from 1 to an odd number are those around the middle."""
    odd = reach - 1 + reach % 2
    found = [tantivy.Query.phrase_query(SCHEMA, field, [(0, words[0]), ((1 + odd) // 2, words[1])], (odd - 1) // 2)]
    if odd != reach:
        found.append(tantivy.Query.phrase_query(SCHEMA, field, [(0, words[0]), (reach, words[1])]))
    return found


def _near(field: str, words: Sequence[str], distance: int) -> list[tantivy.Query]:
    if len(words) == 1:
        return [_term(field, words[0])]
    if len(words) == 2 and words[0] != words[1]:
        return [tantivy.Query.phrase_query(SCHEMA, field, [(0, words[0]), (0, words[1])], distance)]
    if len(words) == 2:
        return _two(field, words, distance)
    if distance < len(words) - 1:  # there is no room, and more orders than can be gone through
        return []
    # The first of them at 0, whichever that is, and the others anywhere behind.
    forms = {
        tuple(sorted(zip((0, *behind), order, strict=True)))
        for order in set(itertools.permutations(words))
        for behind in itertools.combinations(range(1, distance + 1), len(words) - 1)
    }
    return [tantivy.Query.phrase_query(SCHEMA, field, list(form)) for form in sorted(forms)]


def _forms(leaf: query.Leaf) -> int:
    """How many exact phrases a leaf of several words stands for, about."""
    if isinstance(leaf, query.Phrase):
        return int((leaf.slop + 1) ** (len(leaf.words) - 1))
    if not isinstance(leaf, query.Near):
        return 1
    return math.perm(max(leaf.distance, 1), len(leaf.words) - 1) * len(leaf.words)


def _number_range(leaf: query.Range) -> tantivy.Query:
    if leaf.low is None and leaf.high is None:
        return tantivy.Query.exists_query(leaf.field)
    return tantivy.Query.range_query(
        SCHEMA,
        leaf.field,
        tantivy.FieldType.Integer,
        leaf.low,
        leaf.high,
        leaf.include_low or leaf.low is None,
        leaf.include_high or leaf.high is None,
    )
