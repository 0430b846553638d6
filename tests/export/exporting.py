"""An archive with some of everything that an export can meet, and the command that exports it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from muniment.archive.archive import Archive
from muniment.model import Article, Attempt, Capture
from tests.conftest import NOW, download, upload

COMMAND = [sys.executable, "-m", "muniment"]
MOVED, STORY = "http://news.example/moved", "http://news.example/story?b=2&a=1"
NOTE = "ni:///sha-256;47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


class Filled(NamedTuple):
    """An archive that tests read and do not change, and the numbers of its snapshots by name."""

    root: Path
    named: dict[str, int]


def fill(root: Path) -> dict[str, int]:
    """Fills an archive; the numbers of its snapshots by name."""
    named: dict[str, int] = {}
    story = download(STORY, b"<html><p>The keeper of the lock retires.</p></html>")
    moved = download(MOVED, b"", headers=b"Location: %s\r\n" % STORY.encode(), status=301)
    redirected = replace(story, facts=(*story.facts, ("via", MOVED), ("tls-certificate", "AAAA")))
    with Archive(root) as archive, archive.writer() as writer:

        def add(name: str, capture: Capture, key: str, title: str | None = None) -> None:
            facts = [("articleKey", key), ("articleUrl", capture.uri)]
            named[name] = writer.add_capture(capture, facts).number
            if title is not None:
                article = Article(title, f"{title}: the text.\nAnother paragraph.", ("Ann", "Bo"), extractor="test/1")
                writer.add_article(article, named[name], capture.uri, source="News", tags=("sea",))

        add("moved", moved, "moved")
        add("story", redirected, "story", "=The keeper")
        add("alone", download("http://news.example/alone", b"<p>Alone.</p>"), "alone", "Alone")
        add("file", upload("home/%D9%85%20a.txt", b"An uploaded text.\n"), "file", "Uploaded")
        add("note", replace(upload("x", b"A note.\n"), uri=NOTE), "note", "A note")
        writer.commit()
        later = NOW.replace(hour=9)
        add("story again", replace(redirected, captured_at=later), "story")
        add("file again", replace(upload("home/%D9%85%20a.txt", b"An uploaded text.\n"), captured_at=later), "file")
        gone = download("http://news.example/gone", b"gone", status=404)
        key = [("articleKey", "gone")]
        named["gone"] = writer.add_attempt(Attempt(gone.uri, NOW, "http-404", "it is gone", gone), key)
        named["silent"] = writer.add_attempt(Attempt("http://news.example/silent", NOW, "timeout", "silence"))
        writer.commit()
    return named


def run(*arguments: str | Path | int, code: int = 0, archive: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs `muniment ARGUMENTS`, and checks that it ends with this exit code and no traceback."""
    env = {name: value for name, value in os.environ.items() if name != "MUNIMENT_TRACEBACK"}
    if archive is not None:
        env["MUNIMENT_ARCHIVE"] = str(archive)
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, timeout=120, env=env)
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done
