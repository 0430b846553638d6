"""The same bytes, the same article: over hash seeds, locales, orders, and repeated in one process; and the marks that
extractors drop.

    MUNIMENT_DATA=FOLDER python -m bench.extraction --determinism

300 pages of all corpora are cleaned by six processes (three hash seeds, two locales), every other one of them in
reverse order and in another time zone, and every tenth page twice by each; the whole article is compared, not only its
text. Then every sixth page is cleaned with Unicode's format marks put into its words: each line of the article is
looked for in the text of the page, and the marks in both are counted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from hashlib import sha256
from itertools import cycle
from pathlib import Path

from bench import gold
from bench.gold import Case

PAGES, AGAIN, MARKED = 300, 10, 6  # every tenth page twice by each process, every sixth for marks
_LONG = 20  # characters of a line; a shorter one stands in many places
MARKS = "\u200c\u200d\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_WITHOUT = dict.fromkeys(map(ord, MARKS))
_TAGS = re.compile(
    r"(<script\b.*?</script\s*>|<style\b.*?</style\s*>|<title\b.*?</title\s*>|<!--.*?-->|<[^>]*>|&[#\w]+;)", re.S | re.I
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*>")
_WORD = re.compile(r"[^\W\d_]{8,}")
_RUNS = [(seed, locale) for seed in ("1", "77", "4242") for locale in ("C", "C.UTF-8")]


def run(root: Path) -> int:
    """Prints the differences and the marks; 1 where there is a difference, or a mark was lost."""
    seen, cleanings = defaultdict[str, set[str]](set), 0
    for i, (seed, locale) in enumerate(_RUNS):
        order, zone = ("backwards", "Asia/Tehran") if i % 2 else ("forwards", "UTC")
        done = subprocess.run(
            [sys.executable, "-m", "bench.determinism", str(root), order],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for line in done.stdout.splitlines():
            name, digest = line.split("\t")
            seen[name].add(digest)
            cleanings += 1
    differences = sum(len(digests) > 1 for digests in seen.values())
    print(f"{len(seen)} pages, {cleanings:,} cleanings in {len(_RUNS)} processes: {differences} pages with differences")
    pages = cases(root)[::MARKED]
    kept, there = marks(pages)
    print(f"{len(pages)} pages with marks in their words: {kept:,} of {there:,} kept in the lines of the articles")
    return int(differences > 0 or kept != there)


def cases(root: Path) -> list[Case]:
    """PAGES pages spread over the corpora that are there."""
    found: list[Case] = []
    for corpus in (gold.aeb, gold.wcxb, gold.fundus, gold.dated):
        try:
            found += corpus(root).cases
        except FileNotFoundError as e:
            print(f"skipped, {e.filename} is not there", file=sys.stderr)
    return found[:: max(1, len(found) // PAGES)][:PAGES]


def marks(pages: list[Case]) -> tuple[int, int]:
    """(marks kept, marks on the pages) over the lines of articles that stand on their page as they are.

    Few of the pages have any, so one is put into every word of eight letters and more, by turns.
    """
    from lxml.etree import strip_elements
    from lxml.html import document_fromstring

    from bench.extraction import job
    from muniment.ingest.clean import clean
    from muniment.ingest.clean.readable import lines_of
    from muniment.ingest.decode import NoText, read

    kept = there = 0
    for case in pages:
        try:
            source = _marked(read(case.page, "text/html", None, None, None).text)
        except NoText:
            continue
        tree = document_fromstring(_DECLARATION.sub("", source))
        strip_elements(tree, "script", "style", with_tail=False)
        page = "".join(lines_of(tree).split())
        places = [i for i, c in enumerate(page) if c not in MARKS]
        bare = "".join(page[i] for i in places)
        for line in clean(job(source.encode(), uri=case.url)).text.split("\n"):
            wanted = "".join(line.translate(_WITHOUT).split())
            at = bare.find(wanted) if len(wanted) > _LONG else -1
            if at >= 0:
                on_page = _count(page[places[at] : places[at + len(wanted) - 1] + 1])
                there += on_page
                kept += min(on_page, _count(line))  # a line that stands there twice has other marks each time
    return kept, there


def _marked(source: str) -> str:
    """The page with a mark inside of each long word of its text, each of the marks in its turn."""
    turn = cycle(MARKS)

    def word(m: re.Match[str]) -> str:
        return f"{m[0][:4]}{next(turn)}{m[0][4:]}"

    parts = _TAGS.split(re.sub(r"charset=[\"']?[\w-]+", "charset=utf-8", source))
    return "".join(part if i % 2 else _WORD.sub(word, part) for i, part in enumerate(parts))


def _count(text: str) -> int:
    return sum(c in MARKS for c in text)


def _child(root: Path, order: str) -> None:
    from bench.extraction import job
    from muniment.ingest.clean import clean
    from muniment.ingest.clean.wire import article_bytes

    pages = cases(root)
    again = pages[::AGAIN]
    for case in [*pages, *again] if order == "forwards" else [*reversed(pages), *again]:
        name = f"{case.path.parent if case.path else ''}/{case.name}"
        print(name, sha256(article_bytes(clean(job(case.page, uri=case.url)))).hexdigest(), sep="\t")


if __name__ == "__main__":
    _child(Path(sys.argv[1]), sys.argv[2])
