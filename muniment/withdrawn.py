"""What was withdrawn, for `is:withdrawn`: it has left the index with its words, and this is what may still be said.

A search for it is answered from an index made for the question, of what the log keeps: address, day of capture, tags
and collections. So facets, sorts and pages are those of any search. Withdrawals are few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.errors import QueryError
from muniment.index import query
from muniment.index.engine import Document, Engine, open_engine
from muniment.indexing import hosts_of
from muniment.kinds import kinds_of
from muniment.search.conditions import WITHDRAWN

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.snapshot import Snapshot

_ASKED = re.compile(r"""\bis:["'“]?withdrawn""", re.IGNORECASE)
KEPT = ("source", "host", "tag", "collection", "kind", "captured", "number", "article")


def place_in(text: str) -> int | None:
    """Where a query asks for what was withdrawn."""
    found = _ASKED.search(text)
    return found.start() if found else None


def is_asked_for(tree: query.Query, text: str = "") -> bool:
    """Whether the tree, of the query `text`, is about what was withdrawn. Raises QueryError where it is about other
    articles as well."""
    if not any(leaf == WITHDRAWN for leaf in query.leaves(tree)):
        return False
    if WITHDRAWN not in _parts(tree):
        raise QueryError(
            "is:withdrawn stands beside the other conditions, and not in OR or NOT: search for it by itself",
            text,
            place_in(text),
        )
    for part in _parts(tree):
        for leaf in query.leaves(part):
            if leaf != WITHDRAWN and leaf.field not in KEPT:
                raise QueryError(
                    "of what was withdrawn no words, languages and dates of publication are left: beside is:withdrawn"
                    " write site:, source:, captured:, kind:, tag: or collection:",
                    text,
                )
    return True


def without(tree: query.Query) -> query.Query:
    """The other conditions."""
    return query.conjunction([query.Everything(), *(part for part in _parts(tree) if part != WITHDRAWN)])


@contextmanager
def opened(archive: Archive) -> Iterator[Engine]:
    """An index of what was withdrawn."""
    from tempfile import TemporaryDirectory

    with (
        TemporaryDirectory(prefix="muniment-", ignore_cleanup_errors=True) as folder,
        open_engine("tantivy", Path(folder), create=True) as engine,
    ):
        engine.add(_documents(archive))
        engine.commit(0)
        yield engine


def _documents(archive: Archive) -> Iterator[Document]:
    for snapshot in archive.catalog.snapshots(archive.catalog.in_state("withdrawn")):
        url = _address(snapshot)
        yield Document(
            number=snapshot.number,
            article=snapshot.key,
            latest=True,
            alone=True,
            title="",
            text="",
            captured=snapshot.captured_at,
            source=source(archive, snapshot),
            hosts=hosts_of(url),
            tags=tuple(archive.catalog.labels_of(snapshot.key, "tag")),
            collections=tuple(archive.catalog.labels_of(snapshot.key, "collection")),
            kinds=kinds_of(snapshot),
        )


def source(archive: Archive, snapshot: Snapshot) -> str | None:
    """The source by what is left: the name that its host has in the archive, or the host."""
    from muniment.ingest.urls import host_of, source_of

    url = _address(snapshot)
    if url is None:
        return None
    named, host = archive.catalog.source_name, source_of(url)
    return named(host_of(url)) or named(host) or host


def _address(snapshot: Snapshot) -> str | None:
    return snapshot.url or (snapshot.uri if snapshot.uri.startswith(("http://", "https://")) else None)


def _parts(tree: query.Query) -> tuple[query.Query, ...]:
    """The conditions that all hold, those of conjunctions inside one another too."""
    if not isinstance(tree, query.And):
        return (tree,)
    return tuple(inner for part in tree.parts for inner in _parts(part))
