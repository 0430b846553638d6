"""pywb, in an environment of its own, replays what was exported."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from exporting import MOVED, NOTE, STORY, Filled, run

from tests.conftest import KEYS

EARLY, LATE = "20261122080000", "20261122090000"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


@pytest.fixture(scope="module", params=["warc", "wacz"])
def replay(
    request: pytest.FixtureRequest, filled: Filled, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], tuple[int, str | None, bytes]]]:
    """Asks pywb for an address at a time: (status, Location, body)."""
    judge = request.getfixturevalue("judge")
    folder = tmp_path_factory.mktemp("pywb")
    target = folder / f"all.{'warc.gz' if request.param == 'warc' else 'wacz'}"
    run("export", "--format", request.param, "-o", target, archive=filled.root)
    manager = judge("wb-manager")
    subprocess.run([manager, "init", "kept"], cwd=folder, check=True, capture_output=True)
    unpack = ["--unpack-wacz"] if request.param == "wacz" else []
    subprocess.run([manager, "add", *unpack, "kept", target], cwd=folder, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [judge("wayback"), "-b", "127.0.0.1", "-p", str(port)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))

    def ask(moment: str, url: str) -> tuple[int, str | None, bytes]:
        try:
            with opener.open(f"http://127.0.0.1:{port}/kept/{moment}id_/{url}", timeout=30) as answer:
                return answer.status, answer.headers["Location"], answer.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.headers["Location"], e.read()

    try:
        _wait_for(port, server)
        yield ask
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("pywb did not start")


Ask = Callable[[str, str], tuple[int, str | None, bytes]]


def test_a_page(replay: Ask) -> None:
    assert replay(EARLY, STORY) == (200, None, b"<html><p>The keeper of the lock retires.</p></html>")


def test_a_redirect(replay: Ask) -> None:
    status, location, _ = replay(EARLY, MOVED)
    assert (status, location and location.endswith(STORY)) == (301, True)


def test_a_revisit(replay: Ask) -> None:
    assert replay(LATE, STORY) == (200, None, b"<html><p>The keeper of the lock retires.</p></html>")


@pytest.mark.parametrize("moment", [EARLY, LATE])
def test_an_upload_under_the_address_of_its_file(replay: Ask, moment: str) -> None:
    assert replay(moment, "file:///home/%D9%85%20a.txt") == (200, None, b"An uploaded text.\n")


def test_an_upload_that_only_its_digest_names(replay: Ask) -> None:
    assert replay(EARLY, NOTE) == (200, None, b"A note.\n")


def test_the_keys_of_the_index_are_those_of_the_reference(judge: Callable[[str], str]) -> None:
    program = "import sys, surt; print(*map(surt.surt, sys.argv[1:]), sep=chr(10))"
    done = subprocess.run([judge("python"), "-c", program, *KEYS], capture_output=True, check=True, encoding="utf-8")
    assert dict(zip(KEYS, done.stdout.split("\n"), strict=False)) == KEYS
