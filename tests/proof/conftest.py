"""An archive with a time stamp, its proof, and both judges of a proof: verify.sh and muniment check."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from muniment.archive.archive import Archive, create
from muniment.archive.proofs import write_proof, written
from muniment.formats.evidence import SUMS, Files
from muniment.formats.examine import Examination, Finding
from muniment.formats.note import VerifierKey
from muniment.formats.timestamp import make_request
from muniment.model import Article
from tests.authority import Authority
from tests.conftest import NOW, download, fill

# Of coreutils, what a PATH for verify.sh may hold; grep, sed, awk, cmp and diff are none of it.
COREUTILS = """
    base64 basename cat chmod cp cut date dd dirname env expr false fold head id join ln ls mkdir mktemp mv nl od paste
    pr printf rm rmdir seq sha1sum sha256sum sha512sum sleep sort split stat tac tail tee test touch tr true tsort tty
    uname uniq wc whoami yes"""
SHELLS = [path for name in ("dash", "bash") if (path := shutil.which(name))]
PROVED = (18, 2)  # a revisit of #16, whose derivation is #17; and the beginning of a WARC file

Parts = dict[str, bytes]


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH that holds coreutils, xxd and openssl, and nothing else."""
    folder = tmp_path_factory.mktemp("tools")
    for name in [*COREUTILS.split(), "xxd", "openssl"]:
        if path := shutil.which(name):
            (folder / name).symlink_to(path)
    if not (folder / "xxd").exists() or not (folder / "openssl").exists() or not SHELLS:
        pytest.skip("verify.sh needs dash or bash, xxd and openssl")
    return folder


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """It stamps an hour from now, with a certificate that holds then and not now: what counts is the time of the stamp."""
    noon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    minutes = timedelta(minutes=10)
    folder = tmp_path_factory.mktemp("tsa")
    return Authority(folder, clock=noon, since=noon - minutes, until=noon + minutes, intermediate=True)


def stock(root: Path) -> None:
    """19 leaves, the last a revisit of #16."""
    fill(root, 7, group=3)
    with Archive(root) as archive, archive.writer() as writer:
        page = download("https://news.example/a", b"<p>A page.</p>" * 20)
        added = writer.add_capture(page, [("articleKey", "news.example/a")])
        text = "A page, cleaned.\nکتاب‌ها\n"
        writer.add_article(Article("A page <b>&", text, extractor="test/1"), added.number, page.uri)
        writer.commit()
        writer.add_capture(page, [("articleKey", "news.example/a")])
        writer.commit()


def stamp(root: Path, authority: Authority, name: str = "test-tsa") -> None:
    """A time stamp over the newest checkpoint, kept as the archive keeps it, with a leaf of its own."""
    note = (root / "log" / "checkpoint").read_bytes()
    size = note.split(b"\n")[1].decode()
    request = make_request(note, 12345)
    contents = {"tsq": request, "tsr": authority.reply(request), "pem": authority.chain_pem}
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_stamp(int(size), {f"{size}.{name}.{kind}": content for kind, content in contents.items()})
        writer.commit()


@pytest.fixture(scope="session")
def stamped(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    """An archive whose newest checkpoint has a time stamp. Not to be changed."""
    root = create(tmp_path_factory.mktemp("stamped") / "archive", "test.example/log", NOW).root
    stock(root)
    stamp(root, authority)
    return root


def proof_of(root: Path, *numbers: int) -> bytes:
    target = io.BytesIO()
    with Archive(root) as archive:
        write_proof(archive, numbers, target)
    return target.getvalue()


def unpacked(content: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        return {name: files.read(name) for name in files.namelist()}


@pytest.fixture(scope="session")
def _parts(stamped: Path) -> Parts:
    return unpacked(proof_of(stamped, *PROVED))


@pytest.fixture
def parts(_parts: Parts) -> Parts:
    """The files of a proof, by name, to be changed at will."""
    return dict(_parts)


def sealed(parts: Parts) -> Parts:
    """The same files with SHA256SUMS as a forger would write it: true."""
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {name}\n" for name, c in sorted(parts.items()) if name != SUMS)
    return {**parts, SUMS: sums.encode()}


def packed(parts: Parts) -> io.BytesIO:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as files:
        for name, content in parts.items():
            files.writestr(name, content)
    return target


def muniment(*arguments: str | Path, cwd: Path, code: int = 0) -> str:
    """Runs the command; returns what it printed. It may not show a traceback."""
    ran = subprocess.run(
        [sys.executable, "-m", "muniment", *arguments], cwd=cwd, capture_output=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    said = ran.stdout.decode() + ran.stderr.decode()
    assert (ran.returncode, "Traceback" in said, "internal error" in said) == (code, False, False), said
    return said


@dataclass(frozen=True)
class Judges:
    """Both judges, who have to agree. Each call unpacks into a folder of its own."""

    folder: Path
    tools: Path
    count: list[int] = field(default_factory=list)

    def script(self, parts: Parts, *options: str, shell: str = SHELLS[0] if SHELLS else "") -> tuple[int, str]:
        """Runs verify.sh with nothing but the tools that it may use. It must not stumble."""
        self.count.append(1)
        place = self.folder / str(len(self.count))
        place.mkdir(parents=True)
        for name, content in parts.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
        script = Path(__file__).resolve().parents[2] / "muniment" / "archive" / "proof_files" / "verify.sh"
        ran = subprocess.run(
            [shell, script, *options, place],
            capture_output=True,
            timeout=60,
            env={"PATH": str(self.tools), "LANG": "C.UTF-8"},
        )
        shutil.rmtree(place)
        said = ran.stdout.decode() + ran.stderr.decode()
        for word in ("not found", "syntax", "bad substitution", "integer expression", "Illegal number", "arithmetic"):
            assert word not in said, said
        return ran.returncode, said

    def check(
        self, parts: Parts, keys: list[VerifierKey] | None = None, roots: list[bytes] | None = None
    ) -> list[Finding]:
        return list(Examination(Files(packed(parts)), written(), keys or [], roots or []).run())

    def refuse(self, parts: Parts) -> str:
        """Both refuse it. Returns what the script said."""
        findings = self.check(parts)
        assert findings
        code, said = self.script(parts)
        assert code == 1, said
        assert "\nPROVED" not in said
        return said


@pytest.fixture
def judges(tmp_path: Path, tools: Path) -> Judges:
    return Judges(tmp_path / "unpacked", tools)
