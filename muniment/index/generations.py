"""Which index is in use: `index/current` names a folder beside it, `<engine>-<generation>`.

A new index is built in a folder of its own and put in use by replacing that one small file, so that a search sees the
old index or the new one and nothing between. A build that was killed is found again and resumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from muniment.index.engine import Engine, State, open_engine
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


def telling_damage(root: Path) -> AbstractContextManager[None]:
    """Whoever asks the index in use is told where it is damaged, and not by an engine's own errors."""
    from muniment.index import sound

    return sound.telling_damage(root / (current(root) or ""), ValueError)


def begun(root: Path) -> tuple[str, int] | None:
    """The build beside the index in use: its folder's name, and how many leaves it accounts for; None without one."""
    from muniment.index.engine import read_state

    in_use = current(root)
    try:
        names = sorted(path.name for path in root.iterdir() if path.name != in_use and _NAME.match(path.name))
    except OSError:
        return None
    return (names[-1], read_state(root / names[-1], "").log_size) if names else None


def create(root: Path, engine: str = DEFAULT_ENGINE) -> Engine:
    """An empty index, put in use at once: for an archive that has none. Raises StorageError."""
    from muniment.durable import replace
    from muniment.errors import StorageError

    name = f"{engine}-1"
    _remove(_folder(root, name))
    try:
        opened = open_engine(engine, root / name, create=True)
    except OSError as e:
        raise StorageError(f"{e.filename or root}: {e.strerror}") from e
    replace(root / "current", f"{name}\n".encode())
    return opened


def begin_build(root: Path, engine: str, is_of_use: Callable[[State], bool]) -> tuple[str, Engine]:
    """The name and the engine of an index to build: the one that a killed build left, where it is still of use."""
    from muniment.errors import IndexBehind

    in_use = current(root)
    generation = int(in_use.partition("-")[2]) + 1 if in_use else 1
    name = f"{engine}-{generation}"
    try:
        opened = open_engine(engine, _folder(root, name), create=True)
        if is_of_use(opened.state()):
            return name, opened
        opened.close()
    except IndexBehind:
        pass
    _remove(root / name)
    return name, open_engine(engine, root / name, create=True)


def put_in_use(root: Path, name: str) -> None:
    """Make the folder the one in use, and remove all others."""
    from muniment.durable import replace

    replace(root / "current", f"{name}\n".encode())
    for other in root.iterdir():
        if other.is_dir() and other.name != name and _NAME.match(other.name):
            _remove(other)


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


def _remove(folder: Path) -> None:
    import shutil  # 3 ms that a search has no use for

    shutil.rmtree(folder, ignore_errors=True)
