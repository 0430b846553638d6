"""Quality and speed of cleaning on gold corpora, beside trafilatura and htmldate alone on the same pages.

    MUNIMENT_DATA=FOLDER python -m bench.cleaning [--speed]

FOLDER holds scrapinghub-aeb, htmldate, wcxb and messy-cases, or archives of these names' groups unpacked; what is not
there is named and skipped. None of it belongs to the project. F1 is over words, and over runs of four words.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from htmldate import find_date
from lxml.html import HtmlElementClassLookup
from trafilatura import bare_extraction, utils

from muniment.ingest.clean import CleanJob, clean
from muniment.ingest.clean import html as clean_html
from muniment.ingest.decode import MAX_BYTES

CAPTURED = datetime(2026, 11, 22, tzinfo=UTC)
WORD = re.compile(r"\w+")
OPTIONS: dict[str, Any] = {"favor_precision": True, "include_comments": False, "deduplicate": False}


def main() -> None:
    logging.disable(logging.CRITICAL)
    folder = os.environ.get("MUNIMENT_DATA")
    if not folder:
        print("cleaning: skipped, MUNIMENT_DATA names no folder with gold corpora")
        return
    root = Path(folder)
    if "--speed" in sys.argv:
        measures: tuple[Callable[[Path], None], ...] = (speed,)
    else:
        measures = (article_text, publication_dates, declared_metadata, messy_texts)
    for measure in measures:
        try:
            measure(root)
        except FileNotFoundError as e:
            print(f"{measure.__name__}: skipped, {e.filename} is not there")


def article_text(root: Path) -> None:
    ours, alone = [], []
    for page, gold, url in aeb_pages(root):
        ours.append(scores(clean(job(page, uri=url)).text, gold))
        found = bare_extraction(page, **OPTIONS)
        alone.append(scores(getattr(found, "text", None) or "", gold))
    row(f"article text, {len(ours)} pages: word F1, 4-gram F1", mean(ours), "trafilatura", mean(alone))


def publication_dates(root: Path) -> None:
    gold = json.loads((root / "htmldate/eval_default.json").read_text())
    ours = alone = pages = 0
    for url, entry in gold.items():
        path = next((p for d in ("cache", "eval") for p in (root / "htmldate" / d).glob(entry["file"] + "*")), None)
        if path is None:
            continue
        page, pages = content(path), pages + 1
        published = clean(job(page, uri=url)).published
        ours += published is not None and published.date == entry["date"]
        alone += find_date(page, url=url, original_date=True, max_date=f"{CAPTURED:%Y-%m-%d}") == entry["date"]
    row(f"publication date, {pages} pages: right", f"{ours}", "htmldate", f"{alone}")


def declared_metadata(root: Path) -> None:
    right: Counter[str] = Counter()
    pages = 0
    for path in sorted((root / "wcxb/dev/ground-truth").iterdir()):
        gold = json.loads(path.read_text())["ground_truth"]
        page = next((root / "wcxb/dev/html").glob(f"{path.stem}.*"), None)
        if page is None or not gold.get("title"):
            continue
        pages += 1
        data = content(page)
        right["ours"] += key(clean(job(data)).title) == key(gold["title"])
        found = bare_extraction(data, with_metadata=True, **OPTIONS)
        right["alone"] += key(getattr(found, "title", None) or "") == key(gold["title"])
    row(f"title, {pages} pages: exact", f"{right['ours'] / pages:.3f}", "trafilatura", f"{right['alone'] / pages:.3f}")


def messy_texts(root: Path) -> None:
    path = next(root.glob("**/messy-cases/cases-shared.jsonl"), root / "messy-cases/cases-shared.jsonl")
    cases = [json.loads(line) for line in path.read_text().split("\n") if line]
    ours, raw, titles = [], [], []
    for case in cases:
        article = clean(job(case["messy"].encode("utf-8", "replace"), media_type="text/plain"))
        ours.append(scores(article.text, case["gold"]))
        raw.append(scores(case["messy"], case["gold"]))
        if case["title"]:
            titles.append(key(article.title) == key(case["title"]))
    row(f"messy plain text, {len(cases)} cases: word F1, 4-gram F1", mean(ours), "untouched", mean(raw))
    print(f"  title exact {statistics.mean(titles):.3f}")


def speed(root: Path) -> None:
    """CPU time a page, ours and bare by turns (another page each, so that neither warms the other's caches)."""
    pages = [(page, url) for page, _, url in aeb_pages(root)]
    for page, url in pages:
        clean(job(page, uri=url))
    plain = clean_html._pinned_loader.__wrapped__
    ours = bare = 0.0
    for i, (page, url) in enumerate(pages):
        plain()
        start = time.process_time()
        clean(job(page, uri=url))
        ours += time.process_time() - start
        utils.HTML_PARSER.set_element_class_lookup(HtmlElementClassLookup())  # as trafilatura has it
        other = pages[i - len(pages) // 2][0]
        start = time.process_time()
        bare_extraction(other, **OPTIONS)
        bare += time.process_time() - start
    each = 1000 / len(pages)
    row("CPU milliseconds a page", f"{ours * each:.1f}", "trafilatura", f"{bare * each:.1f}")
    print(f"  pages a second, of the bare extractor's: {bare / ours:.3f}")


def aeb_pages(root: Path) -> Iterator[tuple[bytes, str, str]]:
    """(page, gold text, url) of each page of scrapinghub's article extraction benchmark."""
    for name, gold in json.loads((root / "scrapinghub-aeb/ground-truth.json").read_text()).items():
        page = content(next((root / "scrapinghub-aeb/html").glob(f"{name}*")))
        yield page, gold["articleBody"], gold["url"]


def job(payload: bytes, *, media_type: str = "text/html", uri: str = "") -> CleanJob:
    return CleanJob(payload=payload[:MAX_BYTES], media_type=media_type, captured_at=CAPTURED, uri=uri)


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def scores(found: str, gold: str) -> tuple[float, float]:
    return f1(found, gold, 1), f1(found, gold, 4)


def f1(found: str, gold: str, n: int) -> float:
    a, b = runs(found, n), runs(gold, n)
    return 2 * (a & b).total() / (a.total() + b.total()) if a and b else float(not a and not b)


def runs(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text.lower())
    return Counter(tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1)) if words)


def key(text: str) -> str:
    return " ".join(WORD.findall(text.lower()))


def mean(pairs: list[tuple[float, float]]) -> str:
    return ", ".join(f"{statistics.mean(column):.4f}" for column in zip(*pairs, strict=True))


def row(what: str, ours: str, peer: str, theirs: str) -> None:
    print(f"{what}\n  muniment {ours} · {peer} {theirs}")


if __name__ == "__main__":
    main()
