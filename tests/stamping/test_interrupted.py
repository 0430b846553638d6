"""A kill between the files of a stamp and their leaf: nothing is named that is not there, and nothing stays unnamed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from stamped_archive import configure, kept, put, slugs

from muniment.archive.archive import Archive
from muniment.stamping import stamp
from tests.authority import Authority


def stamp_until(root: Path, files: int) -> None:
    """Stamp in a process that is killed once it has synced so many files in log/stamps/."""
    pid = os.fork()
    if pid == 0:
        left = [files]

        def on_event(event: str, arguments: tuple[object, ...]) -> None:
            if event == "muniment.synced" and "/stamps/" in str(arguments[0]):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(on_event)
        try:
            with Archive(root) as archive:
                stamp(archive, tries=1, allow_private=True)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("files", [1, 2, 3])
def test_files_without_a_leaf_are_set_aside_and_the_next_run_stamps_anew(
    filled: Path, authority: Authority, files: int
) -> None:
    configure(filled, authority)
    stamp_until(filled, files)
    left = kept(filled)
    assert len(left) == files
    assert slugs(filled) == ["unknown-file"] * files
    with Archive(filled) as archive:
        done = stamp(archive, tries=1, allow_private=True)
    assert done.leaf == 3
    assert kept(filled) == ["3.tsa-0.pem", "3.tsa-0.tsq", "3.tsa-0.tsr"]
    assert slugs(filled) == []
    aside = [path.name for path in (filled / "quarantine").iterdir()]
    assert sorted(name.rsplit(".", 2)[0] for name in aside) == left


def test_a_half_written_file_goes_too_and_named_ones_stay(filled: Path, authority: Authority) -> None:
    configure(filled, authority)
    with Archive(filled) as archive:
        stamp(archive, tries=1, allow_private=True)
    whole = kept(filled)
    (filled / "log" / "stamps" / ".4.tsa-0.tsr.99.tmp").write_bytes(b"half")
    put(filled, "c")
    assert kept(filled) == whole
    assert slugs(filled) == []
