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

_NAMING = ("WARC-Record-ID", "WARC-Concurrent-To", "WARC-Refers-To")


def own_leaf(
    catalog: Catalog, leaf_of: Callable[[int], Leaf], imported: Imported, key: str | None, at: str
) -> int | None:
    """The number of the leaf that holds this very record, and those beside it; `key` is the identity of its address.

    Of what was withdrawn, the leaf holds the record still: its export brings nothing back.
    """
    original = imported.original
    headers = sound_headers(original.head, original.block.size, at)
    if headers is None:
        return None
    if imported.kind == "record" and says_withdrawn(original.block.start(64)):
        return catalog.buried_as(original.digest)
    digests = {original.digest, *(companion.original.digest for companion in imported.companions)}
    for number in _candidates(catalog, headers, key):
        if digests <= set(leaf_of(number).records):
            return number
    return None


def _candidates(catalog: Catalog, headers: Mapping[str, str], key: str | None) -> Iterator[int]:
    """The leaves that have the record's UUID or one that it names, and what was made or said of these, or of nothing in
    particular."""
    if key is None and headers.get("Content-Type") == "application/json":
        yield from catalog.acts_with(headers["WARC-Record-ID"].removeprefix("<urn:uuid:").removesuffix(">"))
    for name in _NAMING:
        identity = headers.get(name, "").removeprefix("<urn:uuid:").removesuffix(">")
        number = catalog.identified(identity, key) if identity else None
        if number is not None:
            yield number
            if name == "WARC-Refers-To":
                yield from catalog.about(number)
