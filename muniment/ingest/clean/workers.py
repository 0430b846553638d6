"""Cleaning inside processes that may be killed: a hostile page costs its own article, and nothing else.

    this process            keeper (warm, forks)        worker (one page at a time)
    a thread per lane  ===  waits for its worker  ---   limits set, sockets refused
         frames over two pipes, which the worker inherits

One child process imports the extractor once and forks a keeper a lane; each keeper forks a worker, and another when
that one ends: after `recycle` pages, or killed by its limits. A fork of a warm process costs milliseconds, where a
new interpreter costs over a second. The limits are the kernel's and cannot be talked out of: `timeout` seconds of CPU
(ITIMER_PROF) and three times as much by the clock (ITIMER_REAL), so that a busy machine does not fail honest pages;
`memory` bytes of address space (RLIMIT_AS, where the system has it: Linux does, macOS does not enforce it); no core
files, no sockets, no programs started. When this process dies, even by SIGKILL, the pipes end, and so do the others.

A frame is a big-endian length and that many bytes: a job as a pickle on the way in, an article as JSON on the way
back, for what a hostile page may have taken over must not be unpickled here.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from muniment.errors import MunimentError
from muniment.ingest.clean import failed
from muniment.ingest.clean.job import CleanJob
from muniment.ingest.clean.wire import article_from, read_frame, write_frame
from muniment.ingest.decode import MAX_DOCUMENT
from muniment.model import Article

T = TypeVar("T")
R = TypeVar("R", covariant=True)

_WINDOW_BYTES = 32_000_000
_START = "import sys; sys.path[:] = {path!r}; from muniment.ingest.clean.keeper import run; run({pipes!r}, {limits!r})"
# More threads than one in a numeric library take address space by the core, and make forks unsafe.
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class Reading(Protocol[R]):
    """Other work on bytes from outside than cleaning a page: `answer` runs in a worker, and `result` makes of its bytes
    what the caller gets. `answer` gives JSON; anything else is the slug of the limit that the worker died of."""

    def answer(self) -> bytes: ...

    def result(self, reply: bytes) -> R: ...


class Workers:
    """A pool of limited processes that clean pages. Close it, or use it in a `with`.

    `count` lanes (default: the processors this process may use); `timeout` in seconds of CPU time a page; `memory` in
    bytes of address space a worker; a worker is replaced after `recycle` pages. The processes start to warm up at
    once, in the background.
    """

    recognises = False  # whether scanned documents are recognised too (ocr.OcrWorkers)

    def __init__(self, count: int | None = None, *, timeout: float = 10.0, memory: int = 1 << 30, recycle: int = 1000):
        self.count = count or _processors()
        self._limits = (timeout, memory, recycle)
        self._jobs: queue.SimpleQueue[tuple[CleanJob | Reading[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._closing = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._spawning = threading.Lock()
        lanes = self._spawn(self.count)
        self._threads = [threading.Thread(target=self._serve, args=(lane,), daemon=True) for lane in lanes]
        for thread in self._threads:
            thread.start()

    def submit(self, job: CleanJob) -> Future[Article]:
        """The job's article, when it is done; never blocks. The future fails only where the extractor cannot start."""
        if self._closing:
            raise MunimentError("the cleaning workers are closed; make new ones")
        future: Future[Article] = Future()
        self._jobs.put((job, future))
        return future

    def read(self, job: Reading[T]) -> Future[T]:
        """What comes of other work within the same limits; never blocks."""
        if self._closing:
            raise MunimentError("the cleaning workers are closed; make new ones")
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def map(self, items: Iterable[tuple[T, CleanJob]]) -> Iterator[tuple[T, Article]]:
        """(tag, article) of each (tag, job), in order. At most four jobs a lane, and 32 MB of payloads, are under way;
        the next item is asked for only when there is room, and cleaning goes on while it is waited for."""
        pending: deque[tuple[T, int, Future[Article]]] = deque()
        held = 0
        for tag, job in items:
            pending.append((tag, len(job.payload), self.submit(job)))
            held += len(job.payload)
            while pending and (len(pending) >= 4 * self.count or held > _WINDOW_BYTES or pending[0][2].done()):
                done, size, future = pending.popleft()
                held -= size
                yield done, future.result()
        while pending:
            done, _, future = pending.popleft()
            yield done, future.result()

    def close(self) -> None:
        """Ends every process at once and waits for them; jobs under way or waiting are cancelled."""
        self._closing = True
        while not self._jobs.empty():
            if waiting := self._jobs.get():
                waiting[1].cancel()
        for _ in self._threads:
            self._jobs.put(None)
        with self._spawning:
            for process in self._processes:
                _end(process)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _serve(self, lane: _Lane) -> None:
        """One lane's thread: a job in, its article out, a new lane where this one broke."""
        while (item := self._jobs.get()) is not None:
            job, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = lane.do(job)
                if result is None and not self._closing:
                    lane.close()
                    lane = self._spawn(1)[0]
                    result = lane.do(job, again=True)
            except MunimentError as e:
                future.set_exception(e)
                continue
            if result is None:
                future.set_exception(MunimentError("the cleaning workers were closed before this page was done"))
            else:
                future.set_result(result)
        lane.close()

    def _spawn(self, count: int) -> list[_Lane]:
        """Starts one process that keeps `count` lanes."""
        with self._spawning:
            pipes = [(*os.pipe(), *os.pipe()) for _ in range(count)]
            theirs = [(jobs_in, replies_out) for jobs_in, _, _, replies_out in pipes]
            code = _START.format(path=sys.path, pipes=theirs, limits=self._limits)
            self._processes = [process for process in self._processes if process.poll() is None]
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, "-P", "-c", code],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, **_ONE_THREAD},
                    pass_fds=[fd for pair in theirs for fd in pair],
                    process_group=0,
                )
            )
            for fd in (fd for pair in theirs for fd in pair):
                os.close(fd)
            if self._closing:
                _end(self._processes[-1])
        return [_Lane(jobs_out, replies_in) for _, jobs_out, replies_in, _ in pipes]


class _Lane:
    """This process's ends of one lane's pipes."""

    def __init__(self, jobs: int, replies: int):
        self._jobs, self._replies = jobs, replies
        self._ready = False

    def do(self, job: CleanJob | Reading[Any], *, again: bool = False) -> Any:
        """The article, or what the job makes of the answer; None where the lane broke, which counts as a crash of the
        page the second time (`again`).

        Raises MunimentError where the extractor cannot start.
        """
        try:
            if not self._ready:
                self._wait_until_ready()
            if isinstance(job, CleanJob) and len(job.payload) > MAX_DOCUMENT:
                # cleaning will refuse it: the other side needs to see no more
                job = replace(job, payload=job.payload[: MAX_DOCUMENT + 1])
            write_frame(self._jobs, pickle.dumps(job, protocol=5))
            reply = read_frame(self._replies)
        except (EOFError, BrokenPipeError):
            if not again:
                return None
            reply = b"extraction-crashed"
        if not isinstance(job, CleanJob):
            return job.result(reply)
        return article_from(reply) if reply.startswith(b"{") else failed(job, reply.decode())

    def close(self) -> None:
        for fd in (self._jobs, self._replies):
            os.close(fd)

    def _wait_until_ready(self) -> None:
        hello = read_frame(self._replies)
        if hello != b"ready":
            raise MunimentError(f"the extractor cannot start: {hello.decode(errors='replace')}; reinstall muniment")
        self._ready = True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all it keeps: workers die by the signal, keepers and their parent when those are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
