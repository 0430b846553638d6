"""Quality of cleaning on gold corpora, beside seven extractors on the same pages in the same run, with pinned floors.

    MUNIMENT_DATA=FOLDER python -m bench.extraction [--only CORPUS[,CORPUS]] [--alone] [--pin]
    MUNIMENT_DATA=FOLDER python -m bench.extraction --speed
    MUNIMENT_DATA=FOLDER python -m bench.extraction --determinism

FOLDER holds scrapinghub-aeb, wcxb, fundus-multilingual, htmldate and messy-cases; what is not there is named and
skipped. None of it belongs to the project. `--alone` leaves the other extractors out. `bench/floors.json` holds the
least that each figure may be, with the digest of the corpus that it was measured on: a figure under its floor fails
the run, and so does a corpus of another digest. `--pin` raises the floors to this run's figures; it never lowers one.

The peers that are no dependencies of the project go into an environment of their own, for readability-lxml asks for
lxml's extras in a way that pip before 23.3 does not resolve:

    python3.11 -m venv .peers && .peers/bin/python -m pip install --upgrade pip
    .peers/bin/python -m pip install --config-settings editable_mode=compat --editable '.[bench]'
    .peers/bin/python -m pip install readability-lxml==0.9
    .peers/bin/python -m bench.extraction

No extractor gets to open a connection while it is measured.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import gold
from bench.extractors import Extract, available
from bench.gold import Case, Corpus
from bench.scoring import f1, key, recalls, shingle_f1
from muniment.ingest.clean import CleanJob, clean, dates
from muniment.ingest.decode import MAX_BYTES, NoText, read
from muniment.model import Article

CAPTURED = datetime(2026, 11, 22, tzinfo=UTC)
FLOORS = Path(__file__).with_name("floors.json")
OURS = "muniment"
Figures = dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.extraction")
    parser.add_argument("--only", default="aeb,wcxb,fundus,htmldate,messy", help="corpora, by commas")
    parser.add_argument("--alone", action="store_true", help="without the other extractors")
    parser.add_argument("--speed", action="store_true", help="CPU time a page beside trafilatura, and nothing else")
    parser.add_argument("--determinism", action="store_true", help="the same bytes, the same text; and nothing else")
    parser.add_argument("--pin", action="store_true", help="raise the floors to this run's figures")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    folder = os.environ.get("MUNIMENT_DATA")
    if not folder:
        print("extraction: skipped, MUNIMENT_DATA names no folder with gold corpora")
        return 0
    root = Path(folder)
    if options.speed:
        return speed(gold.aeb(root))
    if options.determinism:
        from bench.determinism import run

        return run(root)
    extractors = [] if options.alone else list(available())
    for name in (name for name, extract in extractors if extract is None):
        print(f"{name}: left out, not installed")
    sys.addaudithook(_refuse_connections)
    measures: dict[str, Callable[[], tuple[Corpus, Figures]]] = {
        "aeb": lambda: article_pages(gold.aeb(root), extractors),
        "wcxb": lambda: article_pages(gold.wcxb(root), extractors),
        "fundus": lambda: article_pages(gold.fundus(root), extractors),
        "htmldate": lambda: dated_pages(gold.dated(root)),
        "messy": lambda: messy_texts(gold.messy(root)),
    }
    failed = False
    for name in options.only.split(","):
        try:
            corpus, figures = measures[name]()
        except FileNotFoundError as e:
            print(f"{name}: skipped, {e.filename} is not there")
            continue
        failed |= not held(corpus, figures, pin=options.pin)
    return int(failed)


def article_pages(
    corpus: Corpus, extractors: Iterable[tuple[str, Callable[[str], str] | None]]
) -> tuple[Corpus, Figures]:
    """Body, title, authors and date of pages, ours and each extractor's."""
    articles = [clean(job(case.page, uri=case.url)) for case in corpus.cases]
    bodies = {OURS: [article.text for article in articles]}
    for name, extract in extractors:
        if extract is not None:
            bodies[name] = [_extracted(extract, case) for case in corpus.cases]
    print(f"\n{corpus.name}: {len(corpus.cases)} pages; body, F1 of 4-word shingles · 4-grams a page · words a page")
    figures: Figures = {}
    for name, texts in bodies.items():
        pairs = [(text, case.body or "") for text, case in zip(texts, corpus.cases, strict=True)]
        shingles, grams, single = shingle_f1(pairs), fmean(f1(*p, 4) for p in pairs), fmean(f1(*p, 1) for p in pairs)
        print(f"  {name:28} {shingles:.4f} · {grams:.4f} · {single:.4f}")
        if name == OURS:
            figures |= {"body shingle F1": shingles, "body 4-gram F1": grams, "body word F1": single}
    _by_group("language", [_language(case) for case in corpus.cases], corpus, bodies)
    if corpus.name == "fundus":
        _by_group("country", [case.group for case in corpus.cases], corpus, bodies)
    return corpus, figures | _metadata(corpus, articles)


def _language(case: Case) -> str:
    """The language that a page's root element names, without its region."""
    root = re.search(rb"<html\b[^>]*?\slang\s*=\s*[\"']?([A-Za-z]{2,3})\b", case.page[:100_000])
    return root[1].decode().lower() if root else "unnamed"


def _extracted(extract: Extract, case: Case) -> str:
    try:
        return extract(read(case.page, "text/html", None, None, None).text)
    except NoText:
        return ""
    except Exception:  # noqa: BLE001 - a peer that fails on a page has no text for it
        return ""


def _by_group(kind: str, groups: Sequence[str], corpus: Corpus, bodies: dict[str, list[str]]) -> None:
    """The languages or countries in which we are below trafilatura's default."""
    default = next((name for name in bodies if name.startswith("trafilatura default")), None)
    if default is None:
        return
    below = []
    for group in sorted(set(groups)):
        rows = [i for i, each in enumerate(groups) if each == group]
        ours, theirs = (fmean(f1(bodies[n][i], corpus.cases[i].body or "", 4) for i in rows) for n in (OURS, default))
        if ours < theirs - 0.0005:
            below.append(f"{group} {ours:.3f} < {theirs:.3f} ({len(rows)})")
    print(f"  of {len(set(groups))} groups by {kind}, below trafilatura's default: {', '.join(below) or 'none'}")


def _metadata(corpus: Corpus, articles: Sequence[Article]) -> Figures:
    """Titles, sets of authors and dates that are exactly the gold's, ours and trafilatura's."""
    from trafilatura import bare_extraction

    pages = [
        (case, article, bare_extraction(case.page, with_metadata=True, url=case.url or None))
        for case, article in zip(corpus.cases, articles, strict=True)
        if case.title or case.authors or case.date
    ]
    figures: Figures = {}
    for field, wanted, ours, theirs in (
        ("title", lambda c: c.title and key(c.title), lambda a: key(a.title), lambda t: key(t.title or "")),
        ("authors", lambda c: c.authors and _names(c.authors), lambda a: _names(a.authors), _their_names),
        ("date", lambda c: c.date, lambda a: a.published and a.published.date, lambda t: t.date),
    ):
        asked = [(wanted(case), ours(article), theirs(peer) if peer else None) for case, article, peer in pages]
        rows = [row for row in asked if row[0]]
        if rows:
            figures[f"{field} exact"] = fmean(gold == found for gold, found, _ in rows)
            peer = fmean(gold == found for gold, _, found in rows)
            print(f"  {field} exact on {len(rows)}: {figures[f'{field} exact']:.4f} · trafilatura {peer:.4f}")
    if any(case.date for case in corpus.cases):
        figures["date not wrong"] = _dates(corpus, articles)["date not wrong"]
    return figures


def _names(names: Iterable[str]) -> frozenset[str]:
    """All words of all names: corpora differ in where they cut "Ann One and Bo Two"."""
    return frozenset(word for name in names for word in key(name).split()) - {"and", "by", "und", "et", "y"}


def _their_names(document: Any) -> frozenset[str]:
    return _names((document.author or "").split("; "))


def dated_pages(corpus: Corpus) -> tuple[Corpus, Figures]:
    """Dates of publication: right, wrong and missing, ours and htmldate's."""
    print(f"\nhtmldate: {len(corpus.cases)} of its {corpus.published} pages are here; date of publication")
    articles = [clean(job(case.page, uri=case.url)) for case in corpus.cases]
    return corpus, _dates(corpus, articles)


def _dates(corpus: Corpus, articles: Sequence[Article]) -> Figures:
    from htmldate import find_date

    counts = {OURS: Counter[str](), "htmldate": Counter[str]()}
    of_change = 0
    for case, article in zip(corpus.cases, articles, strict=True):
        if case.date:
            found = {
                OURS: article.published.date if article.published else None,
                "htmldate": find_date(
                    case.page, url=case.url or None, original_date=True, max_date=f"{CAPTURED:%Y-%m-%d}"
                ),
            }
            for name, date in found.items():
                counts[name]["right" if date == case.date else "wrong" if date else "missing"] += 1
            of_change += found[OURS] != case.date and article.updated is not None and article.updated.date == case.date
    for name, count in counts.items():
        print(f"  {name:28} right {count['right']} · wrong {count['wrong']} · missing {count['missing']}")
    print(f"  of ours that are not right, the gold is the day that the page declares as its last change: {of_change}")
    total = counts[OURS].total()
    return {"date right": counts[OURS]["right"] / total, "date not wrong": 1 - counts[OURS]["wrong"] / total}


def messy_texts(corpus: Corpus) -> tuple[Corpus, Figures]:
    """Plain texts: what of a page's chrome is taken for the article's, and what of the article is lost.

    A gold paragraph is kept where the article (its title or its text) holds four fifths of its runs of four words.
    Some gold paragraphs do not stand in the messy text so, and some gold headlines do not stand there as a line:
    what can be reached at most is printed beside the figures, which count all.
    """
    banners = crumbs = crumbed = once = exact = lines_with = 0
    paragraphs, possible, scores = [], [], []
    for case in corpus.cases:
        article = clean(job(case.page, media_type="text/plain"))
        title, lines = key(case.title or ""), list(map(key, article.text.split("\n")))
        banners += article.published is not None and article.published.date in _banner_dates(case, title)
        if "glued-breadcrumb" in case.group:
            crumbed += 1
            crumbs += any(line.endswith(title) and line != title for line in lines)
        exact += key(article.title) == title
        once += (key(article.title) == title) + lines.count(title) == 1
        lines_with += title != "" and title in map(key, case.text.split("\n"))
        wanted = [p for p in (case.body or "").split("\n") if len(p.split()) >= 8]
        paragraphs += [share >= 0.8 for share in recalls(f"{article.title}\n{article.text}", wanted)]
        possible += [share >= 0.8 for share in recalls(case.text, wanted)]
        scores.append(f1(article.text, case.body or "", 1))
    total = len(corpus.cases)
    figures = {
        "no banner date": 1 - banners / total,
        "no breadcrumb": 1 - crumbs / max(1, crumbed),
        "headline once": once / total,
        "title exact": exact / total,
        "gold paragraphs": fmean(paragraphs),
        "body word F1": fmean(scores),
    }
    print(f"\nmessy: {total} texts; banner dates taken {banners} · glued breadcrumbs left {crumbs} of {crumbed}")
    print("  " + " · ".join(f"{name} {figure:.4f}" for name, figure in figures.items()))
    print(f"  at most: headline once {lines_with / total:.4f} · gold paragraphs {fmean(possible):.4f}")
    return corpus, figures


def _banner_dates(case: Case, title: str) -> set[str]:
    """The dates that stand above the first line with the headline, and in no line below it."""
    above, below, seen = set[str](), set[str](), False
    for line in case.text.split("\n"):
        seen = seen or (title != "" and title in key(line))
        if len(line) < 120 and (found := dates.parse(line, "", latest=CAPTURED.date())):
            (below if seen else above).add(found.date)
    return above - below if seen else set()


def held(corpus: Corpus, figures: Figures, *, pin: bool) -> bool:
    """Whether every figure is at its floor or above; with `pin`, floors rise to the figures."""
    pinned = json.loads(FLOORS.read_text()) if FLOORS.exists() else {}
    known = pinned.get(corpus.name)
    if known and known["corpus"] != corpus.digest:
        print(f"  FAILED: these pages are not the ones of the floors ({corpus.digest}, pinned {known['corpus']})")
        return False
    floors: Figures = known["floors"] if known else {}
    low = {name: floor for name, floor in floors.items() if figures.get(name, 0.0) < floor}
    for name, floor in low.items():
        print(f"  FAILED: {name} is {figures.get(name, 0.0):.4f}, its floor {floor:.4f}")
    if pin:
        raised = {name: max(floors.get(name, 0.0), math.floor(f * 1e4) / 1e4) for name, f in figures.items()}
        pinned[corpus.name] = {"corpus": corpus.digest, "pages": len(corpus.cases), "floors": raised}
        FLOORS.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n")
    return not low


def speed(corpus: Corpus) -> int:
    """CPU time a page, ours and bare by turns (another page each, so that neither warms the other's caches)."""
    from lxml.html import HtmlElementClassLookup
    from trafilatura import bare_extraction, utils

    from muniment.ingest.clean import html as clean_html

    pages = [(case.page, case.url) for case in corpus.cases]
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
        bare_extraction(other, include_comments=False, deduplicate=False)
        bare += time.process_time() - start
    each = 1000 / len(pages)
    print(f"CPU milliseconds a page: muniment {ours * each:.1f} · trafilatura default {bare * each:.1f}")
    print(f"  pages a second, of the bare extractor's: {bare / ours:.3f}; load {os.getloadavg()[0]:.1f}")
    return 0


def job(payload: bytes, *, media_type: str = "text/html", uri: str = "") -> CleanJob:
    return CleanJob(payload=payload[:MAX_BYTES], media_type=media_type, captured_at=CAPTURED, uri=uri)


def _refuse_connections(event: str, _: object) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise PermissionError(f"{event} is refused while extractors are measured")


if __name__ == "__main__":
    sys.exit(main())
