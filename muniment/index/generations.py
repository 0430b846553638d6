"""Which index is in use: `index/current` names a folder beside it, `<engine>-<generation>`.

A new index is built in a folder of its own and put in use by replacing that one small file, so that a search sees the
old index or the new one and nothing between. A build that was killed is found again and resumed. The old folder goes
when nobody has it open any more: at once, or when somebody writes the next time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from muniment.index.engine import Engine, State, open_engine
from muniment.index.holding import alone, remove
from muniment.regular import read_regular

DEFAULT_ENGINE = "tantivy"
_NAME = re.compile(r"(tantivy|whoosh)-([0-9]{1,9})\Z")


def current(root: Path) -> str | None:
    """The name of the folder in use, or None where no index was put in use yet."""
    try:
        name = read_regular(root / "current").decode("ascii", "replace").strip()
    except OSError:
        return None
    return name if _NAME.match(name) else None


def open_current(root: Path) -> Engine | None:
    """The index in use, for reading or writing; None where there is none. Raises IndexBehind where it is unusable."""
    from muniment.errors import IndexBehind

    name = current(root)
    while name is not None:
        try:
            return open_engine(name.partition("-")[0], _folder(root, name))
        except IndexBehind:
            # Another took its place while it was opened, and it was removed.
            if (now := current(root)) == name:
                raise
            name = now
    return None


def is_outdated(root: Path) -> bool:
    """Whether there is an index in use, and it is of another version of muniment: it cannot answer, nor be added to."""
    from muniment.index.engine import present_name, read_state

    if (name := current(root)) is None:
        return False
    state = read_state(root / name, present_name(name.partition("-")[0]))
    return bool(state.engine) and not state.current


def telling_damage(root: Path) -> AbstractContextManager[None]:
    """Whoever asks the index in use is told where it is damaged, and not by an engine's own errors."""
    from muniment.index import sound

    return sound.telling_damage(root / (current(root) or ""), ValueError)


def begun(root: Path) -> tuple[str, int] | None:
    """The build beside the index in use: its folder's name, and how many leaves it accounts for; None without one."""
    from muniment.index.engine import read_state

    last = _generation(current(root))
    try:
        names = [path.name for path in root.iterdir() if _NAME.match(path.name) and _generation(path.name) > last]
    except OSError:
        return None
    found = max(((read_state(root / name, "").log_size, name) for name in names), default=None)
    return (found[1], found[0]) if found else None


def create(root: Path, engine: str = DEFAULT_ENGINE) -> Engine:
    """An empty index, put in use at once: for an archive that has none. Raises StorageError."""
    from muniment.durable import replace
    from muniment.errors import StorageError

    name = f"{engine}-1"
    remove(_folder(root, name))
    try:
        opened = open_engine(engine, root / name, create=True)
    except OSError as e:
        raise StorageError(f"{e.filename or root}: {e.strerror}") from e
    replace(root / "current", f"{name}\n".encode())
    return opened


def begin_build(root: Path, engine: str, is_of_use: Callable[[State], bool]) -> tuple[str, Engine]:
    """The name and the engine of an index to build: the one that a killed build left, where it is still of use."""
    from muniment.errors import StorageError

    try:
        with alone(root):
            name = f"{engine}-{_generation(current(root)) + 1}"
            return name, _begun_or_new(engine, _folder(root, name), is_of_use)
    except OSError as e:
        raise StorageError(f"{e.filename or root}: {e.strerror}") from e


def _begun_or_new(engine: str, folder: Path, is_of_use: Callable[[State], bool]) -> Engine:
    from muniment.errors import IndexBehind, Locked

    if folder.exists():
        try:
            opened = open_engine(engine, folder, create=True)
            if is_of_use(opened.state()):
                return opened
            opened.close()
        except IndexBehind:
            pass
        if not remove(folder):
            raise Locked(f"another process is at the index at {folder}: try again when it is done")
    return open_engine(engine, folder, create=True)


def put_in_use(root: Path, name: str) -> None:
    """Make the folder the one in use, and remove those before it."""
    from muniment.durable import replace

    replace(root / "current", f"{name}\n".encode())
    remove_old(root)


def remove_old(root: Path) -> None:
    """Remove the folders that another took the place of, but those that somebody still has open."""
    if (name := current(root)) is None:
        return
    for other in root.iterdir():
        is_old = other.name != name and _NAME.match(other.name) and _generation(other.name) <= _generation(name)
        if is_old and other.is_dir() and not other.is_symlink():
            remove(other)


def engine_in_use(root: Path) -> str:
    """The engine of the index in use, the default where there is none."""
    return (current(root) or DEFAULT_ENGINE).partition("-")[0]


def _folder(root: Path, name: str) -> Path:
    """Where an index lies. Raises StorageError where a link would lead out of the archive: engines write and remove."""
    from muniment.errors import StorageError

    for folder in (root, root / name):
        if folder.is_symlink():
            raise StorageError(f"{folder} is a link: muniment follows none; mount or bind the folder there instead")
    return root / name


def _generation(name: str | None) -> int:
    return int(name.partition("-")[2]) if name else 0
