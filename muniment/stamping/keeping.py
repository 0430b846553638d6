"""What stamps share: which checkpoint is stamped, and the short commit that keeps what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.archive.authorities import parse_stamp_name
from muniment.archive.proving import commits_of, newest_commit
from muniment.durable import Lock
from muniment.errors import IntegrityError
from muniment.regular import read_regular

if TYPE_CHECKING:
    from muniment.archive.commit import Commit
    from muniment.archive.keys import Signer

COMMIT_WAIT = 60.0  # seconds: what was granted should not be lost to a writer that holds the lock for a moment


def stampable(archive: Archive) -> Commit | None:
    """The first commit that holds the newest leaf besides stamps, or None where there is none: stamps of stamps say
    nothing new."""
    number = archive.catalog.newest_besides_stamps()
    if number is None:
        return None
    log, config = archive.root / "log", archive.config
    keys = config.keys()
    # A stamp is committed alone, so what came before it ends a commit.
    found = commits_of(log, config.origin, number + 1, keys)
    return found[-1] if found else newest_commit(log, keys)


def every_commit(archive: Archive) -> list[Commit]:
    """Every commit, the newest first."""
    from muniment.archive.commit import scan_frames

    try:
        return list(scan_frames(read_regular(archive.root / "log" / "commits")))[::-1]
    except OSError as e:
        raise IntegrityError(f"log/commits cannot be read: {e.strerror}; run `muniment verify`") from e


def ready(archive: Archive, wait: float) -> Signer | None:
    """The signer, so that a stamp is not asked for where it could not be kept. Raises UsageError, Locked."""
    from muniment.archive.keys import load_signer

    Lock(archive.root / "lock", wait).release()
    if archive.config.next_key:  # opening the writer settles which key it is
        return None
    return load_signer(archive.config.vkeys[-1], archive.ask_passphrase)


def keep(archive: Archive, size: int, files: Mapping[str, bytes], signer: Signer | None, wait: float) -> int | None:
    """Commit these files, as far as nothing is kept under their names. Returns the leaf's number."""
    with archive.writer(signer, wait=max(wait, COMMIT_WAIT)) as writer:
        held = {name for name, *_ in writer.catalog.stamps()}
        new = {name: content for name, content in files.items() if name not in held}
        if not new:
            return None
        leaf = writer.add_stamp(size, new)
        writer.commit()
    archive.refresh()
    return leaf


def free_name(stem: str, kind: str, is_taken: Callable[[str], bool]) -> str:
    """`<stem>.<kind>`, or with -2, -3… behind the stem: what is kept is never overwritten."""
    name, number = f"{stem}.{kind}", 2
    while is_taken(name):
        name, number = f"{stem}-{number}.{kind}", number + 1
    parse_stamp_name(name)
    return name
