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
)
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.leaf import Leaf
    from muniment.model import Snapshot

_URI = re.compile(r"https?:|file:/|ni:/|urn:", re.I)  # what an item may be kept under; a file's name may hold a colon


@click.command()
@click.argument("what", type=PATH, metavar="URL|FILE|N")
@json_option
@common_options
@click.pass_context
def history(ctx: click.Context, what: str, as_json: bool, quiet: bool) -> None:
    """List everything that happened to an article: its versions, visits that found nothing new, failed attempts."""
    archive = open_archive(ctx)
    events = archive.catalog.history(_key(archive, what))
    if not events:
        note(f"nothing was captured at {one_line(what)}")
        ctx.exit(1)
    version = 0
    for snapshot, leaf, number in events:
        is_version = leaf.type == "capture" and snapshot is not None and snapshot.derivation is not None
        version += is_version
        location = _location(archive, leaf, number)
        if as_json:
            print_json(_event(snapshot, leaf, number, version if is_version else None, location))
        else:
            echo(_line(snapshot, leaf, number, version if is_version else None, location))
    note(counted(version, "version") if version else "no version yet", quiet=quiet or as_json)
    ctx.exit(0 if version else 1)


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


def _key(archive: Archive, what: str) -> str:
    number = what.removeprefix("#")
    if re.fullmatch(r"\d{1,18}", number):
        snapshot = archive.catalog.snapshot(int(number))
        key = snapshot.key if snapshot else archive.catalog.key_of(int(number))
        if key is None:
            raise UsageError(f"#{number} is no snapshot and no attempt of this archive")
        return key
    from muniment.ingest.upload import file_uri
    from muniment.ingest.urls import article_key

    return article_key(what if _URI.match(what) else file_uri(what))


def _event(
    snapshot: Snapshot | None, leaf: Leaf, number: int, version: int | None, location: str | None
) -> dict[str, object]:
    return {
        "snapshot": number,
        "type": leaf.type,
        "version": version,
        "at": leaf.date,
        "uri": leaf.uri,
        "status": leaf.status,
        "of": leaf.of,
        "title": snapshot.title if snapshot else None,
        "published": snapshot.published if snapshot else None,
        "payload": f"sha256:{leaf.payload}" if leaf.payload else None,
        "reason": leaf.reason,
        "location": location,
        "withdrawn": snapshot.withdrawn if snapshot else None,
    }


def _line(snapshot: Snapshot | None, leaf: Leaf, number: int, version: int | None, location: str | None) -> str:
    when = leaf.date[:19] + "Z"
    if version is not None and snapshot is not None:
        return f"#{number}  {when}  version {version}  {one_line(snapshot.title or '')}"
    if leaf.type == "revisit":
        return faint(f"#{number}  {when}  unchanged since #{leaf.of}")
    if leaf.reason == "http-304":
        return faint(f"#{number}  {when}  not modified, says the server")
    if leaf.type == "attempt":
        return f"#{number}  {when}  {click.style('failed', fg='red')}: {leaf.reason}"
    if snapshot is not None and snapshot.withdrawn is not None:
        return faint(f"#{number}  {when}  withdrawn by #{snapshot.withdrawn}")
    if location is not None:
        return f"#{number}  {when}  HTTP {leaf.status}, leads to {one_line(location)}"
    return faint(f"#{number}  {when}  HTTP {leaf.status}" if leaf.status else f"#{number}  {when}  no article")
