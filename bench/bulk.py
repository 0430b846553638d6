"""Archives of any size from the corpus, by the writer itself: what a search is measured on beside the index alone.

    python -m bench.corpus COUNT | python -m bench.bulk ARCHIVE

adds articles to an archive that `muniment init` made, from lines of JSON. Each is a capture with its text as a plain
resource, and a derivation; nothing is fetched or cleaned. No index is made: `muniment reindex` does that, and is
measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from muniment.archive.archive import Archive
from muniment.archive.writer import Writer
from muniment.model import Article, Capture, Published, sha256

GROUP = 5_000
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_PRECISIONS = {4: "year", 7: "month", 10: "day"}


def fill(root: Path, lines: Iterable[str]) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        for number, line in enumerate(lines, 1):
            add(writer, json.loads(line))
            if number % GROUP == 0:
                writer.commit()
        writer.commit()


def add(writer: Writer, made: dict[str, Any]) -> int:
    """Adds an article of the corpus; returns the number of its snapshot."""
    number, date = add_capture(writer, made), made["published"]
    article = Article(
        made["title"],
        made["text"],
        tuple(made["authors"]),
        Published(date, _PRECISIONS[len(date)], "declared"),  # type: ignore[arg-type]  # the name of a length
        made["language"],
    )
    writer.add_article(article, number, made["url"], source=made["source"], tags=made["tags"])
    return number


def add_capture(writer: Writer, made: dict[str, Any]) -> int:
    """Adds the capture alone."""
    url, body = made["url"], made["text"].encode()
    at = _BEGUN + timedelta(seconds=made["number"])
    capture = Capture(url, at, "resource", body, body, sha256(body), "text/plain")
    key = url.removeprefix("https://www.")
    return writer.add_capture(capture, [("articleKey", key), ("articleUrl", url)]).number


if __name__ == "__main__":
    fill(Path(sys.argv[1]), sys.stdin)
