"""Fixtures for every test: keys in a folder of the test's own, and small captures of our own making."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, create
from muniment.model import Article, Capture, sha256

# Addresses and the keys that replay software looks them up by (SURT).
KEYS = {
    "http://example.org": "org,example)/",
    "https://www.example.org/A%20b?y=2&x=1#part": "org,example)/a%20b?x=1&y=2",
    "http://www2.Example.org:80/": "org,example)/",
    "https://example.org:8443/?": "org,example:8443)/",
    "http://user:word@example.org/": "org,example)/",
    "http://127.0.0.1:8080/x": "1,0,0,127:8080)/x",
    "http://example.org/a//b/../c/": "org,example)/a/c",
    "http://example.org/a/..": "org,example)/",
    "http://example.org/%D9%85%D8%AA": "org,example)/%d9%85%d8%aa",
    "http://example.org/?q=%2526&a=": "org,example)/?&a=&q=",
    "http://example.org/a?b=1&b": "org,example)/a?b&b=1",
    "http://example.org/a(b);c=1?d;e": "org,example)/a(b);c=1?d;e",
    "https://xn--bcher-kva.example/": "example,xn--bcher-kva)/",
    "file:///home/Ann/a%20b.txt": "file:/home/ann/a%20b.txt",
    "file:///": "file:/",
    "ni:///sha-256;AbC_-": "ni:/sha-256;abc_-",
    "urn:x-muniment:a%20b": "urn:x-muniment:a%20b",
}
NOW = datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="session")
def _keys_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Private keys never land in the home of whoever runs the tests."""
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ.pop("MUNIMENT_ARCHIVE", None)
    yield
    if before is None:
        del os.environ["XDG_CONFIG_HOME"]
    else:
        os.environ["XDG_CONFIG_HOME"] = before


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """A shell has what it starts in the background ignore Control-C, and every command here would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def new_archive(tmp_path: Path) -> Callable[..., Path]:
    """Makes an archive; returns its folder."""

    def make(name: str = "archive") -> Path:
        return create(tmp_path / name, "test.example/log", NOW).root

    return make


@pytest.fixture
def root(new_archive: Callable[..., Path]) -> Path:
    return new_archive()


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a small file system of a size such as "600k", where this user may mount one; returns its folder."""
    disk = tmp_path / "disk"

    def make(size: str) -> Path:
        disk.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True)
        if made.returncode:
            pytest.skip("mounting a small file system takes rights that this user does not have")
        return disk

    yield make
    if disk.is_mount():
        subprocess.run(["umount", disk], check=True)


def upload(name: str, content: bytes) -> Capture:
    """A capture of an uploaded file."""
    return Capture(f"file:///{name}", NOW, "resource", content, content, sha256(content), "text/plain")


def download(url: str, body: bytes, *, headers: bytes = b"", status: int = 200) -> Capture:
    """A capture of an HTTP response, as the fetcher makes it."""
    head = b"HTTP/1.1 %d OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n" % (status, headers, len(body))
    return Capture(
        url, NOW, "response", head + body, body, sha256(body), "text/html", request=b"GET / HTTP/1.1\r\n\r\n",
        status=status, address="203.0.113.7", facts=(("fetchTimeMs", "12"),),
    )  # fmt: skip


def fill(root: Path, count: int, *, group: int = 10) -> None:
    """Add `count` articles, committed in groups."""
    with Archive(root) as archive, archive.writer() as writer:
        for i in range(count):
            added = writer.add_capture(upload(f"{i}.txt", b"article %d " % i * 40), [("articleKey", f"key-{i}")])
            article = Article(f"Title {i}", f"The text of article {i}.\n" * 8, extractor="test/1")
            writer.add_article(article, added.number, f"file:///{i}.txt", source="tests")
            if i % group == group - 1:
                writer.commit()
        writer.commit()


@pytest.fixture(scope="session")
def chromium() -> str:
    pytest.importorskip("playwright", reason="the extra muniment[browser] is not installed")
    from muniment.ingest.browser import NAMES

    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    return found
