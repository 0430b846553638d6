"""Whether a record of an imported file is one of this archive's own: an export that came home."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from muniment.archive.tombstone import says_withdrawn
from muniment.formats.soundness import sound_headers

if TYPE_CHECKING:
    from muniment.archive.catalog import Catalog
    from muniment.formats.leaf import Leaf
    from muniment.model import Imported


def own_leaf(
    catalog: Catalog, leaf_of: Callable[[int], Leaf], imported: Imported, key: str | None, at: str
) -> int | None:
    """The number of the leaf that holds this very record, and those beside it; `key` is the identity of its address.

    Of what was withdrawn, the leaf holds the record still: its export brings nothing back.
    """
    original = imported.original
    digests = {original.digest, *(companion.original.digest for companion in imported.companions)}
    number = catalog.identified(_uuid(original.record_id), key)
    if number is not None and digests <= set(leaf_of(number).records):
        return number
    if imported.kind != "record":
        return None
    if says_withdrawn(original.block.start(64)):
        return catalog.buried_as(original.digest)
    headers = sound_headers(original.head, original.block.size, at) or {}
    return next((n for n in _named(catalog, headers, key) if original.digest in leaf_of(n).records), None)


def _named(catalog: Catalog, headers: Mapping[str, str], key: str | None) -> Iterator[int]:
    """The leaves that a record names, and what was made or said of these, or of nothing in particular."""
    if key is None and headers.get("Content-Type") == "application/json":
        yield from catalog.acts_with(_uuid(headers["WARC-Record-ID"]))
    for name in ("WARC-Concurrent-To", "WARC-Refers-To"):
        number = catalog.identified(_uuid(headers[name]), key) if name in headers else None
        if number is not None:
            yield number
            if name == "WARC-Refers-To":
                yield from catalog.about(number)


def _uuid(record_id: str | None) -> str:
    return (record_id or "").removeprefix("<urn:uuid:").removesuffix(">")
