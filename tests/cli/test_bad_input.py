"""Bad input: what each gets. No input ends a run, hangs it, shows a traceback or costs a neighbour its place.

| input | outcome |
| --- | --- |
| binary junk named .html | stored, empty text, problem `not-text: ...` |
| an empty file | stored, empty text, problem `empty` |
| 50 MB of `<div>`, a 100 MB text line | stored, empty text, problem `too-large` |
| a file over `--max-size` (128 MB), standard input over it | failed: `... bytes; the limit is ...` |
| a page in a wrong or missing encoding | stored with its text; what was assumed is recorded as `decoding` |
| a file name that is not UTF-8 | stored; shown as \\xNN, percent-encoded in the address |
| a FIFO, a socket, a device in a folder | failed: neither a file nor a folder |
| a dangling link, a link to itself, an unreadable file or folder | failed: cannot be read: (the system's reason) |
| a link to a folder (so every directory loop) | passed over, as are hidden files and whole archives |
| a path that does not exist, `ftp://`, a NUL in a path | failed: there is no such file; only http:// and https:// |
| escape sequences, controls, newlines in titles and file names | spaces, in what is shown and in what is declared |
| a gzip bomb as a response body | stored as it came, empty text, problem `content-bomb` |
| a connection cut in mid-body | failed (after retries) and kept as an attempt with what came |
| a redirect loop | failed: `redirect-loop`; each redirect is a capture |
| a URL with spaces, an international host | fetched: percent-encoded; the host in its ASCII form |
| a URL over 8,192 characters, without a host, with control characters | failed, named |
| a list: CR LF line ends, a byte order mark | read as usual |
| a list in UTF-16 | one failed item: save it as UTF-8 |
| a list: broken JSON, wrong types, unknown fields, wrong dates, deep nesting, half a surrogate | that line failed, `LIST line N` |
| a list: a line over 32 MB | that line failed; of other lines too long for a path, the first 400 characters are shown |
| a list: `-` as a target | that line failed; `-` twice on the command line: 2 |
| a list that cannot be opened; `--published` that is no date; `--url` with several targets | 2, nothing is added |
| `--url`, `--title` with a folder; `url` declared of a URL to fetch; an address that is none | that item failed |
| a number that is none, negative, too large, not in the log | 2 |
| a query with unbalanced quotes or brackets | answered, or 2 with the place |
| archive.toml broken | 2, where it is wrong (a search, which does not need it, still answers) |
| the private key missing or another's | 2, where it should lie; reading and verify work |
| the archive on a read-only disk | search, show, history, status, verify work; add ends with 14 |
| another writer | 11, or waits (`--wait SECONDS`) |
| a terminal's Control-C | 130; everything acknowledged is stored |
"""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import re
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_console import Console, Stock, page

from muniment.archive.archive import create
from tests.conftest import NOW
from tests.ingest_fetch.rawserver import RawServer, redirect, response

Row = dict[str, object]
PERSIAN = "شورای شهر درباره دیوار بندر گفتگو کرد و هیچ کس آن شب را فراموش نخواهد کرد. " * 6


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    base = tmp_path_factory.mktemp("bad")
    return Console(create(base / "archive", "test.example/log", NOW).root, base)


@pytest.fixture(scope="module")
def rows(console: Console) -> dict[str, Row]:
    """What became of a folder of bad files with good neighbours, by file name."""
    folder = console.cwd / "in"
    folder.mkdir()
    for name in ("a-first", "m-between", "z-last"):
        (folder / f"{name}.html").write_bytes(page(f"Good {name}"))
    (folder / "b-junk.html").write_bytes(bytes(range(256)) * 400)
    (folder / "c-empty.html").write_bytes(b"")
    (folder / "c-empty.txt").write_bytes(b"")
    (folder / "d-divs.html").write_bytes(b"<div>" * 10_000_000)
    (folder / "e-line.txt").write_bytes(b"harbour " * 13_107_200)
    with (folder / "f-sparse.txt").open("wb") as file:
        file.truncate((128 << 20) + 1)
    (folder / "g-1256.html").write_bytes(
        f'<html lang="fa"><meta charset="windows-1256"><title>بندر</title><article><p>{PERSIAN}</p></article>'
        .replace("ی", "ي").encode("cp1256", "xmlcharrefreplace")
    )  # fmt: skip
    (folder / "h-utf16.html").write_bytes(
        page("Sixteen").replace(b'<meta charset="utf-8">', b"").decode().encode("utf-16")
    )
    (folder / "i-lies.html").write_bytes(page("Zoë Café", "Café " * 60).decode().encode("latin-1"))
    (folder / "j-escape\x1b[31m.html").write_bytes(page("Red \x1b[31m\n\x07 alert"))
    os.mkfifo(folder / "k-fifo")
    here = Path.cwd()
    os.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("k-socket")
    os.chdir(here)
    (folder / "l-dangling").symlink_to("nowhere")
    (folder / "l-itself").symlink_to("l-itself")
    (folder / "l-loop").symlink_to(".")
    (folder / "l-link.html").symlink_to("a-first.html")
    if sys.platform != "darwin":  # whose file systems take no such names
        Path(os.fsdecode(bytes(folder) + b"/n-\xff\xfe.html")).write_bytes(page("Good bytes"))
    done = console("add", "in", "--json", code=3)
    return {str(row["target"]).removeprefix("in/"): row for row in done.rows()}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("b-junk.html", "not-text"),
        ("c-empty.html", "empty"),
        ("c-empty.txt", "empty"),
        ("d-divs.html", "too-large"),
        ("e-line.txt", "too-large"),
    ],
)
def test_what_holds_no_text_is_stored_with_the_reason(
    console: Console, rows: dict[str, Row], name: str, problem: str
) -> None:
    assert rows[name]["state"] == "stored"
    assert str(rows[name]["problem"]).startswith(problem)
    number = rows[name]["snapshot"]
    assert isinstance(number, int)
    assert "--raw shows its bytes" in console("show", number).err
    assert console("show", number, "--raw").raw == (console.cwd / "in" / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("f-sparse.txt", "134217729 bytes; the limit is 134217728"),
        ("k-fifo", "neither a file nor a folder"),
        ("k-socket", "neither a file nor a folder"),
        ("l-dangling", "cannot be read: No such file"),
        ("l-itself", "cannot be read: Too many levels"),
    ],
)
def test_what_cannot_be_read_is_a_named_failure(rows: dict[str, Row], name: str, error: str) -> None:
    assert rows[name]["state"] == "failed"
    assert error in str(rows[name]["error"])


def test_the_neighbours_are_stored_and_a_directory_loop_is_not_entered(console: Console, rows: dict[str, Row]) -> None:
    for name in ("a-first", "m-between", "z-last"):
        assert (rows[f"{name}.html"]["state"], rows[f"{name}.html"]["title"]) == ("stored", f"Good {name}")
    assert rows["l-link.html"]["state"] == "stored"
    assert not any(name.startswith("l-loop") for name in rows)
    assert len(console("search", '"harbour wall"', "--ids", "--all").lines) >= 5
    assert console("verify", "--json").rows()[-1]["findings"] == 0


@pytest.mark.parametrize(
    ("name", "title", "text"),
    [
        ("g-1256.html", "بندر", "گفتگو"),
        ("h-utf16.html", "Sixteen", "harbour wall"),
        ("i-lies.html", "", "Nobody who was there"),
    ],
)
def test_a_page_in_another_encoding_keeps_its_words(
    console: Console, rows: dict[str, Row], name: str, title: str, text: str
) -> None:
    number = rows[name]["snapshot"]
    assert isinstance(number, int)
    article = console("show", number, "--json").json()["article"]
    assert article["title"].startswith(title)
    assert text in article["text"].replace("ي", "ی")
    assert article["decoding"]


def test_escape_sequences_in_names_and_titles_are_spaces(console: Console, rows: dict[str, Row]) -> None:
    row = rows["j-escape [31m.html"]
    assert row["state"] == "stored"
    assert str(row["title"]).isprintable()
    number = row["snapshot"]
    assert isinstance(number, int)
    assert "%1B%5B31m" in console("show", number, "--json").json()["uri"]


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are UTF-8 there")
def test_a_file_name_that_is_not_utf8_is_stored_and_told_apart(console: Console, rows: dict[str, Row]) -> None:
    row = rows["n-\\xff\\xfe.html"]
    assert (row["state"], row["title"]) == ("stored", "Good bytes")
    number = row["snapshot"]
    assert isinstance(number, int)
    assert console("show", number, "--json").json()["uri"].endswith("/n-%FF%FE.html")
    again = console("add", b"in/n-\xff\xfe.html", "--json").json()
    assert (again["state"], again["snapshot"]) == ("unchanged", number)
    assert "version 1" in console("history", b"in/n-\xff\xfe.html").out
    console("search", b"\xff\xfe", code=2)
    console("history", b"\xff\xfe", code=1)
    console("--archive", b"\xff\xfe", "status", code=12)
    assert (
        "failed" in console("add", b"\xff\xfe", b"http://127.0.0.1/\xff", b"http://\xff/", "--tag", b"\xff", code=3).err
    )


def test_standard_input_over_the_limit_is_refused_and_not_read_on(console: Console) -> None:
    done = console("add", "-", "in/a-first.html", "--max-size", 2000, "--json", code=3, stdin=b"x" * 100_000)
    assert [(row["state"], row["error"]) for row in done.rows()] == [
        ("failed", "2001 bytes; the limit is 2000 (see --max-size)"),
        ("unchanged", None),
    ]


# ---- over the network


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Console, dict[str, Row]]]:
    base = tmp_path_factory.mktemp("net")
    root = create(base / "archive", "test.example/log", NOW).root
    with (root / "archive.toml").open("a") as file:
        file.write("retries = 1\nbackoff = 0.01\nfirst_byte_timeout = 5.0\n")  # [fetch] is the last table
    bomb = gzip.compress(gzip.compress(b"<p>harbour " * 20_000_000, 9), 9)
    html = b"Content-Type: text/html; charset=utf-8"
    replies = {
        "/good1": response(page("Good one"), html),
        "/bomb": response(gzip.decompress(bomb), html, b"Content-Encoding: gzip"),
        "/twice": response(bomb, html, b"Content-Encoding: gzip, gzip"),
        "/cut": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n" + page("Cut")[:200],
        "/chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense",
        "/loop": redirect(b"/loop"),
        "/ping": redirect(b"/pong"),
        "/pong": redirect(b"/ping"),
        "/away": redirect(b"file:///etc/passwd"),
        "/noise": os.urandom(4000),
        "/silent": b"",
        "/a%20b%20c": response(page("Spaces"), html),
        "/caf%C3%A9": response(page("Host"), html),
        "/good2": response(page("Good two"), html),
    }
    with RawServer(replies) as server:
        address = f"127.0.0.1:{server.port}"
        hosts = ("site.example", "bücher.example", "xn--bcher-kva.example")
        resolve = [word for host in hosts for word in ("--resolve", f"{host}:{address}")]
        names = ["good1", "bomb", "twice", "cut", "chunk", "loop", "ping", "away", "noise", "silent", "a b c", "good2"]
        urls = [f"http://site.example/{name}" for name in names]
        urls[-1:-1] = [
            "http://BÜCHER.example/café",
            "http://",
            "http://[bad/",
            "http://…@[::1",
            "http://x.example:99999/",
        ]
        console = Console(root, base)
        done = console("add", *urls, "--json", "--allow-private", *resolve, code=3)
        yield console, {str(row["target"]).removeprefix("http://site.example/"): row for row in done.rows()}


FAILURES = {
    "cut": "cut", "chunk": "protocol", "loop": "redirect-loop", "ping": "redirect-loop", "away": "bad-url",
    "noise": "protocol", "silent": "cut", "http://": "bad-url", "http://[bad/": "bad-url", "http://…@[::1": "bad-url",
    "http://x.example:99999/": "bad-url",
}  # fmt: skip


def test_a_fetch_that_fails_is_named_with_a_reason(fetched: tuple[Console, dict[str, Row]]) -> None:
    console, rows = fetched
    failed = {name: str(row["error"]) for name, row in rows.items() if row["state"] == "failed"}
    assert console.archive is not None
    entries = (console.archive / "log/tile/entries/000.p/tail").read_bytes()
    reasons = [reason.decode() for reason in re.findall(rb'"reason":"([^"]+)"', entries)]
    assert dict(zip(failed, reasons, strict=True)) == FAILURES
    for error in failed.values():
        assert 10 < len(error) < 300
        assert "Error" not in error and "Errno" not in error


def test_the_fetches_around_them_are_stored(fetched: tuple[Console, dict[str, Row]]) -> None:
    console, rows = fetched
    assert [rows[name]["title"] for name in ("good1", "good2", "a b c")] == ["Good one", "Good two", "Spaces"]
    assert rows["a b c"]["url"] == "http://site.example/a%20b%20c"
    assert rows["http://BÜCHER.example/café"]["url"] == "http://xn--bcher-kva.example/caf%C3%A9"
    assert rows["http://BÜCHER.example/café"]["title"] == "Host"
    assert console("verify", "--json").rows()[-1]["findings"] == 0


@pytest.mark.parametrize("name", ["bomb", "twice"])
def test_a_gzip_bomb_is_stored_as_it_came_and_never_inflated(
    fetched: tuple[Console, dict[str, Row]], name: str
) -> None:
    console, rows = fetched
    assert (rows[name]["state"], rows[name]["problem"]) == ("stored", "content-bomb")
    number = rows[name]["snapshot"]
    assert isinstance(number, int)
    assert console("show", number, "--raw").raw.startswith(b"\x1f\x8b")


def test_each_redirect_of_a_loop_and_the_bytes_of_a_cut_answer_are_evidence(
    fetched: tuple[Console, dict[str, Row]],
) -> None:
    console, _ = fetched
    events = console("history", "http://site.example/loop", "--json", code=1).rows()
    assert len(events) >= 2
    assert events[-1]["type"] == "attempt"
    cut = console("history", "http://site.example/cut", "--json", code=1).rows()[-1]
    assert cut["type"] == "attempt"
    assert page("Cut")[:100] in console("show", cut["snapshot"], "--record").raw


# ---- lists


def test_a_bad_line_of_a_list_costs_that_line_only(console: Console, rows: dict[str, Row]) -> None:
    good = b"in/a-first.html"
    bad = {
        b'{"broken': "not JSON",
        b'{"target": "in/a-first.html", "title": 3}': "`title` is not a string",
        b'{"target": 5}': "`target` is not a string",
        b'{"text": 5}': "`text` is not a string",
        b'{"text": ""}': "`text` is empty",
        b'{"text": "x", "language": "english"}': "no code of a language",
        b'{"target": "a", "text": "b"}': "either `target`",
        b"{}": "either `target`",
        b'{"text": "x", "colour": "red"}': "unknown field 'colour'",
        b'{"text": "x", "tags": "ok", "authors": [1]}': "`authors` is not a list",
        b'{"text": "x", "published": "2021-13"}': "is no date",
        b'{"text": "x", "url": "nonsense"}': "declared address",
        b'{"target": "\\ud800"}': "surrogate",
        b'{"target": "a\\u0000b"}': "control character",
        b'{"target": "in", "title": "x"}': "a folder holds many items",
        b'{"target": "https://a.example/", "url": "https://b.example/"}': "`url` is for uploads",
        b"{" + b'"a":{' * 50_000: "recursion",
        b"-": "standard input",
        b"ftp://a.example/": "only http",
        b"in/\x00": "no such file",
        b"[1, 2]": "no such file",
        b"\xff\xfe": "no such file",
        b"http://127.0.0.1:1/\x1b[31m\xff": "",
        b"x" * 10_000_000: "no such file",
        b"https://a.example/" + b"x" * 10_000_000: "8,192",
        b'{"target": "' + b"y" * 10_000_000 + b'"}': "no such file",
        b"z" * (33 << 20): "33554432 bytes at most",
    }  # fmt: skip
    lines = [b"\xef\xbb\xbf" + good, b"# a remark", b"", *bad, good]
    done = console("add", "--from", "-", "--json", code=3, stdin=b"\r\n".join(lines))
    found = done.rows()
    assert [found[0]["state"], found[-1]["state"]] == ["unchanged", "unchanged"]
    assert len(found) == len(bad) + 2
    for row, (line, error) in zip(found[1:-1], bad.items(), strict=True):
        assert row["state"] == "failed", line[:80]
        assert error in row["error"], (line[:80], row["error"])
        if not line.startswith((b"http", b'{"text": "x", "url"')):  # what is fetched or read fails later
            assert "standard input line " in row["target"] + row["error"]
        assert len(json.dumps(row)) < 20_000
    assert found[1]["target"] == "standard input line 4"
    (console.cwd / "other").write_bytes(b"{")
    (console.cwd / "some").write_bytes(b"\n[1]\n")
    done = console("add", "--from", "some", "--from", "other", code=3)
    assert re.findall("^failed .*", done.err, re.M) == [
        "failed [1]: some line 2: there is no such file; a web address starts with https:// or http://",
        "failed other line 1: not JSON: Expecting property name enclosed in double quotes at character 2",
    ]


def test_half_a_surrogate_and_controls_in_declared_metadata_are_left_out(console: Console) -> None:
    line = '{"text": "A body.\\ud800", "title": "A\\nB\\u001b[31m\\ud800", "source": "S\\ud800", "tags": ["t\\u0007\\ud83d"]}'
    row = console("add", "--from", "-", "--json", stdin=line.encode()).json()
    shown = console("show", row["snapshot"], "--json").json()
    assert (shown["title"], shown["source"], shown["tags"]) == ("A B [31m", "S", ["t"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_in_utf16_is_one_failed_item(console: Console, encoding: str) -> None:
    text = "\ufeff" * (encoding != "utf-16") + "in/a-first.html\nin/z-last.html\n"
    done = console("add", "--from", "-", "in/m-between.html", "--json", code=3, stdin=text.encode(encoding))
    assert [row["state"] for row in done.rows()] == ["unchanged", "failed"]
    assert "UTF-8" in done.rows()[1]["error"]


# ---- the archive itself


def test_a_broken_archive_toml_is_refused_with_its_place(copied: Callable[[], Console]) -> None:
    console = copied()
    assert console.archive is not None
    config = console.archive / "archive.toml"
    whole = config.read_text()
    for text in ("not toml", "", whole.replace("format = 1", "format = 2"), whole.replace("keys = [", "keys = ["[:-1]),
                 whole.replace('keys = ["', 'keys = ["x'), "\x00", "format = 1"):  # fmt: skip
        config.write_text(text)
        assert "archive.toml" in console("checkpoint", code=2).err
    for command in (["add", "x"], ["verify"], ["status"], ["rebuild"]):
        assert "archive.toml" in console(*command, code=2).err
    console("search", "Dunmore")
    config.write_text(whole + "\n[stamp]\nwitnesses = []\n")  # pasted behind the one that stands there
    assert (
        "(at line " in console("status", code=2).err
        and "so add the lines to the first" in console("status", code=2).err
    )
    config.write_bytes(b"\xff\xfe")
    assert "archive.toml" in console("verify", code=2).err
    config.write_text(whole)
    console("verify")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("max_size = -1", "[fetch]: max_size cannot be -1: use a whole number of bytes"),
        ('max_size = "64MB"', "[fetch]: max_size cannot be '64MB': use a whole number of bytes"),
        ("nonsense = 3", "[fetch]: there is no setting 'nonsense': known are adaptive, backoff"),
        ("allow_private = true", "[fetch]: there is no setting 'allow_private'"),
        ('connect_timeout = "10"', "[fetch]: connect_timeout cannot be '10': use a number of seconds"),
        ("retries = 1.5", "[fetch]: retries cannot be 1.5: use a whole number"),
        ('respect_robots = "no"', "[fetch]: respect_robots cannot be 'no': use true or false"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_added(
    new_archive: Callable[..., Path], tmp_path: Path, setting: str, said: str
) -> None:
    console = Console(new_archive(), tmp_path)
    (tmp_path / "a.html").write_bytes(page("A"))
    assert console.archive is not None
    config = console.archive / "archive.toml"
    whole = config.read_text()
    config.write_text(f"{whole}{setting}\n")  # [fetch] is the last table
    assert f"{config}, {said}" in console("add", "a.html", code=2).err
    config.write_text("fetch = 5\n" + whole.replace("[fetch]", f"[sources]\n{setting}"))
    assert f"{config}: " in console("add", "a.html", code=2).err
    config.write_text(whole)
    assert console("status", "--json").json()["log_size"] == 0


def test_a_source_without_a_name_is_refused(console: Console, new_archive: Callable[..., Path]) -> None:
    root = new_archive()
    config = root / "archive.toml"
    config.write_text(config.read_text().replace("[fetch]", '[sources]\n"example.org" = 5\n[fetch]'))
    assert '[sources] "example.org" cannot be 5' in Console(root, console.cwd)("add", "x", code=2).err


def test_without_the_private_key_nothing_is_added_and_everything_is_read(
    stock: Stock, copied: Callable[[], Console], tmp_path: Path
) -> None:
    console = copied()
    (tmp_path / "a.html").write_bytes(page("A"))
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    assert "backup" in console("add", "a.html", code=2, **elsewhere).err
    for command in (["search", "Dunmore"], ["verify"], ["show", "1"], ["status"], ["checkpoint"], ["rebuild"]):
        console(*command, **elsewhere)
    made = Console(None, tmp_path)("init", "other", "--json", **elsewhere).json()
    expected = console("add", "a.html", code=2, **{"XDG_CONFIG_HOME": str(tmp_path / "none")}).err
    path = Path(expected.partition(" is not at ")[2].partition(": ")[0])
    path.parent.mkdir(parents=True)
    for content, said in (
        (Path(made["private_key"]).read_bytes(), "another archive's key"),
        (b"", "holds no private key"),
        (b"junk", "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\njunk\n-----END PRIVATE KEY-----\n", "holds no private key"),
    ):
        path.write_bytes(content)
        err = console("add", "a.html", code=2, **{"XDG_CONFIG_HOME": str(tmp_path / "none")}).err
        assert err.startswith(f"muniment: {path} {'holds ' if 'another' in said else ''}{said}")
        assert len(err.splitlines()) == 1 and "http" not in err


def powerless() -> Callable[[], None] | None:
    """What makes a child process of the superuser obey the modes of files; None where that is so already."""
    if os.geteuid() != 0:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    drop_from_bounding_set, override, read_search = 24, 1, 2  # linux/prctl.h, linux/capability.h

    def drop() -> None:
        for capability in (override, read_search):
            if libc.prctl(drop_from_bounding_set, capability, 0, 0, 0) != 0:
                os._exit(99)

    return drop


@pytest.fixture
def sealed(copied: Callable[[], Console]) -> Iterator[Console]:
    """A copy of the stocked archive that this user may read and not write."""
    console = copied()
    assert console.archive is not None
    paths = [console.archive, *console.archive.rglob("*")]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    for path in reversed(paths):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield console
    for path in paths:
        path.chmod(modes[path])


def unprivileged(console: Console, *arguments: str) -> tuple[int, str, str]:
    process = console.spawn(*arguments, preexec_fn=powerless())
    out, err = process.communicate(timeout=60)
    if process.returncode == 99 and os.geteuid() == 0:
        pytest.skip("the superuser's rights cannot be dropped here")
    assert b"Traceback" not in err and b"internal error" not in err
    return process.returncode, out.decode(), err.decode()


@pytest.mark.skipif(sys.platform == "darwin" and os.geteuid() == 0, reason="the superuser may write everywhere")
def test_an_archive_that_may_only_be_read_is_shown_and_verified(sealed: Console) -> None:
    for command in (["show", "1"], ["history", "1"], ["verify"], ["verify", "--fast"], ["status"], ["checkpoint"]):
        code, out, err = unprivileged(sealed, *command)
        assert (code, bool(out or err)) == (0, True), (command, err)
    code, _, err = unprivileged(sealed, "add", "nothing")
    assert code == 14
    assert "everything acknowledged is stored" in err
    assert unprivileged(sealed, "reindex")[0] == 14
    assert unprivileged(sealed, "rebuild")[0] == 14


@pytest.mark.skipif(sys.platform == "darwin" and os.geteuid() == 0, reason="the superuser may write everywhere")
def test_an_archive_that_may_only_be_read_is_searched(sealed: Console) -> None:
    assert unprivileged(sealed, "search", "Dunmore", "--strict", "--ids")[:2] == (0, "1\n")


@pytest.mark.skipif(sys.platform == "darwin" and os.geteuid() == 0, reason="the superuser may write everywhere")
def test_where_no_index_can_be_made_a_search_has_no_answer(sealed: Console) -> None:
    assert sealed.archive is not None
    sealed.archive.chmod(0o755)
    for path in [sealed.archive / "index", *(sealed.archive / "index").rglob("*")]:
        path.chmod(0o755)
    (sealed.archive / "index").rename(sealed.cwd / "index")
    sealed.archive.chmod(0o555)
    code, out, err = unprivileged(sealed, "search", "Dunmore")
    (sealed.cwd / "index").rename(sealed.archive / "index")
    assert (code, out) == (4, "")
    assert "there is no index yet, and none can be made now" in err


@pytest.mark.skipif(sys.platform == "darwin" and os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_file_or_folder_is_a_named_failure(console: Console, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed" / "hidden.html").write_bytes(page("Hidden"))
    (folder / "good.html").write_bytes(page("Good"))
    (folder / "secret.html").write_bytes(page("Secret"))
    (folder / "secret.html").chmod(0)
    (folder / "closed").chmod(0)
    try:
        code, out, err = unprivileged(Console(console.archive, tmp_path), "add", "in")
    finally:
        (folder / "closed").chmod(0o755)
    assert code == 3
    assert out.endswith(" Good\n")
    assert "failed in/secret.html: cannot be read: Permission denied" in err
    assert "failed in/closed: cannot be read: Permission denied" in err


def test_adding_a_folder_that_holds_the_archive_passes_the_archive_over(console: Console, tmp_path: Path) -> None:
    root = create(tmp_path / "archive", "test.example/log", NOW).root
    (tmp_path / "note.txt").write_text("A note beside the archive.")
    done = Console(root, root)("add", str(tmp_path), ".", "--json")
    assert [row["target"] for row in done.rows()] == [str(tmp_path / "note.txt")]
