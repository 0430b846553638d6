"""The default engine, on tantivy; compiling.py has the schema and puts queries in its terms.

tantivy has no filters in Python, so that words are analysed here and handed over joined by spaces. Hazards that shape
this file: `limit=0` panics; a long-lived index object leaks merged files when another process writes, so that each
write opens its own. Where a few documents were added, they are found before all is merged that their commit set
merging (merging.py).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tantivy
from tantivy.tantivy import __version__

from muniment.errors import IndexBehind, Locked, StorageError
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
from muniment.index.engines.compiling import SCHEMA, SORT_FIELDS, Compiler, forms_of, number_range, term, unscored
from muniment.index.facets import FACET_DATES, Counts, check_facets, counts_of_dates, counts_of_values
from muniment.index.holding import Hold

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from muniment.index.engines.looking import Looking
    from muniment.index.engines.merging import Merging

NAME = f"tantivy {__version__} schema 7"
# Tables are made, and gone through, in size; the larger, the fewer segments, each of which a search looks into.
WRITER_BYTES = {False: 15_000_000, True: 256_000_000}  # for few documents, and for many
FEW_DOCUMENTS = 50
AT_ONCE = 0.1  # seconds after which segments are clearly being merged, however busy the machine
M_MMAP_THRESHOLD, LARGE = -3, 512 * 1024  # see mallopt(3)
FEW, PAGE, MANY = 2_000, 50_000, 1_000_000
MANY_FORMS = {False: 5_000, True: 150}  # of words at a distance, where no texts are at hand, and where they are


class TantivyEngine:
    """An Engine on a folder of tantivy's."""

    texts: Texts | None = None
    most_uncommitted = 1_000_000_000

    def __init__(self, path: Path):
        self._path = path
        self._writer: tantivy.IndexWriter | None = None
        self._many = False  # whether the writer is for many documents
        self._merging: Merging | None = None
        self._base: tantivy.Searcher | None = None
        self._uncommitted: dict[int, int] = {}
        self._shelter: TemporaryDirectory[str] | None = None
        self._hold = Hold(path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        sound.check(self._path)  # before the library maps a file into memory
        if not os.access(self._path, os.W_OK):
            self._shelter = _shelter(self._path)
        self._index = _open_index(Path(self._shelter.name) if self._shelter else self._path)
        with self._telling_damage():
            self._read()

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> TantivyEngine:
        """See `open_engine`."""
        if create and not (path.is_dir() and tantivy.Index.exists(str(path))):
            path.mkdir(parents=True, exist_ok=True)
            write_state(path, NAME, 0)
            with sound.telling_failure(path, "could not be made", ValueError):
                tantivy.Index(SCHEMA, path=str(path))
        return cls(path)

    # Writing

    def add(self, documents: Iterable[Document]) -> None:
        coming = iter(documents)
        first = list(itertools.islice(coming, FEW_DOCUMENTS))
        # Nothing yet is asked for by who wants the lock for a build, and holds the writer until its first commit.
        writer = self._open_writer(many=not first or len(first) == FEW_DOCUMENTS)
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
        held = self._base.search(term("number", number), 1).hits
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
            if many:
                _give_memory_back()
            sound.check(self._path)
            index = _open_index(self._path)
            try:
                self._writer, self._many = index.writer(WRITER_BYTES[many], num_threads=1), many
            except ValueError as e:
                if "LockBusy" not in str(e):
                    raise StorageError(f"the index at {self._path} cannot be written: {e}") from e
                raise Locked(f"another process writes the index at {self._path}: try again when it is done") from e
            # A killed commit leaves a file of deletions that the next one would make again, and fail for good.
            with self._telling_failure("could not be written"):
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

    def _telling_failure(self, what: str) -> AbstractContextManager[None]:
        return sound.telling_failure(self._path, what, ValueError, RuntimeError, OSError)

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
        self._compiler = Compiler(self._searcher, self._languages)
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
        compiled = self._compiled(tree)
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
        return self._facets(self._compiled(tree), names, limit)

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
            if self._compiler.is_hopeless(tree):
                return
            searcher = self._searcher
            for page in self._in_order(searcher, self._compiled(tree), "number", tantivy.Order.Asc):
                articles = searcher.fast_field_values("article", [address for _, address in page])
                for (number, _), article in zip(page, articles, strict=True):
                    yield number, int(article or 0)

    def stream(self, tree: query.Query, *, sort: Sort = "relevance") -> Iterator[Hit]:
        with self._telling_damage():
            searcher, compiled = self._searcher, self._compiled(tree)
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

    def _compiled(self, tree: query.Query) -> tantivy.Query:
        return self._compiler.compile(self._settled(tree))

    def _settled(self, tree: query.Query) -> query.Query:
        """The tree, with the numbers of the documents in place of words at a distance that tantivy cannot tell."""
        if not any(map(query.is_wide, query.leaves(tree))):
            return tree
        from muniment.index.engines.looking import Looking

        if self._looking is None:
            self._looking = Looking(self.numbers, lambda leaf: forms_of(leaf) <= MANY_FORMS[self.texts is not None])
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
            beyond = number_range(query.Range(field, low, high, False, False))
            clauses = [(tantivy.Occur.Must, compiled), (tantivy.Occur.Must, unscored(beyond))]
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

        return weighed(self._searcher, term("number", number), leaf, self._compiler.in_field)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.rollback()
            self._forget_writer()
        self._settle()
        if self._shelter is not None:
            self._shelter.cleanup()
        self._hold.release()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@lru_cache(1)
def _give_memory_back() -> None:
    """Has the C library return large pieces of memory as soon as they are freed.

    glibc keeps pieces as large as those that it has seen freed, in each of a writer's threads: tantivy's tables are of
    1 MB, and an index of a million articles was made with 810 MB, of which most was free.
    """
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another library, or another system
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


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
