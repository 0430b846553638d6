"""The other side of `workers`: keepers that wait, and workers that clean one page at a time within limits.

Runs in a process of its own (`run` is its whole program) and never returns. Besides pages to clean it takes jobs that
answer themselves (`workers.Reading`).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import mmap
import os
import pickle
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from muniment.ingest.clean import clean
from muniment.ingest.clean.job import CleanJob
from muniment.ingest.clean.language import identify
from muniment.ingest.clean.wire import article_bytes, frame_size, read_exactly, write_frame

_RECYCLE = 3  # exit status of a worker that wants a successor
_COLLECT_EVERY = 20  # pages
_IDLE, _CLEANING, _IN_FRAME = 0, 1, 2  # what a worker is doing, as its keeper sees it
_REFUSED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pty.")
_PAGE = b"<html><head><title>One</title></head><body><article><p>One, two.</p><p>Three.</p></article></body></html>"
_SENTENCE = "A plain sentence of plain text."


def run(pipes: Sequence[tuple[int, int]], limits: tuple[float, int, int]) -> None:
    """Warms up, forks a keeper for each (jobs, replies) pair of file descriptors, and waits for them to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(logging.CRITICAL)
    greeting = _warm_up()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on it ends workers only: keepers stay to reap them
    for jobs, replies in pipes:
        if os.fork() == 0:
            for fd in {fd for pair in pipes for fd in pair} - {jobs, replies}:
                os.close(fd)
            with contextlib.suppress(BrokenPipeError):
                write_frame(replies, greeting)
                if greeting == b"ready":
                    _keep(jobs, replies, limits)
            os._exit(0)
    for pair in pipes:
        for fd in pair:
            os.close(fd)
    for _ in pipes:
        os.wait()
    os._exit(0)


def _warm_up() -> bytes:
    """Imports and loads what every page needs; b"ready", or what went wrong."""
    # Unpacking the language model needs no GIL for most of its time: half a second less to wait for the first page.
    # The page itself holds too few letters to ask for its language, and the thread is gone before anything forks.
    loading = threading.Thread(target=identify, args=(_SENTENCE, None))
    loading.start()
    try:
        clean(CleanJob(_PAGE, "text/html", datetime(2000, 1, 1, tzinfo=UTC)))
        loading.join()
        identify(_SENTENCE, None)
    except (ImportError, OSError, AttributeError) as e:
        return f"{type(e).__name__}: {e}".encode()
    gc.collect()
    gc.freeze()  # the warm objects stay shared between forks, and out of every later collection
    return b"ready"


def _keep(jobs: int, replies: int, limits: tuple[float, int, int]) -> None:
    """Forks a worker after another until the jobs end; speaks for a worker that died over a page."""
    state = mmap.mmap(-1, 1)  # shared with the workers
    idle_deaths = 0
    while idle_deaths < 3:
        state[0] = _IDLE
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = _work(jobs, replies, limits, state)
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code in (0, -signal.SIGTERM) or state[0] == _IN_FRAME:  # half a frame is gone: the lane is of no use
            return
        if state[0] == _CLEANING:
            slug = "timeout" if code in (-signal.SIGPROF, -signal.SIGALRM) else "crashed"
            write_frame(replies, f"extraction-{slug}".encode())
        idle_deaths = idle_deaths + 1 if code != _RECYCLE and state[0] == _IDLE else 0


def _work(jobs: int, replies: int, limits: tuple[float, int, int], state: mmap.mmap) -> int:
    """Cleans pages until the jobs end (0) or a successor is due (_RECYCLE)."""
    timeout, memory, recycle = limits
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _confine(memory)
    gc.disable()  # it takes a tenth of the time that a page takes, for the little that counting references leaves
    for page in range(1, recycle + 1):
        try:
            size = frame_size(jobs)
        except EOFError:
            return 0
        state[0] = _IN_FRAME
        payload = read_exactly(jobs, size)
        state[0] = _CLEANING
        signal.setitimer(signal.ITIMER_PROF, timeout)
        signal.setitimer(signal.ITIMER_REAL, 3 * timeout)
        try:
            job = pickle.loads(payload)
            reply = article_bytes(clean(job)) if isinstance(job, CleanJob) else job.answer()
        except MemoryError:
            reply = b"extraction-memory"
        except RecursionError:
            reply = b"extraction-crashed"
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        state[0] = _IN_FRAME
        write_frame(replies, reply)
        state[0] = _IDLE
        if page % _COLLECT_EVERY == 0:
            gc.collect()
        if reply == b"extraction-memory":
            break
    return _RECYCLE


def _confine(memory: int) -> None:
    """Sets the limits of a worker; where the system refuses one (RLIMIT_AS on macOS), the others stand."""
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    sys.addaudithook(_refuse)  # cannot be taken off again


def _refuse(event: str, _: object) -> None:
    if event.startswith(_REFUSED):
        raise PermissionError(f"{event} is refused while cleaning a page")
