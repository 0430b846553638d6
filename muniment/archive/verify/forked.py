"""The same work on many tasks, in forked processes, with the results in the tasks' order.

Each process takes every n-th task and sends its results down a pipe of its own, which holds it up while the parent has
not read them: so little is in memory. A process that is no longer wanted, or whose parent died, ends by its pipe.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, NoReturn, TypeVar

from muniment.errors import MunimentError

T = TypeVar("T")
R = TypeVar("R")
Start = Callable[[], AbstractContextManager[Callable[[T], R]]]
_HEAD = 8


def in_order(tasks: Sequence[T], start: Start[T, R], processes: int) -> Iterator[R]:
    """What the work that `start()` gives makes of each task; `start` is called once in each process. With one process
    nothing is forked. What a task raises is raised here."""
    if processes < 2 or len(tasks) < 2:
        with start() as work:
            for task in tasks:
                yield work(task)
        return
    children, done = list[tuple[int, BinaryIO]](), False
    try:
        for k in range(min(processes, len(tasks))):
            children.append(_fork(tasks[k :: min(processes, len(tasks))], start))
        for i in range(len(tasks)):
            yield _receive(children[i % len(children)][1])
        done = True
    finally:
        for child, pipe in children:
            pipe.close()
            if not done:
                os.kill(child, signal.SIGTERM)
        for child, _ in children:
            os.waitpid(child, 0)


def _fork(tasks: Sequence[T], start: Start[T, R]) -> tuple[int, BinaryIO]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _serve(tasks, start, writing)
    os.close(writing)
    return child, os.fdopen(reading, "rb")


def _serve(tasks: Sequence[T], start: Start[T, R], writing: int) -> NoReturn:
    """In the child. Whatever happens, nothing of the parent's is cleaned up here."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with start() as work:
            for task in tasks:
                _send(writing, (True, work(task)))
    except BrokenPipeError:
        pass
    except BaseException as e:  # noqa: BLE001 - it is raised again in the parent
        _send(writing, (False, e))
    finally:
        os._exit(0)


def _send(writing: int, result: object) -> None:
    content = pickle.dumps(result, protocol=5)
    view = memoryview(len(content).to_bytes(_HEAD, "big") + content)
    while view:
        view = view[os.write(writing, view) :]


def _receive(pipe: BinaryIO) -> R:  # type: ignore[type-var]  # what the child was given to do says which
    head = pipe.read(_HEAD)
    content = pipe.read(int.from_bytes(head, "big"))
    if len(head) < _HEAD or not content:
        raise MunimentError("a process that was checking records ended: out of memory? Try --processes 1")
    done, value = pickle.loads(content)  # our own child's
    if not done:
        raise value
    return value  # type: ignore[no-any-return]  # what the child pickled


def processors() -> int:
    """How many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
