"""Scanned pages to text by the program tesseract, where the user asks for it (`add --ocr LANG`).

    workers clean as ever; an article whose problem is "no-text: scanned, …" comes here:
    a child with limits renders each page (PDFium, 300 dots an inch, grey), tesseract reads it, the lines go back to be
    cleaned as the text of the document

Cleaning itself starts no programs. What recognition gives depends on the program and its data, so the article says by
what it was made, and `verify --rederive` makes no claim about it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from muniment.errors import UsageError
from muniment.ingest.clean.fingerprint import RULES
from muniment.ingest.clean.job import CleanJob
from muniment.ingest.clean.workers import Workers
from muniment.model import Article

SCANNED = "no-text: scanned"
_LANGUAGES = re.compile(r"[A-Za-z][A-Za-z_]{1,30}(?:\+[A-Za-z][A-Za-z_]{1,30}){0,7}")
_SECONDS = 1_800  # for one document
_CHILD = "import sys; sys.path[:] = {path!r}; from muniment.ingest.ocr_child import run; run({languages!r})"


def check_ocr(languages: str) -> str:
    """What will recognise text, for the record ("tesseract 5.3.0, eng, 300 dpi").

    Raises UsageError where tesseract, or its data for a language ("eng", "fas+eng"), is not installed.
    """
    if not _LANGUAGES.fullmatch(languages):
        raise UsageError(f"--ocr {languages!r} names no language: write --ocr eng, or --ocr fas+eng for several")
    if shutil.which("tesseract") is None:
        raise UsageError("--ocr needs the program tesseract: install it (Debian: tesseract-ocr) and try again")
    version = _ask("--version").partition("\n")[0].removeprefix("tesseract").strip()
    known = set(_ask("--list-langs").split("\n")[1:])
    if missing := [name for name in languages.split("+") if name not in known]:
        shown = ", ".join(sorted(known - {"osd", ""}))
        raise UsageError(f"tesseract knows no language {missing[0]!r}: install its data; it knows {shown}")
    return f"tesseract {version}, {languages}, 300 dpi"


def _ask(option: str) -> str:
    done = subprocess.run(["tesseract", option], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.stdout or done.stderr


class OcrWorkers(Workers):
    """Workers that have scanned documents recognised, one a processor at a time, and cleaned again."""

    recognises = True

    def __init__(self, count: int | None, languages: str):
        self._languages, self._recogniser = languages, check_ocr(languages)
        super().__init__(count)
        self._threads_of_ocr = ThreadPoolExecutor(self.count, thread_name_prefix="ocr")

    def submit(self, job: CleanJob) -> Future[Article]:
        first = super().submit(job)
        return self._threads_of_ocr.submit(self._finish, first, job)

    def close(self) -> None:
        self._threads_of_ocr.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _finish(self, first: Future[Article], job: CleanJob) -> Article:
        article = first.result()
        if not (article.problem or "").startswith(SCANNED):
            return article
        text, failure = recognise(job.payload, self._languages)
        if failure or not text.strip():
            settings = {**article.settings, "recognised by": self._recogniser}
            problem = f"ocr-failed: {failure}" if failure else f"{article.problem}, no text recognised"
            return replace(article, problem=problem, extractor=f"muniment-ocr/{RULES}", settings=settings)
        return super().submit(replace(job, recognised=text, recogniser=self._recogniser)).result()


def recognise(payload: bytes, languages: str) -> tuple[str, str]:
    """(the text of a PDF's pages, why there is none)."""
    code = _CHILD.format(path=sys.path, languages=languages)
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        out, _ = child.communicate(payload, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        _end(child)
        return "", f"over {_SECONDS} seconds"
    if child.returncode:
        return "", "the program broke off" if child.returncode < 0 or not out else out.decode("utf-8", "replace")[:200]
    return out.decode("utf-8", "replace"), ""


def _end(child: subprocess.Popen[bytes]) -> None:
    import os
    import signal

    os.killpg(child.pid, signal.SIGKILL)  # tesseract with it
    child.communicate()
