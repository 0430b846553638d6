"""Every feed, sitemap and robots.txt of $MUNIMENT_DATA/feeds, read in the limited workers as `muniment feed` reads it.

Each file gives entries, or a named problem with its place; the slowest file and the largest process are told, and
feedparser on the same files where it is installed (`pip install feedparser`), for what both name and for its time.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.common import table
from bench.memory import family
from muniment.ingest.clean.workers import Workers
from muniment.ingest.discover.dates import moment_of
from muniment.ingest.discover.listing import Listing, ReadJob
from muniment.ingest.discover.reading import read_listing
from muniment.ingest.robots import Rules, decode_robots

BASE = "http://base.example/folder/feed.xml"
PLACE = re.compile(r"^(?:line|byte) \d|entry \d+ first$")
FOLDERS = ("feedparser", "gofeed", "rome", "opml-feed-lists", "sitemaps", "url-normalisation")


def main() -> None:
    folder = os.environ.get("MUNIMENT_DATA")
    root = Path(folder or "") / "feeds"
    if not folder or not root.is_dir():
        print("discovering: skipped, MUNIMENT_DATA names no folder with feeds")
        return
    with Workers(2) as workers:
        listings(root, workers)
        hostile(workers)
    robots(root)
    beside_feedparser(root)


def files(folder: Path) -> Iterator[Path]:
    return (p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(("ORIGIN", "LICENSE")))


def listings(root: Path, workers: Workers) -> None:
    rows = []
    for name in FOLDERS:
        counts: Counter[str] = Counter()
        slowest, entries = 0.0, 0
        for path in files(root / name):
            begun = time.perf_counter()
            listing = workers.read(ReadJob(path.read_bytes(), "", BASE)).result()
            slowest = max(slowest, time.perf_counter() - begun)
            counts[outcome(listing)] += 1
            entries += len(listing.entries) + len(listing.more)
        outcomes = ("entries", "entries and a problem", "a problem with its place", "neither")
        rows.append([name, counts.total(), *(counts[kind] for kind in outcomes), f"{entries:,}", f"{slowest:.2f}"])
    head = ["", "files", "entries", "both", "a problem with its place", "neither", "named", "slowest, s"]
    table("feeds and sitemaps: what each file gives", head, rows)


def outcome(listing: Listing) -> str:
    has = bool(listing.entries or listing.more)
    if listing.problem is None:
        return "entries" if has else "neither"
    if has:
        return "entries and a problem"
    return "a problem with its place" if PLACE.search(listing.problem) else "neither"


def hostile(workers: Workers) -> None:
    """Files that nobody should have to read."""
    url = "<url><loc>http://x.example/{:08d}</loc><lastmod>2026-11-22</lastmod></url>"
    urls = "".join(map(url.format, range(200_000)))
    nested = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    made = {
        "sitemap of 50 MB": f"<urlset>{(urls * 4)[:50_000_000]}".encode(),
        "a billion laughs": f'<!DOCTYPE r [<!ENTITY e0 "ha">{nested}]><rss><channel>&e9;</channel></rss>'.encode(),
        "1,000,000 nested elements": b"<rss>" + b"<item>" * 1_000_000,
        "an attribute of 30 MB": b'<feed><entry a="' + b"a" * 30_000_000 + b'"/></feed>',
        "a text of 30 MB": b"<rss><channel><item><title>" + b"a" * 30_000_000 + b"</title></item></channel></rss>",
        "2,000,000 CDATA starts": b"<rss><channel>" + b"<![CDATA[" * 2_000_000,
        "20,000,000 ampersands": b"<rss><channel><title>" + b"&" * 20_000_000,
        "JSON nested 1,000,000 deep": b'{"items":' + b"[" * 1_000_000,
        "a document type without end": b"<!DOCTYPE rss [" + b"<!ELEMENT a ANY>" * 500_000,
        "NULs": b"\0" * 1_000_000,
    }
    rows = []
    before = peak()
    for name, payload in made.items():
        begun = time.perf_counter()
        found = workers.read(ReadJob(payload, "", BASE)).result()
        seconds = time.perf_counter() - begun
        rows.append([name, f"{seconds:.2f}", f"{len(found.entries):,}", (found.problem or "")[:80]])
    table("hostile documents", ["", "seconds", "entries", "problem"], rows)
    largest = max(before, peak())
    print(f"largest process so far: {largest / 1e6:.0f} MB of address space in use at its peak (limit 1,074)\n")


def peak() -> float:
    """The highest peak of resident memory of the worker processes, in bytes."""
    most = 0
    for pid in family(os.getpid())[1:]:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        most = max(most, *(int(m[1]) * 1024 for m in re.finditer(r"VmHWM:\s+(\d+)", status)))
    return max(most, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1024 if sys.platform == "linux" else 1))


def robots(root: Path) -> None:
    counts: Counter[str] = Counter()
    slowest = 0.0
    for path in files(root / "robots" / "protego-4231-sites"):
        data = path.read_bytes()
        begun = time.perf_counter()
        rules, text = Rules(data), decode_robots(data)
        allowed = rules.allows(f"https://{path.name}/news/2026/11/story", "muniment")
        delay = rules.crawl_delay("muniment")
        listing = read_listing(ReadJob(data, "text/plain", f"https://{path.name}/robots.txt"))
        slowest = max(slowest, time.perf_counter() - begun)
        counts["files"] += 1
        counts["allow an article"] += allowed
        counts["ask for a delay"] += delay > 0
        counts["name sitemaps"] += listing.kind == "robots" and bool(listing.more)
        counts["sitemaps"] += len(listing.more) if listing.kind == "robots" else 0
        counts["begin with a mark"] += data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
        counts["mark left in the text"] += text.startswith("\ufeff")
        counts["are HTML"] += re.match(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body)", data, re.I) is not None
        counts["HTML that forbids"] += not allowed and re.match(rb"\s*<(?:!doctype|html)", data, re.I) is not None
        counts["not UTF-8"] += not is_utf8(data)
    table(f"robots.txt (slowest {slowest:.2f} s)", ["", "files"], list(counts.items()))


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def beside_feedparser(root: Path) -> None:
    try:
        import feedparser
    except ImportError:
        print("beside feedparser: skipped, it is not installed\n")
        return
    same: Counter[str] = Counter()
    ours_time = theirs_time = 0.0
    for name in ("feedparser", "gofeed", "rome"):
        for path in (p for p in files(root / name) if p.suffix in (".xml", ".rss", ".atom", ".rdf")):
            data = path.read_bytes()
            begun = time.process_time()
            theirs = feedparser.parse(data, response_headers={"content-location": BASE}).entries
            between = time.process_time()
            ours = read_listing(ReadJob(data, "", BASE)).entries
            theirs_time, ours_time = theirs_time + between - begun, ours_time + time.process_time() - between
            named = [entry for entry in theirs if str(entry.get("link") or "").startswith("http")]
            same["files"] += 1
            same["same addresses"] += [entry.link.strip() for entry in named] == [entry.url for entry in ours]
            same["fewer addresses than feedparser"] += len(ours) < len(named)
            same["more addresses than feedparser"] += len(ours) > len(named)
            if len(ours) == len(named):
                for one, other in zip(ours, named, strict=True):
                    same["entries compared"] += 1
                    same["same date"] += same_date(one.published or one.updated, other)
    rows = [[what, f"{count:,}"] for what, count in same.items()]
    rows.append(["CPU seconds: muniment, feedparser", f"{ours_time:.2f}, {theirs_time:.2f}"])
    table("beside feedparser", ["", ""], rows)


def same_date(written: str, other: Any) -> bool:
    import calendar

    theirs = other.get("published_parsed") or other.get("updated_parsed")
    moment = moment_of(written) if written else None
    return (calendar.timegm(theirs) if theirs else None) == (int(moment.timestamp()) if moment else None)


if __name__ == "__main__":
    main()
