"""Documents of every kind through the limited workers: what becomes of each file, and how much of the text is there.

    MUNIMENT_DATA=FOLDER python -m bench.documents [--list]

FOLDER (or its folder `documents`) holds docx-pandoc, email-mail, office-tika, pdf-pdfminer and pdf-pypdf; none of it
belongs to the project. Gold text are pandoc's parses; F1 is over words. Where there is no gold, what is counted is the
share of the raw library's words that are in the text. `--list` names each file that gave no text, and why.
"""

from __future__ import annotations

import io
import logging
import os
import re
import resource
import statistics
import sys
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

from bench.common import table
from muniment.ingest.clean import CleanJob
from muniment.ingest.clean.workers import Workers
from muniment.ingest.upload import media_type_of
from muniment.model import Article

CAPTURED = datetime(2026, 11, 22, tzinfo=UTC)
WORD = re.compile(r"\w+")
FOLDERS = ("docx-pandoc", "email-mail", "office-tika", "pdf-pdfminer", "pdf-pypdf")
KINDS = ("pdf", "docx", "odt", "epub", "eml", "mhtml", "rtf", "md")
_TOKEN = re.compile(
    r'(Str|Code|CodeBlock)\b[^"\n]*?"((?:[^"\\]|\\.)*)"|(Space|SoftBreak|LineBreak|Para|Plain|Header|Cell|Note|LineBlock)\b'
)
_CODE = re.compile(r'(Code|CodeBlock) \("[^"]*",\[[^]]*\],\[(?:\("[^"]*","[^"]*"\),?)*\]\) ')
_ESCAPE = re.compile(r"\\(?:(\d+)|x([0-9a-f]+)|(.))")
_SIMPLE = {"n": "\n", "t": "\t", "&": ""}


def main() -> None:
    logging.disable(logging.CRITICAL)
    folder = os.environ.get("MUNIMENT_DATA")
    if not folder:
        print("documents: skipped, MUNIMENT_DATA names no folder with documents")
        return
    root = Path(folder, "documents") if Path(folder, "documents").is_dir() else Path(folder)
    files = [p for name in FOLDERS for p in sorted((root / name).rglob("*")) if p.is_file() and kind(p)]
    if not files:
        print(f"documents: skipped, {root} holds none of {', '.join(FOLDERS)}")
        return
    articles, seconds = cleaned(files)
    outcomes(files, articles, seconds)
    gold(files, articles)
    against_raw(files, articles)
    if "--list" in sys.argv:
        for path in files:
            if not articles[path].text:
                print(f"{articles[path].problem:40} {path.relative_to(root)}")


def kind(path: Path) -> str:
    name = path.suffix.lower().lstrip(".")
    return name if name in KINDS else ""


def cleaned(files: list[Path]) -> tuple[dict[Path, Article], dict[Path, float]]:
    """Each file's article, and the seconds of wall time that it took, one after another in one worker."""
    articles, seconds = {}, {}
    with Workers(1) as workers:
        for path in files:
            data, begun = path.read_bytes(), time.perf_counter()
            job = CleanJob(data, media_type_of(path.name, data), CAPTURED, file_name=path.name)
            articles[path] = workers.submit(job).result()
            seconds[path] = time.perf_counter() - begun
    return articles, seconds


def outcomes(files: list[Path], articles: dict[Path, Article], seconds: dict[Path, float]) -> None:
    by_kind: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        by_kind[kind(path)].append(path)
    rows = []
    for name, paths in by_kind.items():
        text = sum(bool(articles[p].text) for p in paths)
        ended = sum((articles[p].problem or "").startswith("extraction-") for p in paths)
        slowest = max(seconds[p] for p in paths)
        titled, dated = (sum(bool(getattr(articles[p], f)) for p in paths) for f in ("title", "published"))
        rows.append((name, len(paths), text, len(paths) - text - ended, ended, titled, dated, f"{slowest:.2f}"))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    head = ("kind", "files", "text", "named error", "ended by a limit", "title", "date", "slowest, s")
    table(f"{len(files)} documents; peak memory of a worker {peak:.0f} MiB; load {os.getloadavg()[0]:.1f}", head, rows)
    problems = Counter(re.sub(r"\d+", "N", articles[p].problem or "") for p in files if not articles[p].text)
    table("Why there is no text", ("problem", "files"), problems.most_common(40))


def gold(files: list[Path], articles: dict[Path, Article]) -> None:
    ours, raw = defaultdict(list), defaultdict(list)
    for path in files:
        native = path.with_suffix(".native")
        if not native.exists():  # those of ODT stand in a folder beside
            native = path.parent.with_name("native") / native.name
        if not native.exists():
            continue
        words = bag(native_text(native.read_text("utf-8")))
        article = articles[path]
        ours[kind(path)].append(
            f1(bag(f"{article.title}\n{article.text}" if article.title not in article.text else article.text), words)
        )
        raw[kind(path)].append(f1(bag(RAW[kind(path)](path.read_bytes())), words))
    rows = [
        (k, len(ours[k]), f"{statistics.mean(ours[k]):.3f}", f"{statistics.mean(raw[k]):.3f}", RAW_NAMES[k])
        for k in ours
    ]
    table("Word F1 against pandoc's parse, mean of the files", ("kind", "files", "muniment", "raw", "raw is"), rows)


def against_raw(files: list[Path], articles: dict[Path, Article]) -> None:
    rows = []
    for name in ("pdf", "eml"):
        shares = []
        for path in files:
            if kind(path) == name and articles[path].text:
                article = articles[path]
                raw = bag(RAW[name](path.read_bytes()))
                dropped = "\n".join(d.text for d in article.dropped)
                kept = bag(f"{article.title}\n{article.text}\n{dropped}")
                if sum(raw.values()):
                    shares.append(sum((raw & kept).values()) / sum(raw.values()))
        if shares:
            rows.append((name, len(shares), f"{statistics.mean(shares):.3f}", f"{min(shares):.2f}", RAW_NAMES[name]))
    table(
        "Words of the raw library that are in the text or among what was dropped",
        ("kind", "files", "mean", "least", "raw is"),
        rows,
    )


def bag(text: str) -> Counter[str]:
    return Counter(WORD.findall(text.lower()))


def f1(found: Counter[str], wanted: Counter[str]) -> float:
    total = sum(found.values()) + sum(wanted.values())
    return 2 * sum((found & wanted).values()) / total if total else 1.0


def native_text(native: str) -> str:
    """The text of a parse in pandoc's native format."""
    pieces = []
    for m in _TOKEN.finditer(_CODE.sub(r"\1 ", native)):
        pieces.append(" " if m[3] else (" " if m[1] == "CodeBlock" else "") + _ESCAPE.sub(_unescaped, m[2]))
    return "".join(pieces)


def _unescaped(m: re.Match[str]) -> str:
    return chr(int(m[1])) if m[1] else chr(int(m[2], 16)) if m[2] else _SIMPLE.get(m[3], m[3])


def raw_docx(data: bytes) -> str:
    import mammoth

    try:
        return str(mammoth.extract_raw_text(io.BytesIO(data)).value)
    except Exception:  # noqa: BLE001 - a peer that fails has no text
        return ""


def raw_xml(data: bytes) -> str:
    """Every text node of the XML that holds the text."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = [n for n in package.namelist() if n == "content.xml" or n.endswith(("html", "htm"))]
            return "\n".join(re.sub("<[^>]*>", " ", package.read(n).decode("utf-8", "replace")) for n in names)
    except (zipfile.BadZipFile, RuntimeError):
        return ""


def raw_pdf(data: bytes) -> str:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        return "\n".join(page.get_textpage().get_text_range() for page in pdf)
    except pypdfium2.PdfiumError:
        return ""


def raw_mail(data: bytes) -> str:
    """The parts of text/plain, where there are any, by the standard library."""
    pieces = []
    for part in message_from_bytes(data).walk():
        if (
            part.get_content_type() == "text/plain"
            and not part.get_filename()
            and part.get_content_disposition() != "attachment"
        ):
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                try:
                    pieces.append(payload.decode(part.get_content_charset() or "utf-8", "replace"))
                except LookupError:
                    pieces.append(payload.decode("utf-8", "replace"))
    return "\n".join(pieces)


RAW: dict[str, Callable[[bytes], str]] = {
    "docx": raw_docx,
    "odt": raw_xml,
    "epub": raw_xml,
    "pdf": raw_pdf,
    "eml": raw_mail,
}
RAW_NAMES = {
    "docx": "mammoth.extract_raw_text", "odt": "all text nodes", "epub": "all text nodes", "pdf": "pdfium's text",
    "eml": "text/plain parts by the standard library",
}  # fmt: skip

if __name__ == "__main__":
    main()
