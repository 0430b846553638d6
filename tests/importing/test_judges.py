"""Other people's software on what was imported: our export of it, its replay, its proof."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
from import_run import Imported
from record_files import crawl, http, new_id, page, record
from warcio.archiveiterator import ArchiveIterator

from muniment.archive.archive import Archive

COMMAND = [sys.executable, "-m", "muniment"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def exported(crawled: Imported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "all.warc.gz"
    subprocess.run([*COMMAND, "--archive", crawled.root, "export", "--format", "warc", "-o", path], check=True)
    return path


def test_the_export_holds_the_records_as_they_came(exported: Path) -> None:
    whole = gzip.decompress(exported.read_bytes())
    story = record("response", http(page("The lock")), "http://a.example/lock", identity=new_id("story"))
    assert crawl()[1].partition(b"\r\n")[2] in whole and story.rpartition(b"\r\n\r\n")[0][-200:] in whole


def test_warcio_finds_every_digest_of_the_export_right(exported: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "warcio.cli", "check", "-v", exported], capture_output=True, text=True
    )
    assert checked.returncode == 0 and "fail" not in checked.stdout.replace("failed: 0", ""), checked.stdout
    with exported.open("rb") as file:
        assert sum(one.rec_type == "response" for one in ArchiveIterator(file)) == 6


def test_pywb_replays_an_imported_page_under_its_own_date(exported: Path, tmp_path: Path) -> None:
    folder = Path(os.environ.get("MUNIMENT_PYWB", ROOT / ".pywb")) / "bin"
    if not (folder / "wayback").exists():
        pytest.skip(f"{folder}/wayback is not there: `make .pywb/.installed` brings pywb")
    for words in (["init", "kept"], ["add", "kept", str(exported)]):
        subprocess.run([folder / "wb-manager", *words], cwd=tmp_path, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [folder / "wayback", "-b", "127.0.0.1", "-p", str(port)], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        for moment in ("20130504120000", "20140101000000"):
            answer = opener.open(f"http://127.0.0.1:{port}/kept/{moment}id_/http://a.example/lock", timeout=30)
            assert answer.read() == page("The lock")
            assert answer.url.endswith(f"/{moment}id_/http://a.example/lock")
    finally:
        server.terminate()
        server.wait(30)


def test_a_proof_of_imported_records_holds_without_us(crawled: Imported, tmp_path: Path) -> None:
    if not all(map(shutil.which, ("sh", "xxd", "openssl"))):
        pytest.skip("verify.sh needs sh, xxd and openssl")
    with Archive(crawled.root) as archive:
        numbers = [str(archive.catalog.numbers(kind)[0]) for kind in ("capture", "revisit", "record")]
    proof = tmp_path / "p.zip"
    prove = [*COMMAND, "--archive", crawled.root, "prove", *numbers, "-o", proof]
    subprocess.run(prove, check=True, capture_output=True)
    subprocess.run([*COMMAND, "check", proof], check=True, capture_output=True)
    with zipfile.ZipFile(proof) as archive_file:
        archive_file.extractall(tmp_path / "p")
    said = subprocess.run(["sh", "verify.sh"], cwd=tmp_path / "p", capture_output=True, text=True)
    assert said.returncode == 0 and "PROVED" in said.stdout, said.stdout
