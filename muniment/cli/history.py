"""`muniment history`"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from muniment.cli.common import (
    PATH,
    common_options,
    counted,
    echo,
    faint,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    textless,
)
from muniment.cli.numbers import ADDRESS
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.leaf import Leaf
    from muniment.versions.timeline import Event


@click.command()
@click.argument("what", type=PATH, metavar="URL|FILE|N")
@click.option("--all", "everything", is_flag=True, help="Minor changes, and what was made anew of the same bytes, too.")
@json_option
@common_options
@click.pass_context
def history(ctx: click.Context, what: str, everything: bool, as_json: bool, quiet: bool) -> None:
    """List what happened to an article: its versions and what changed, visits that found nothing new, removals."""
    archive = open_archive(ctx)
    key = key_of(archive, what)
    events = _events(archive, key)
    if not events:
        note(f"nothing was captured at {one_line(what)}")
        ctx.exit(1)
    address = archive.catalog.address_of if len(archive.catalog.addresses(key)) > 1 else lambda number: key
    shown = [event for event in events if everything or not event.minor]
    for event in _with_rederived(archive, shown) if everything else shown:
        if as_json:
            print_json(_as_json(event))
        else:
            elsewhere = event.kind != "rederived" and address(event.number) != key
            echo(_line(event) + (faint(f"  at {one_line(event.leaf.uri or '')}") if elsewhere else ""))
    if not quiet and not as_json:
        last = {address(event.number): event for event in events}
        anew = 0 if everything else _count_rederived(archive, events)
        note(_summary(events, len(events) - len(shown), anew, list(last.values())))
    ctx.exit(0 if any(event.kind in ("version", "no-text") for event in events) else 1)


def _events(archive: Archive, key: str) -> list[Event]:
    from muniment.versions.timeline import timeline

    digests = {number: digest for number, _, digest in archive.catalog.versions(key)}
    return list(timeline(archive.catalog.history(key), digests, archive.text, lambda *of: _location(archive, *of)))


def _with_rederived(archive: Archive, events: list[Event]) -> list[Event]:
    from muniment.versions.rederived import rederivations

    return sorted([*events, *rederivations(archive, events)], key=lambda event: (event.leaf.date, event.number))


def _count_rederived(archive: Archive, events: list[Event]) -> int:
    from muniment.versions.rederived import count_rederivations

    return count_rederivations(archive, events)


def _location(archive: Archive, leaf: Leaf, number: int) -> str | None:
    """Where a redirect leads; None for anything else."""
    withdrawn = archive.catalog.withdrawn_by(number) is not None
    if leaf.type != "capture" or withdrawn or leaf.status is None or not 300 <= leaf.status < 400:
        return None
    from muniment.errors import FetchError
    from muniment.ingest.stored import read_stored
    from muniment.ingest.urls import follow

    location = None
    try:
        location = read_stored(archive.records(number)[0].block).location
        return follow(leaf.uri or "", location or "")
    except FetchError:
        return location


def key_of(archive: Archive, what: str) -> str:
    """The identity of the article that a number, an address or a file's path stands for. Raises UsageError."""
    number = what.removeprefix("#")
    if re.fullmatch(r"\d{1,18}", number):
        snapshot = archive.catalog.snapshot(int(number))
        key = snapshot.key if snapshot else archive.catalog.key_of(int(number))
        if key is None:
            raise UsageError(f"#{number} is no snapshot and no attempt of this archive")
        return key
    from muniment.ingest.upload import file_uri
    from muniment.ingest.urls import article_key

    return archive.catalog.article_at(article_key(what if ADDRESS.match(what) else file_uri(what)))


def _as_json(event: Event) -> dict[str, object]:
    leaf, snapshot = event.leaf, event.snapshot
    return {
        "snapshot": event.number,
        "type": leaf.type,
        "event": event.kind,
        "version": event.version,
        "at": leaf.date,
        "uri": leaf.uri,
        "status": leaf.status,
        "of": leaf.of,
        "title": snapshot.title if snapshot else None,
        "published": snapshot.published if snapshot else None,
        "changed": list(event.changed),
        "words_removed": event.removed,
        "words_added": event.added,
        "paragraphs_moved": event.moved,
        "minor": event.minor,
        "payload": f"sha256:{leaf.payload}" if leaf.payload else None,
        "reason": leaf.reason,
        "problem": snapshot.problem if snapshot else None,
        "flags": list(snapshot.flags) if snapshot else [],
        "location": event.location,
        "withdrawn": snapshot.withdrawn if snapshot else None,
        **({"damage": event.damage} if event.damage else {}),
    }


def _line(event: Event) -> str:
    leaf, snapshot = event.leaf, event.snapshot
    head = f"#{event.number}  {leaf.date[:19]}Z"
    if event.version is not None and snapshot is not None:
        title = one_line(snapshot.title or "") or "(no title)"
        again = " again" if event.kind == "again" else ""
        minor = faint("  (minor)") if event.minor else ""
        changes = f"  {faint(_changes(event))}" if event.changed else ""
        flags = "".join("  " + click.style(f"[{one_line(flag)}]", fg="yellow") for flag in snapshot.flags)
        return f"{head}  version {event.version}{again}  {title}{flags}{changes}{minor}"
    match event.kind:
        case "rederived":
            made = f"made anew from #{leaf.of}"
            return faint(
                f"{head}  {made}  {_changes(event) if event.damage else '[' + (_fields(event) or 'the same') + ']'}"
            )
        case "gone":
            return f"{head}  {click.style('gone', fg='red')}: HTTP {(leaf.reason or '').removeprefix('http-')}"
        case "failed":
            return f"{head}  {click.style('failed', fg='red')}: {leaf.reason}"
        case "redirected":
            return f"{head}  HTTP {leaf.status}, leads to {one_line(event.location or '')}"
        case "unchanged" if leaf.reason == "http-304":
            return faint(f"{head}  not modified, says the server")
        case "unchanged":
            return faint(f"{head}  unchanged since #{leaf.of}")
        case "withdrawn":
            return faint(f"{head}  withdrawn by #{snapshot.withdrawn if snapshot else ''}")
        case "no-text":
            if snapshot and snapshot.problem:
                return f"{head}  {textless(snapshot.problem)}"
            return f"{head}  no article: {one_line(', '.join(snapshot.flags) if snapshot else '')}"
    return faint(f"{head}  HTTP {leaf.status}" if leaf.status else f"{head}  no article")


def _fields(event: Event) -> str:
    """`text: 3 words removed; authors`"""
    return "; ".join(
        f"text: {_counts(event)}" if name == "text" else name for name in event.changed if name != "origins"
    )


def _counts(event: Event) -> str:
    counts = [f"{counted(event.removed, 'word')} removed"] * (event.removed > 0)
    counts += [f"{counted(event.added, 'word')} added"] * (event.added > 0)
    counts += [f"{counted(event.moved, 'paragraph')} moved"] * (event.moved > 0)
    return ", ".join(counts) or "signs"


def _changes(event: Event) -> str:
    """`[text: 3 words removed, 12 added; title; date]`"""
    if event.damage is not None:
        return f"[the text cannot be compared: {one_line(event.damage)}]"
    said = [f"text: {_counts(event)}"] if "text" in event.changed else []
    assert event.snapshot is not None
    named = {"date": f"date: {event.snapshot.published or 'none'}", "title": "title", "authors": "authors"}
    said += [named[name] for name in event.changed if name in named]
    return f"[{'; '.join(said)}]"


def _summary(events: list[Event], hidden: int, anew: int, last: list[Event]) -> str:
    """`anew` texts were made anew; `last` is what happened last at each address of the article."""
    versions = max((event.version or 0 for event in events), default=0)
    told = counted(versions, "version") if versions else "no version yet"
    left_out = [counted(hidden, "minor change")] * bool(hidden) + [f"{anew:,} made anew"] * bool(anew)
    if left_out:
        told += f"; {' and '.join(left_out)} not shown: --all"
    if versions and all(event.kind in ("gone", "redirected") for event in last):
        told += f"; {'gone' if events[-1].kind == 'gone' else 'leads elsewhere'} since"
    return told
