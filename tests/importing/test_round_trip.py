"""An archive's export, imported into another archive and into the one that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from import_run import findings, run, workers
from record_files import http, new_id, page, record

from muniment import pipeline
from muniment.adding import Added, AddOptions
from muniment.archive.archive import Archive, create
from muniment.discovering.plan import Plan
from muniment.ingest.fetch import Fetcher
from muniment.ingest.policy import FetchPolicy
from muniment.ingest.requisites import RequisiteFetcher
from muniment.ingest.upload import Target
from muniment.model import Declared
from muniment.remaking import clean_job
from tests.conftest import NOW
from tests.discovering.newspaper import Newspaper, Page, story
from tests.export.exporting import run as command

LETTER = b"""From: Ann Example <ann@a.example>\r\nSubject: The harbour\r\nDate: Mon, 1 Jun 2026 10:00:00 +0200
Message-ID: <1@a.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x
Content-Type: text/plain; charset=utf-8\r\n\r\nThe harbour master read the letter twice, and answered it.
--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Disposition: attachment; filename=caf.txt
Content-Transfer-Encoding: 8bit\r\n\r\nThe caf\xe9 at the quay was closed on the day of the storm.\r\n--x
Content-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\nContent-Transfer-Encoding: base64\r\n
iVBORw0KGgo=\r\n--x--\r\n"""


@pytest.fixture(scope="module")
def paper() -> Iterator[Newspaper]:
    with Newspaper() as running:
        yield running


def add(root: Path, fetcher: Any, *targets: Target) -> list[Added]:
    with Archive(root) as archive:
        return list(pipeline.add(archive, targets, lambda: fetcher, AddOptions(workers=workers())))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, paper: Newspaper) -> Path:
    """An archive of pages, versions, a feed, documents, letters, and what was withdrawn."""
    base = tmp_path_factory.mktemp("filled")
    root, fetcher = create(base / "archive", "test.example/log", NOW).root, plain()
    paper.pages["/old"] = Page(b"", status=302, headers={"Location": "/story/1"}, tagged=False)
    paper.pages["/story/5"] = Page(story(5, extra='<img src="/5.png"><link rel=stylesheet href="/s.css">'))
    paper.pages["/5.png"] = Page(b"\x89PNG\r\n\x1a\n", "image/png")
    paper.pages["/s.css"] = Page(b"p {}", "text/css")
    paper.pages["/list.html"] = Page(b"<html><head><link rel=alternate type=application/rss+xml href=/feed.xml></head>")

    def url(path: str, **declared: Any) -> Target:
        return Target(path, url=paper.url + path, declared=Declared(**declared))

    add(root, fetcher, url("/old"), url("/gone"), url("/story/6", title="Declared", tags=("sea", "tide")))
    add(root, RequisiteFetcher(fetcher), url("/story/5"))
    paper.pages["/story/6"] = Page(story(7, title="A later version"))
    add(root, fetcher, url("/story/6"), url("/story/1"))
    with Archive(root) as archive:
        plan, options = Plan("feed", (f"{paper.url}/list.html",)), AddOptions(workers=workers())
        list(pipeline.discover(archive, plan, fetcher, options))
    files = {
        "post.eml": LETTER,
        "notes.md": b"---\ntitle: Notes on the tide\ndate: 2024-05-01\n---\n# Tide\n\nThe tide came in at six.\n",
        "box.mbox": b"From a@b.example Mon Jan  1 00:00:00 2024\nFrom: a@b.example\nSubject: One\n\nFirst letter of two.\n\n"
        b"From a@b.example Mon Jan  1 00:00:00 2024\nFrom: a@b.example\nSubject: Two\n\nSecond letter of two.\n",
        "bytes.bin": b"\x00\x01\x02",
        "secret.html": page("A secret"),
    }  # fmt: skip
    for name, content in files.items():
        (base / name).write_bytes(content)
    targets = [Target(name, path=base / name) for name in files if name != "secret.html"]
    said = Declared(url="http://b.example/s", published="2020-02", authors=("Ann", "Bo"), source="The Sound")
    targets.append(Target("declared", path=base / "secret.html", declared=said))
    targets.append(Target("note", content=b"A note by hand, of some words.", declared=Declared(title="By hand")))
    add(root, fetcher, *targets)
    (secret,) = add(root, fetcher, Target("secret.html", path=base / "secret.html"))
    with Archive(root) as archive, archive.writer() as writer:
        writer.withdraw(secret.snapshot or 0, "a court said so")
    return root


def plain() -> Fetcher:
    return Fetcher(FetchPolicy(allow_private=True, retries=0), sleep=lambda seconds: None)


def described(root: Path) -> list[tuple[Any, ...]]:
    """Every article version with all that is known of it, and the job that it was made by."""
    rows = []
    with Archive(root) as archive:
        for number, derivation in archive.catalog.derived():
            snapshot = archive.snapshot(number)
            if snapshot.withdrawn is None:
                article, job = archive.article(snapshot), clean_job(archive, number, derivation)
                labels = (
                    snapshot.uri,
                    snapshot.url,
                    snapshot.key,
                    snapshot.captured_at,
                    snapshot.source,
                    snapshot.tags,
                )
                rows.append((*labels, article, job))
    return sorted(rows, key=lambda row: (row[0], row[3]))


def counts(root: Path) -> dict[str, int]:
    with Archive(root) as archive:
        found = archive.catalog.counts()
    return {kind: count for kind, count in found.items() if kind != "segment"}


@pytest.mark.parametrize("form", ["warc", "wacz"])
def test_an_export_gives_the_same_articles_in_another_archive(filled: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / ("all.warc.gz" if form == "warc" else "all.wacz")
    command("export", "--format", form, "-o", target, archive=filled)
    root = create(tmp_path / "archive", "other.example/log", NOW).root
    added = run(root, target)
    assert [item.error for item in added if item.state == "failed"] == []
    ours, theirs = described(filled), described(root)
    assert len(ours) >= 14 and [row[:4] for row in theirs] == [row[:4] for row in ours]
    for one, other in zip(ours, theirs, strict=True):
        assert other == one
    assert findings(root) == []
    before = counts(root)
    assert {item.state for item in run(root, target)} == {"unchanged"} and counts(root) == before
    onward = tmp_path / "onward.warc.gz"
    command("export", "--format", "warc", "-o", onward, archive=root)
    third = create(tmp_path / "third", "third.example/log", NOW).root
    run(third, onward)
    assert described(third) == ours


@pytest.mark.parametrize("options", [("--format", "warc"), ("--format", "wacz"), ("--format", "warc", "--derived")])
def test_an_export_that_comes_home_doubles_nothing(filled: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    target = tmp_path / ("all.wacz" if "wacz" in options else "all.warc.gz")
    command("export", *options, "-o", target, archive=filled)
    before, articles = counts(filled), described(filled)
    added = run(filled, target)
    assert [item.state for item in added if item.state != "unchanged"] == ["kept"], "the export's own warcinfo"
    assert counts(filled) == {**before, "record": before.get("record", 0) + 1}
    assert described(filled) == articles and findings(filled) == []


def test_a_rendered_page_of_anybody_is_an_article_and_what_was_made_beside_it_is_none(
    root: Path, tmp_path: Path
) -> None:
    def resource(uri: str, block: bytes, media: str) -> bytes:
        return record("resource", block, uri, media=media)

    url = "http://a.example/p"
    shown = page("Shown in the caf\xe9").replace(b"<head>", b"<head><meta charset=windows-1252>")
    path = tmp_path / "crawl.warc"
    path.write_bytes(
        resource(f"urn:dom:{url}", shown, "text/html")
        + resource(f"urn:text:{url}", b"As it is shown, in words.", "text/plain")
        + resource(f"urn:pageinfo:{url}", b"{}", "application/json")
        + resource(f"urn:fullPage:{url}", b"\x89PNG", "image/png")
        + resource(f"urn:pdf:{url}", b"%PDF-1.4", "application/pdf")
        + resource(f"urn:view:{url}", b"\x89PNG", "image/png")
        + resource(f"screenshot:{url}", b"\x89PNG", "image/png")
        + resource(f"thumbnail:{url}", b"\xff\xd8", "image/jpeg")
    )
    added = run(root, path)
    assert [item.state for item in added] == ["stored"] + ["kept"] * 7
    assert (added[0].title, added[0].url, added[0].source) == ("Shown in the caf\xe9", url, "a.example")
    with Archive(root) as archive:
        assert archive.snapshot(added[0].snapshot or 0).key == "a.example/p"


def test_what_a_stranger_declares_in_our_name_cannot_harm(root: Path, tmp_path: Path) -> None:
    said = b"".join(
        b"%s: %s\r\n" % line
        for line in (
            (b"client", b"muniment/9"), (b"declared-published", b"soon"), (b"declared-language", b"\x1b[2J"),
            (b"declared-title", b"\x1b[31mRed " + b"a" * 9000), (b"articleKey", b"victim.example/"),
            (b"feed-title", b"\x00\xff"), (b"importedRecord", b"sha256:00"), (b"declared-author", b" "),
        )
    )  # fmt: skip
    identity, path = new_id(), tmp_path / "crawl.warc"
    beside = ("WARC-Concurrent-To", identity)
    metadata = record("metadata", said, "http://a.example/p", beside, media="application/warc-fields")
    path.write_bytes(record("response", http(page("One")), "http://a.example/p", identity=identity) + metadata)
    (added,) = run(root, path)
    assert added.state == "stored" and (added.title or "").startswith("[31mRed aaa") and added.published is None
    with Archive(root) as archive:
        snapshot = archive.snapshot(added.snapshot or 0)
        assert snapshot.key == "a.example/p" and len(snapshot.title or "") <= 2000
    assert findings(root) == []


def test_what_an_import_only_kept_is_no_article_in_another_archive_either(root: Path, tmp_path: Path) -> None:
    crawl, export = tmp_path / "crawl.warc", tmp_path / "export.warc.gz"
    media = {
        "p": "text/html",
        "s.css": "text/css",
        "a.js": "text/javascript",
        "x.json": "application/json",
        "i": "image/png",
    }
    bodies = {name: page("One") if name == "p" else b"{}" for name in media}
    crawl.write_bytes(
        b"".join(
            record("response", http(bodies[name], kind), f"http://a.example/{name}") for name, kind in media.items()
        )
    )
    assert [item.state for item in run(root, crawl)] == ["stored", *["kept"] * 4]
    command("export", "--format", "warc", "-o", export, archive=root)
    other = create(tmp_path / "other", "other.example/log", NOW).root
    assert [item.url for item in run(other, export) if item.state == "stored"] == ["http://a.example/p"]
    assert described(other) == described(root)
