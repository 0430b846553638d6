"""Workers: limits hold, a lost page costs only itself, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clean_pages import HEADLINE, MESSY, PARAGRAPHS, article_html, html_page, job

from muniment.errors import MunimentError
from muniment.ingest.clean import CleanJob, clean
from muniment.ingest.clean.workers import Workers

GOOD = job(html_page(article_html()))
HANGS = job(b"<html><body><p>" + b'<a href="/x">a link</a> ' * 200_000)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2, timeout=1.0, recycle=7) as pool:
        yield pool


def test_workers_give_what_clean_gives(workers: Workers) -> None:
    for each in (GOOD, job(MESSY.encode(), "text/plain"), job(b"%PDF-1.4")):
        assert workers.submit(each).result() == clean(each)


def test_articles_come_in_the_order_of_their_jobs_beyond_recycling(workers: Workers) -> None:
    jobs = [(i, job(f"Heading number {i}\n{PARAGRAPHS[0]}".encode(), "text/plain")) for i in range(40)]
    assert [(tag, a.title) for tag, a in workers.map(jobs)] == [(i, f"Heading number {i}") for i in range(40)]


def test_a_page_that_takes_too_long_is_named_and_costs_no_other_item(workers: Workers) -> None:
    results = list(workers.map([("a", GOOD), ("hangs", HANGS), ("b", GOOD), ("c", GOOD)]))
    assert [(tag, article.problem) for tag, article in results] == [
        ("a", None),
        ("hangs", "extraction-timeout"),
        ("b", None),
        ("c", None),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"<p " + b" ".join(b'a%d="1"' % i for i in range(100_000)) + b">text</p>",
        b"<div>" * 1_000_000,
        b"<b>" * 50_000 + b"deep",
    ],
    ids=["100k attributes", "1M nested divs", "50k open tags"],
)
def test_hostile_pages_end_with_text_or_a_named_problem(workers: Workers, payload: bytes) -> None:
    article = workers.submit(job(payload)).result(timeout=30)
    assert article.text or article.problem in (
        "extraction-timeout",
        "extraction-memory",
        "extraction-crashed",
        "no-text",
    )
    assert workers.submit(GOOD).result().text == "\n".join(PARAGRAPHS)


def test_oversized_inputs_are_refused_without_being_sent(workers: Workers) -> None:
    assert workers.submit(job(b"<div>" * 10_000_000)).result().problem == "too-large"
    assert workers.submit(job(b"a b " * 25_000_000, "text/plain")).result().problem == "too-large"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not enforce RLIMIT_AS")
def test_a_page_that_takes_too_much_memory_is_named() -> None:
    with Workers(1, timeout=30, memory=500 << 20) as pool:
        article = pool.submit(job(b"<a>b" * 500_000)).result()
        assert article.problem in ("extraction-memory", "extraction-crashed")
        assert pool.submit(GOOD).result().problem is None


def test_the_input_is_pulled_only_as_far_as_there_is_room(workers: Workers) -> None:
    pulled = []

    def source() -> Iterator[tuple[int, CleanJob]]:
        for i in range(100):
            pulled.append(i)
            yield i, GOOD

    results = workers.map(source())
    next(results)
    assert len(pulled) <= 4 * workers.count
    results.close()  # type: ignore[attr-defined]


def processes_of(group: int) -> list[int]:
    listing = subprocess.run(["ps", "-eo", "pid,pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()[1:]]
    return [int(pid) for pid, pgid, stat in rows if int(pgid) == group and not stat.startswith("Z")]


def wait_for(condition: object, seconds: float = 20) -> bool:
    assert callable(condition)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_killed_processes_lose_no_item() -> None:
    with Workers(1) as pool:
        pool.submit(GOOD).result()
        for _ in range(2):
            group = pool._processes[-1].pid
            for pid in processes_of(group):
                os.kill(pid, signal.SIGKILL)
            assert pool.submit(GOOD).result().title == HEADLINE


def test_close_ends_a_busy_pool_at_once_and_leaves_nothing() -> None:
    pool = Workers(1, timeout=60)
    pool.submit(GOOD).result()
    group = pool._processes[-1].pid
    running, waiting = pool.submit(HANGS), pool.submit(GOOD)
    assert wait_for(running.running)
    pool.close()
    assert waiting.cancelled() and isinstance(running.exception(), MunimentError)
    assert wait_for(lambda: not processes_of(group))
    with pytest.raises(MunimentError, match="closed"):
        pool.submit(GOOD)


PARENT = """
import sys, time
sys.path.insert(0, {folder!r})
from clean_pages import *
from muniment.ingest.clean.workers import Workers
pool = Workers(2)
pool.submit(job(html_page(article_html()))).result()
print(pool._processes[-1].pid, flush=True)
time.sleep(60)
"""


def test_children_end_when_their_parent_is_killed() -> None:
    script = PARENT.format(folder=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        assert len(processes_of(group)) == 5  # one that waits, two keepers, two workers
        parent.kill()
        parent.wait()
        assert wait_for(lambda: not processes_of(group))


def test_a_worker_can_neither_reach_the_network_nor_start_programs() -> None:
    code = (
        "from muniment.ingest.clean.keeper import _confine; import socket, subprocess; _confine(1 << 30)\n"
        "for act in (lambda: socket.create_connection(('127.0.0.1', 9)), lambda: socket.getaddrinfo('localhost', 1),"
        " lambda: subprocess.run(['true'])):\n"
        "    try: act(); print('allowed')\n"
        "    except PermissionError: print('refused')\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["refused"] * 3


def test_importing_the_workers_imports_nothing_heavy() -> None:
    code = "import sys, muniment.ingest.clean.workers; print([m for m in ('trafilatura','lxml','bs4','numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
