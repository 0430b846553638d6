"""What became of an item, counted in the report's row of its source: new, changed, unchanged, not modified, failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.jobs.report import PAUSES, Source

if TYPE_CHECKING:
    from muniment.adding import Added
    from muniment.jobs.running import Run


def count_item(run: Run, archive: Archive, added: Added, source: Source) -> None:
    source.tried += 1
    source.listings += added.listing and added.state != "failed"
    source.bytes += added.size
    source.seconds = round(source.seconds + added.seconds, 3)
    if added.state == "failed":
        source.count_failure(added.reason or "failed", added.error or "")
        _count_lost(run, archive, added, source)
    elif added.state == "skipped":
        source.skipped += 1
    elif added.listing or added.snapshot is None or (added.state in ("kept", "unchanged") and not _is_own(run, added)):
        source.not_modified += added.not_modified
        source.unchanged += not added.not_modified
    else:
        _count_version(run, archive, added.snapshot, source)
    if added.url and added.snapshot is not None and not added.listing:
        from muniment.ingest.urls import host_of

        run.hosts.add(host_of(added.url).removeprefix("www."))


def _count_lost(run: Run, archive: Archive, added: Added, source: Source) -> None:
    """A page that came once, or was not asked for before; one that never came is a dead link."""
    if added.start is None or added.listing or added.reason in PAUSES:
        return
    from muniment.ingest.urls import article_key

    came = archive.catalog.came_before(article_key(added.target), run.state.stage_size)
    source.withheld += came is True
    source.refused += came is None


def _is_own(run: Run, added: Added) -> bool:
    """Whether it is only as it was because this run stored it, just before it was cut off, and had not counted it:
    that is known of files, which are read again; pages are not asked for again."""
    was_cut_off = run.is_resumed and run.state.stage == "folders"
    return was_cut_off and added.snapshot is not None and any(added.snapshot in leaves for leaves in run.own())


def _count_version(run: Run, archive: Archive, number: int, source: Source) -> None:
    """New, changed, or other bytes with the same text under the same headline; or bytes that were held, and only
    something said of them is new."""
    if number < run.state.stage_size:
        source.unchanged += 1
        return
    snapshot = archive.catalog.snapshot(number)
    held = archive.catalog.versions(snapshot.key) if snapshot else []
    before = [other for other in held if other[0] < number]
    now = next((text for other, _, text in held if other == number), None)
    if snapshot is None or not before:
        source.new += 1
    elif (now, snapshot.title) == (before[-1][2], archive.snapshot(before[-1][0]).title) or now is None:
        source.unchanged += 1
    else:
        source.changed += 1
