"""The gold corpora of `MUNIMENT_DATA` that extraction is measured on, read as cases, with a digest of each corpus.

None of them belongs to the project. A corpus that is not there raises FileNotFoundError.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_EDITIONS = "V"  # fundus names its gold by the parser's version: V1, V1_1, V2


@dataclass(frozen=True)
class Case:
    """One page or text with what is known of it; None where the corpus does not say."""

    name: str
    path: Path | None
    body: str | None = None
    url: str = ""
    title: str | None = None
    authors: tuple[str, ...] | None = None
    date: str | None = None
    group: str = ""  # the language or country
    text: str = ""  # the input itself, where it is no file

    @property
    def page(self) -> bytes:
        """The bytes to extract from."""
        if self.path is None:
            return self.text.encode("utf-8", "replace")
        data = self.path.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


@dataclass(frozen=True)
class Corpus:
    """Cases in a fixed order."""

    name: str
    cases: tuple[Case, ...]
    published: int = 0  # how many cases the corpus has where it was published, if fewer are here

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every case's input and gold: figures of another digest are of other pages."""
        whole = hashlib.sha256()
        for case in self.cases:
            gold = [case.name, case.body, case.url, case.title, case.authors, case.date]
            whole.update(hashlib.sha256(case.page).digest() + json.dumps(gold).encode())
        return "sha256:" + whole.hexdigest()


def aeb(root: Path) -> Corpus:
    """scrapinghub's article extraction benchmark: news and blog pages."""
    gold = json.loads((root / "scrapinghub-aeb/ground-truth.json").read_text())
    pages = {path.name.partition(".")[0]: path for path in (root / "scrapinghub-aeb/html").iterdir()}
    return Corpus("aeb", tuple(Case(n, pages[n], g["articleBody"], g["url"]) for n, g in sorted(gold.items())))


def wcxb(root: Path) -> Corpus:
    """The articles of the web content extraction benchmark."""
    cases = []
    for path in sorted((root / "wcxb/dev/ground-truth").iterdir()):
        record = json.loads(path.read_text())
        gold = record["ground_truth"]
        page = next((root / "wcxb/dev/html").glob(f"{path.stem}.*"), None)
        if page is not None:
            author, date = gold.get("author"), gold.get("publish_date")
            cases.append(
                Case(
                    path.stem,
                    page,
                    gold["main_content"],
                    record["url"],
                    gold.get("title") or None,
                    (author,) if author else None,
                    date[:10] if date else None,
                )
            )
    return Corpus("wcxb", tuple(cases))


def fundus(root: Path) -> Corpus:
    """Pages of newspapers of 40 countries, with what each paper's own parser finds."""
    cases = []
    for path in sorted((root / "fundus-multilingual").glob("*/*.json")):
        editions = json.loads(path.read_text())
        newest = [v for k, v in editions.items() if k.startswith(_EDITIONS)][-1:]
        page = max(path.parent.glob(f"{path.stem}_2*.html*"), default=None)
        if page is not None and newest and newest[0].get("body"):
            cases.append(_newspaper(path, page, newest[0]))
    return Corpus("fundus", tuple(cases))


def _newspaper(path: Path, page: Path, gold: dict[str, Any]) -> Case:
    body = gold["body"]
    lines = list(body["summary"])
    for section in body["sections"]:
        lines += [*section["headline"], *section["paragraphs"]]
    return Case(
        f"{path.parent.name}/{path.stem}",
        page,
        "\n".join(lines),
        title=gold.get("title"),
        authors=tuple(gold.get("authors") or ()) or None,
        date=(gold.get("publishing_date") or "")[:10] or None,
        group=path.parent.name,
    )


def dated(root: Path) -> Corpus:
    """htmldate's own pages and their dates of publication, as many of its 800 as are there."""
    gold = json.loads((root / "htmldate/eval_default.json").read_text())
    files = {
        path.name.removesuffix(".gz"): path for d in ("cache", "eval") for path in (root / "htmldate" / d).iterdir()
    }
    found = ((url, entry, files.get(entry["file"])) for url, entry in sorted(gold.items()))
    cases = tuple(Case(e["file"], path, url=url, date=e["date"]) for url, e, path in found if path)
    return Corpus("htmldate", cases, len(gold))


def messy(root: Path) -> Corpus:
    """Plain texts with their pages' chrome still in them: banner dates, glued breadcrumbs, repeated headlines."""
    path = next(root.glob("**/messy-cases/cases-shared.jsonl"), root / "messy-cases/cases-shared.jsonl")
    records = [json.loads(line) for line in path.read_text().split("\n") if line]
    return Corpus(
        "messy",
        tuple(
            Case(r["id"], None, r["gold"], title=r["title"], group=" ".join(r["tags"]), text=r["messy"])
            for r in records
        ),
    )
