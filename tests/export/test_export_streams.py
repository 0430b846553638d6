"""A payload of 200 MB passes through without being held, and an export that is stopped leaves nothing."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exporting import COMMAND

from muniment.archive.archive import Archive, create
from muniment.model import Article
from tests.conftest import NOW, upload

SIZE = 200 << 20
PEAK = 100 << 10  # kB; the interpreter with what an export imports takes about 40 MB

# Linux counts in ru_maxrss what the parent held when it forked, so the kernel's own high-water mark is asked there.
MEASURED = """
import pathlib, re, resource, sys
from muniment.cli import run
code = run(sys.argv[1:])
if sys.platform == "darwin":
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
else:
    peak = int(re.search(r"VmHWM:\\s*([0-9]+)", pathlib.Path("/proc/self/status").read_text())[1])
print(peak, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with one upload of 200 MB that hardly compresses."""
    root = create(tmp_path_factory.mktemp("heavy") / "archive", "test.example/log", NOW).root
    with Archive(root) as archive, archive.writer() as writer:
        capture = upload("heavy.bin", random.Random(1).randbytes(SIZE))
        number = writer.add_capture(capture, [("articleKey", "heavy")]).number
        writer.add_article(Article("Heavy", "A text.", extractor="test/1"), number, capture.uri)
        writer.commit()
    return root


@pytest.mark.parametrize("form", ["warc", "wacz", "bagit", "jsonl", "csv"])
def test_no_payload_is_held_in_memory(heavy: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / "out.wacz"
    arguments = ["--archive", str(heavy), "export", "--format", form, "-o", str(target)]
    done = subprocess.run([sys.executable, "-c", MEASURED, *arguments], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) < PEAK
    if form in ("warc", "wacz"):
        assert target.stat().st_size > SIZE


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("form", ["wacz", "bagit"])
def test_an_export_that_is_stopped_leaves_nothing(heavy: Path, tmp_path: Path, form: str, how: signal.Signals) -> None:
    target = tmp_path / "out.wacz"
    running = subprocess.Popen([*COMMAND, "--archive", str(heavy), "export", "--format", form, "-o", str(target)])
    while running.poll() is None and not _begun(tmp_path):
        time.sleep(0.001)
    running.send_signal(how)
    assert running.wait(60) == 130
    assert list(tmp_path.iterdir()) == []


def _begun(folder: Path) -> bool:
    """Whether some of the payload was written."""
    return any(path.stat().st_size > 1 << 20 for path in folder.rglob("*.tmp*") if path.is_file()) or any(
        path.stat().st_size > 1 << 20 for path in folder.rglob("*.gz")
    )


def test_what_was_stored_comes_out(heavy: Path, tmp_path: Path) -> None:
    """The digest of the record that is read back from the package is the one in the log."""
    import zipfile
    import zlib

    target = tmp_path / "out.wacz"
    subprocess.run([*COMMAND, "--archive", str(heavy), "export", "--format", "wacz", "-o", str(target)], check=True)
    with Archive(heavy) as archive:
        expected = archive.leaf(1).records[0]
    digest, inflater, member = hashlib.sha256(), zlib.decompressobj(31), 0
    with zipfile.ZipFile(target) as opened, opened.open("archive/data.warc.gz") as file:
        while chunk := file.read(1 << 20):
            while chunk and member < 2:
                piece = inflater.decompress(chunk)
                if member == 1:
                    digest.update(piece)
                chunk = inflater.unused_data
                if inflater.eof:
                    inflater, member = zlib.decompressobj(31), member + 1
    assert digest.hexdigest() == expected
