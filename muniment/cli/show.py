"""`muniment show`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    common_options,
    echo,
    faint,
    iso,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    safe_text,
    strong,
    textless,
)
from muniment.cli.numbers import NUMBER, NUMBER_OR_ADDRESS
from muniment.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.formats.leaf import Leaf
    from muniment.model import Article, Snapshot


_TWINS = 10
_NEWEST = 1 << 62  # past every leaf
_NEAR = 10  # leaves within which others write the picture of a page behind the page; we write it before


@click.command()
@click.argument("what", type=NUMBER_OR_ADDRESS, metavar="N|URL")
@click.option("--raw", is_flag=True, help="The payload's bytes, as received (transfer coding removed).")
@click.option("--record", is_flag=True, help="The WARC records, as stored.")
@click.option("--derivation", type=NUMBER, metavar="K", help="The text of this derivation of N, an older one too.")
@click.option("--open", "in_browser", is_flag=True, help="Open the cleaned text in a browser.")
@json_option
@common_options
@click.pass_context
def show(
    ctx: click.Context,
    what: int | str,
    raw: bool,
    record: bool,
    derivation: int | None,
    in_browser: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show snapshot N, or the one that stands for the article at URL: the text, the bytes, the WARC records, or all
    metadata."""
    archive = open_archive(ctx)
    number = what if isinstance(what, int) else _at(archive, what)
    leaf = archive.leaf(number)
    if derivation is not None:
        if raw or record or in_browser:
            raise UsageError("--derivation shows a text: leave --raw, --record and --open out (show K --record)")
        _print_derivation(archive, number, derivation, as_json, quiet)
        return
    if record:
        for raw_record in archive.raw_records(number):
            sys.stdout.buffer.write(raw_record)
        return
    if leaf.type in ("attempt", "segment", "record") and not raw and not in_browser:
        _print_leaf(leaf, number, as_json)
        return
    if leaf.type not in ("capture", "revisit", "derivation") and not raw and not in_browser:
        _print_act(archive, leaf, number, as_json)
        return
    snapshot = archive.snapshot(number)
    if snapshot.withdrawn is not None and not as_json:
        _print_withdrawn(archive, snapshot)
        return
    if raw:
        sys.stdout.buffer.write(_payload(archive, snapshot))
    elif in_browser:
        _open_in_browser(archive, snapshot)
    elif as_json:
        print_json(_metadata(archive, snapshot))
    else:
        _print_article(archive, snapshot, quiet)


def _at(archive: Archive, address: str) -> int:
    """The newest good snapshot of the article at an address; where none is one, of what was captured there: a feed, a
    picture, a page as a browser showed it (`urn:fullPage:URL`)."""
    from muniment.cli.history import key_of

    found = archive.catalog.newest(key_of(archive, address)) or archive.catalog.newest_before(address, _NEWEST)
    if found is None:
        raise UsageError(f"no article was captured at {one_line(address)}: `muniment history` tells what was tried")
    return found


def _print_derivation(archive: Archive, number: int, derivation: int, as_json: bool, quiet: bool) -> None:
    """An older text, or the one in use, with who made it."""
    from muniment.archive.records import describe_article
    from muniment.versions.reading import read_derivation

    snapshot = archive.snapshot(number)
    found = read_derivation(archive, snapshot.number, derivation)
    if as_json:
        described = describe_article(found.article, snapshot.source, snapshot.tags)
        print_json({"snapshot": snapshot.number, "derivation": derivation, "at": archive.leaf(derivation).at,
                    "in_use": derivation == snapshot.derivation, **described, "text": found.article.text})  # fmt: skip
        return
    if not quiet:
        if found.article.title:
            echo(strong(one_line(found.article.title)))
        used = "" if derivation == snapshot.derivation else f", superseded by #{snapshot.derivation}"
        lines = {
            "snapshot": f"#{snapshot.number}",
            "derivation": f"#{derivation}{used}",
            "made": archive.leaf(derivation).at[:19] + "Z",
            "extractor": found.article.extractor,
        }
        for name, value in lines.items():
            echo(f"{faint(f'{name:<10}')} {one_line(value)}")
        echo()
    if found.article.text:
        echo(safe_text(found.article.text))
    else:
        note(f"#{derivation} has {textless(found.article.problem or '')}")


def _print_leaf(leaf: Leaf, number: int, as_json: bool) -> None:
    """What the log says of a leaf that is no snapshot."""
    facts = {"type": leaf.type, "uri": leaf.uri, "at": leaf.date, "status": leaf.status, "reason": leaf.reason}
    if as_json:
        print_json({"snapshot": number, **facts})
        return
    for name, value in facts.items():
        if value is not None:
            echo(f"{faint(f'{name:<10}')} {one_line(str(value))}")
    what = {"attempt": "a failed attempt", "record": "a record of an imported file, and no capture"}
    note(f"#{number} is {what.get(leaf.type, 'no article')}; --record shows its records")


def _print_act(archive: Archive, leaf: Leaf, number: int, as_json: bool) -> None:
    """What somebody said or did, and when."""
    act = archive.catalog.act(number)
    said: dict[str, Any] = act[4] if act else {}
    facts = {"type": leaf.type, "at": leaf.at, "of": leaf.of, **said, "size": leaf.size, "key": leaf.key}
    facts |= {"files": sorted(leaf.files) if leaf.files else None, "reason": facts.get("reason") or leaf.reason}
    if as_json:
        print_json({"snapshot": number, **facts})
        return
    for name, value in facts.items():
        if value not in (None, [], ()):
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            echo(f"{faint(f'{name:<10}')} {one_line(text)}")


def _print_withdrawn(archive: Archive, snapshot: Snapshot) -> None:
    """Why there is nothing to be shown. Raises UsageError, so that a program that asked for bytes gets none."""
    act = archive.catalog.act(snapshot.withdrawn or 0)
    when, why = (act[3][:10], one_line(act[4].get("reason", ""))) if act else ("", "")
    raise UsageError(f"#{snapshot.number} was withdrawn on {when} by #{snapshot.withdrawn}: {why}")


def _payload(archive: Archive, snapshot: Snapshot) -> bytes:
    """The payload: of a revisit, the one that it refers to."""
    from muniment.ingest.stored import read_stored

    number = snapshot.number
    if snapshot.type == "revisit":
        number = archive.leaf(number).of or number
    record = archive.records(number)[0]
    if record.type == "response" and record.block.startswith(b"HTTP/"):
        return read_stored(record.block).body
    if record.type not in ("resource", "response"):
        raise IntegrityError(f"the first record of #{number} is a {record.type}, not a capture")
    return record.block


def _open_in_browser(archive: Archive, snapshot: Snapshot) -> None:
    """Writes the cleaned text as a page of our own, for a captured page would run its scripts and phone home."""
    import html
    import tempfile
    import webbrowser
    from pathlib import Path

    article = archive.article(snapshot)
    title, text = (article.title, article.text) if article else (snapshot.uri, "")
    paragraphs = "".join(f"<p dir=auto>{html.escape(line)}</p>" for line in text.split("\n"))
    page = (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<body style='max-width:40em;margin:2em auto;font:1.1em/1.5 serif'><h1 dir=auto>{html.escape(title)}</h1>"
        f"<p><small>#{snapshot.number}, captured {iso(snapshot)}, {html.escape(snapshot.uri)}</small></p>{paragraphs}"
    )
    path = Path(tempfile.mkdtemp(prefix="muniment-")) / f"{snapshot.number}.html"
    path.write_text(page, encoding="utf-8")
    note(str(path))
    webbrowser.open(path.as_uri())


def _metadata(archive: Archive, snapshot: Snapshot) -> dict[str, object]:
    from muniment.alike import twins
    from muniment.export.describe import describe
    from muniment.export.members import Members

    with Members(archive) as members:
        described = describe(archive, members, snapshot.number)
    return {
        **described,
        "also_in": [
            {"snapshot": twin.snapshot.number, "source": twin.snapshot.source, "title": twin.snapshot.title,
             "url": twin.snapshot.url, "published": twin.snapshot.published, "likeness": round(twin.likeness, 3)}
            for twin in twins(archive, snapshot)
        ],
    }  # fmt: skip


def _print_article(archive: Archive, snapshot: Snapshot, quiet: bool) -> None:
    article = archive.article(snapshot)
    if not quiet:
        _print_head(archive, snapshot, article)
    if article is not None and article.text:
        echo(safe_text(article.text))
    elif article is not None:
        note(f"#{snapshot.number} has {textless(article.problem or '')}; --raw shows its bytes")
    else:
        note(f"#{snapshot.number} is {_described(snapshot)}; --raw shows its bytes, --record its records")


def _described(snapshot: Snapshot) -> str:
    if snapshot.type == "revisit":
        return f"a revisit of {snapshot.uri}: the same bytes as before"
    return f"no article (HTTP {snapshot.status})" if snapshot.status else "no article"


def _print_head(archive: Archive, snapshot: Snapshot, article: Article | None) -> None:
    if snapshot.title:
        echo(strong(one_line(snapshot.title)))
    published = snapshot.published or "unknown"
    if article is not None and article.published is not None:
        published += f" ({article.published.origin})"
    updated = article.updated if article is not None else None
    twins = archive.catalog.addresses(snapshot.key)
    lines = {
        "snapshot": f"#{snapshot.number}",
        "address": snapshot.url or snapshot.uri,
        "source": snapshot.source or "unknown",
        "published": published,
        "updated": f"{updated.date} ({updated.origin})" if updated else "",
        "captured": iso(snapshot),
        "authors": ", ".join(snapshot.authors),
        "language": snapshot.language or "",
        "confidence": "" if snapshot.confidence is None else f"{snapshot.confidence:.2f}",
        "flags": ", ".join(snapshot.flags),
        "canonical": article.canonical or "" if article is not None and article.canonical != snapshot.url else "",
        "twins": ", ".join(twins) if len(twins) > 1 else "",
        "tags": ", ".join(snapshot.tags),
        "in": ", ".join(snapshot.collections),
        **_belongings(archive, snapshot),
        "payload": snapshot.payload,
        "texts": _derivations(archive, snapshot),
        "also in": _also_in(archive, snapshot),
    }
    for name, value in lines.items():
        if value:
            echo(f"{faint(f'{name:<10}')} {one_line(value)}")
    for number, kind, _, at, content in archive.catalog.acts(snapshot.number):
        if kind == "note":
            echo(f"{faint('note      ')} {one_line(content.get('text') or 'withdrawn')} (#{number}, {at[:10]})")
    echo()


def _belongings(archive: Archive, snapshot: Snapshot) -> dict[str, str]:
    """Which file it was, what it came with, and how a browser showed it."""
    from muniment.export.members import Members
    from muniment.ingest.urls import page_of

    try:
        with Members(archive) as members:
            facts = members.facts(snapshot.number)
    except IntegrityError:  # damage is told where the text is read
        facts = {}
    newest_before, shown = archive.catalog.newest_before, dict[str, str]()
    whole = next(iter(facts.get("partOf", ())), None)
    if whole is not None:
        number = newest_before(whole, _NEWEST)
        first = archive.leaf(number).of or number if number is not None else None
        shown["part of"] = f"#{first}" if first is not None else whole
    if snapshot.uri.startswith("urn:dom:"):
        page = page_of(snapshot.uri)
        for name, kind in (("picture", "fullPage"), ("pdf", "pdf")):
            view, number = f"urn:{kind}:{page}", snapshot.number
            found = newest_before(view, number) or newest_before(view, number + _NEAR)
            shown |= {name: f"#{found}"} if found else {}
    return {"file": ", ".join(facts.get("fileName", ())), **shown}


def _derivations(archive: Archive, snapshot: Snapshot) -> str:
    """Where there are several: which is shown, and which were before."""
    made = archive.catalog.made_of(snapshot.number)
    return ", ".join(f"#{n}{' (shown)' * (n == snapshot.derivation)}" for n in made) if len(made) > 1 else ""


def _also_in(archive: Archive, snapshot: Snapshot) -> str:
    """Who else tells the same story, nearly word for word."""
    from muniment.alike import twins

    found = [f"{twin.snapshot.source or 'unknown'} (#{twin.snapshot.number})" for twin in twins(archive, snapshot)]
    more = [f"and {len(found) - _TWINS:,} more"] if len(found) > _TWINS else []
    return ", ".join(found[:_TWINS] + more)
