"""Exports for whoever asks: what a selection finds, written whole to a path. The formats are below `export/`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, UsageError

if TYPE_CHECKING:
    from muniment.export.job import Job
    from muniment.export.members import Members
    from muniment.export.selection import Selection


def check_target(target: Path, form: str, force: bool) -> None:
    """Before any work: may this be written? A folder that is no bag is never replaced."""
    if form == "wacz" and target.suffix != ".wacz":
        raise UsageError(f"{target}: the name of a WACZ file ends in .wacz")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {target.absolute().parent}: make it first")
    if not target.exists() and not target.is_symlink():
        return
    if not force:
        raise UsageError(f"{target} is there already: use another name, or --force to take its place")
    replaceable = (target / "bagit.txt").is_file() if form == "bagit" else target.is_file()
    if not replaceable or target.is_symlink():
        raise UsageError(f"{target} is no {'bag' if form == 'bagit' else 'file'}: it is not replaced, use another name")


def remove_unfinished(target: Path) -> None:
    """What exports to this path left beside it that were killed; of a failure to remove it, nothing else depends."""
    import glob
    import shutil

    for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def select(
    archive: Archive, members: Members, numbers: tuple[int, ...], query: str | None, versions: bool
) -> Selection:
    """What a search finds, these snapshots, or everything. Raises QueryError, IndexBehind."""
    from muniment.export import selection

    if query is not None:
        return selection.select(archive, members, _found(archive, query, versions), f"search: {query}")
    if numbers:
        return selection.select(archive, members, numbers)
    return selection.select_all(archive)


def _found(archive: Archive, query: str, versions: bool) -> list[int]:
    from muniment import pipeline

    search = pipeline.Search(query, sort="captured", limit=None, versions=versions, snippets=False)
    results = pipeline.find(archive, search)
    if results.indexed < results.articles:
        lacking = results.articles - results.indexed
        raise IndexBehind(
            f"the index lacks {lacking:,} article versions, so some might be missing: run `muniment reindex`"
        )
    return [hit.snapshot.number for hit in results.hits]


def write(job: Job, form: str, target: Path, *, derived: bool = False) -> None:
    """The export at its path, whole or not at all. Raises StorageError."""
    from muniment.durable import new_file, new_folder

    if form == "bagit":
        from muniment.export.bagit import write_bag

        with new_folder(target) as folder:
            write_bag(job, folder)
    else:
        with new_file(target) as file:
            write_file(job, form, file, target.name, derived=derived)


def write_file(job: Job, form: str, file: BinaryIO, name: str, *, derived: bool = False) -> None:
    """Into an open file; `name` is what a WARC file says of itself."""
    if form == "warc":
        from muniment.export.warc import write_warc

        write_warc(job, job.selection.derived if derived else job.selection.captures, name, file.write)
    elif form == "wacz":
        from muniment.export.wacz import write_wacz

        write_wacz(job, file)
    else:
        from muniment.export.tables import write_csv, write_jsonl

        (write_jsonl if form == "jsonl" else write_csv)(job, file.write)
