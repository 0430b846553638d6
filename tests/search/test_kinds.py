"""What kind of thing a snapshot is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from muniment.kinds import KINDS, kinds_of
from muniment.snapshot import Digest, Snapshot

HTML = "text/html"


def snapshot(media_type: str, uri: str, url: str | None) -> Snapshot:
    return Snapshot(
        1, "capture", uri, "k", datetime(2026, 1, 1, tzinfo=UTC), Digest("sha256:0"), media_type, 200, url, 2
    )


@pytest.mark.parametrize(
    ("media_type", "address", "kinds"),
    [
        (HTML, "https://example.org/story", ("page",)),
        ("application/xhtml+xml", "https://example.org/a.pdf", ("page",)),
        ("application/pdf; version=1.4", "https://example.org/report", ("pdf",)),
        ("application/octet-stream", "https://example.org/Report.PDF?x=1", ("pdf",)),
        ("application/octet-stream", "https://example.org/download", ("page",)),
        ("message/rfc822", "ni:///sha-256;abc", ("mail", "upload")),
        ("application/epub+zip", "https://example.org/x", ("document",)),
        ("text/plain", "ni:///sha-256;abc", ("text", "upload")),
        ("application/pdf", "file:///home/ann/plan.pdf", ("pdf", "upload")),
        (HTML, "file:/home/ann/story.html", ("page", "upload")),
        ("text/markdown", "https://example.org/readme.md", ("text",)),
    ],
)
def test_the_kind_is_what_was_stated(media_type: str, address: str, kinds: tuple[str, ...]) -> None:
    assert kinds_of(snapshot(media_type, address, None)) == kinds
    assert set(kinds) <= set(KINDS)


def test_an_upload_that_names_an_address_is_still_an_upload() -> None:
    assert kinds_of(snapshot(HTML, "ni:///sha-256;abc", "https://example.org/story")) == ("page", "upload")
