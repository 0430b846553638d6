"""`show`, `history`, `verify`, `status` and `checkpoint`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_console import Console, Stock, page

from demo.site import Site


def leaves(stock: Stock, kind: str) -> list[int]:
    """The numbers of the leaves of one type, as `show --json` tells it."""
    size = stock.console("status", "--json").json()["log_size"]
    assert stock.console.archive is not None
    lines = (stock.console.archive / "log/tile/entries/000.p/tail").read_bytes()
    found = [m[1].decode() for m in re.finditer(rb'"type":"(\w+)"', lines)]
    assert len(found) == size
    return [number for number, name in enumerate(found) if name == kind]


# ---- show


def test_show_raw_gives_back_the_very_bytes_that_were_uploaded(stock: Stock) -> None:
    assert stock.console("show", stock.number("papers/one.html"), "--raw").raw == page("Dunmore")


def test_show_raw_gives_back_the_body_that_was_served_and_record_the_whole_exchange(stock: Stock, site: Site) -> None:
    for url in site.urls()[:2]:
        number = stock.number(url)
        _, _, host, path = url.split("/", 3)
        answer = site.reply(host, "/" + path).answer(head_only=False, http_1_1=True, takes_gzip=True)
        head, _, _ = answer.partition(b"\r\n\r\n")
        raw = stock.console("show", number, "--raw").raw
        record = stock.console("show", number, "--record").raw
        assert record.startswith(b"WARC/1.1\r\nWARC-Type: response\r\n")
        assert b"WARC-Type: request" in record
        if b"chunked" not in head:
            assert answer.endswith(b"\r\n\r\n" + raw)
            assert raw in record
        else:
            assert raw in record.replace(b"\r\n", b"") or len(raw) > 1000


def test_show_tells_the_article_as_text_and_its_facts_with_origins(stock: Stock) -> None:
    done = stock.console("show", stock.number("declared.html"))
    assert done.lines[0] == "As declared"
    assert "published  2009-03 (declared)" in done.lines
    assert "The council of As found met on the harbour wall" in done.out
    bare = stock.console("show", "-q", stock.number("declared.html"))
    assert bare.lines[0].startswith("The council of As found")


def test_show_takes_the_number_of_a_derivation_a_redirect_and_an_attempt(stock: Stock, site: Site) -> None:
    derivation = stock.console("show", stock.number("papers/one.html"), "--json").json()["derivation"]
    assert stock.console("show", derivation).lines[0] == "Dunmore"
    assert b"WARC-Type: conversion" in stock.console("show", derivation, "--record").raw

    events = stock.console("history", site.moved_url, "--json", code=1).rows()
    redirect = next(row for row in events if row["status"] in (301, 302, 307, 308))
    done = stock.console("show", redirect["snapshot"])
    assert "no article (HTTP 30" in done.err
    assert b"\r\nLocation: " in stock.console("show", redirect["snapshot"], "--record").raw

    attempt = leaves(stock, "attempt")[0]
    shown = stock.console("show", attempt)
    assert "attempt" in shown.lines[0]
    assert "--record" in shown.err
    assert stock.console("show", attempt, "--json").json()["type"] == "attempt"
    assert b"outcome:" in stock.console("show", attempt, "--record").raw
    assert stock.console("show", 0, "--json").json()["type"] == "segment"


def test_show_json_names_every_record_and_where_it_lies(stock: Stock) -> None:
    shown = stock.console("show", f"#{stock.number('papers/one.html')}", "--json").json()
    assert shown["article"]["title"] == "Dunmore"
    assert shown["article"]["extractor"]
    assert stock.console.archive is not None
    for record in shown["records"]:
        assert re.fullmatch(r"[0-9a-f]{64}", record["sha256"])
        size = (stock.console.archive / record["file"]).stat().st_size
        assert record["offset"] + record["length"] <= size


@pytest.mark.parametrize("number", ["-1", "1.5", "x", "", "٣", "9" * 30, "99999", "9" * 18])
@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_number_that_is_none_or_not_in_the_log_is_refused(stock: Stock, command: str, number: str) -> None:
    done = stock.console(command, number, code=2)
    assert done.out == ""
    assert len(done.err) < 400


# ---- history


def test_history_takes_an_address_a_number_and_a_path(stock: Stock, site: Site) -> None:
    url = site.urls()[0]
    by_url = stock.console("history", url)
    assert re.search(rf"^#{stock.number(url)}  \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  version 1  \S", by_url.out, re.M)
    assert by_url.err == "1 version\n"
    assert stock.console("history", stock.number(url)).out == by_url.out
    assert "Dunmore" in stock.console("history", "papers/one.html").out


def test_history_of_failures_and_redirects_lists_them_and_finds_no_version(stock: Stock, site: Site) -> None:
    assert stock.console("history", site.gone_url, "--json", code=1).rows()[-1]["type"] == "attempt"
    gone = stock.console("history", site.gone_url, code=1)
    assert re.search(r"^#\d+  \S+Z  gone: HTTP 4\d\d$", gone.out, re.M)
    assert gone.err == "no version yet\n"
    moved = stock.console("history", site.moved_url, code=1)
    target = re.search(r"^#\d+  \S+Z  HTTP 30\d, leads to (http://\S+)$", moved.out, re.M)
    assert target is not None
    assert stock.console("history", target[1]).err.endswith("version\n")
    assert stock.console("history", site.moved_url, "--json", code=1).rows()[-1]["location"] == target[1]


def test_history_of_a_file_with_a_colon_in_its_name(console: Console, tmp_path: Path) -> None:
    (tmp_path / "12:30 note.txt").write_text("A note of half past twelve, kept as it was.")
    console("add", "12:30 note.txt")
    assert console("history", "12:30 note.txt").err == "1 version\n"


@pytest.mark.parametrize("what", ["https://nowhere.example/", "no/such/file", "http://[bad", "", "x:y", "http://a b/"])
def test_history_of_what_was_never_captured_says_so(stock: Stock, what: str) -> None:
    assert "nothing was captured at" in stock.console("history", what, code=1).err


# ---- verify


def test_verify_json_ends_with_the_tally(stock: Stock) -> None:
    tally = stock.console("verify", "--json").rows()[-1]
    status = stock.console("status", "--json").json()
    assert tally["findings"] == 0
    assert (tally["snapshots"], tally["log_size"]) == (status["snapshots"], status["log_size"])
    assert tally["anchored_up_to"] is None
    assert tally.keys() == {
        "snapshots", "records", "bytes", "findings", "anchored_up_to", "anchors", "unanchored", "withdrawn", "notices",
        "log_size", "root",
    }  # fmt: skip
    assert stock.console("verify", "--fast", "--json").rows()[-1]["findings"] == 0


def test_verify_names_what_a_flipped_byte_touches_and_clears_the_rest(
    copied: Callable[[], Console], stock: Stock
) -> None:
    console = copied()
    number, other = stock.number("papers/one.html"), stock.number("papers/below/two.html")
    record = console("show", number, "--json").json()["records"][0]
    assert console.archive is not None
    with (console.archive / record["file"]).open("r+b") as file:
        file.seek(record["offset"] + record["length"] // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 4]))
    rows = console("verify", "--json", code=10).rows()
    assert any(row.get("snapshot") == number for row in rows[:-1])
    assert all(row.keys() == {"finding", "snapshot", "file", "offset", "detail", "expected"} for row in rows[:-1])
    assert rows[-1]["findings"] == len(rows) - 1
    assert f"#{number}" in console("verify", code=10).out
    assert console("verify", number, code=10).out
    console("verify", other)
    console("show", number, "--raw", code=10)
    assert "is damaged" in console("show", number, "--record", code=10).err


def test_a_checkpoint_kept_elsewhere_anchors_the_log_and_shows_a_rewritten_one(
    stock: Stock, console: Console, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(stock.console("checkpoint").out)
    size = stock.console("status", "--json").json()["log_size"]
    checkpoint = stock.console("checkpoint", "--json").json()
    assert (checkpoint["origin"], checkpoint["size"]) == ("test.example/log", size)
    assert checkpoint["note"] == kept.read_text()
    anchored = stock.console("verify", "--checkpoint", kept, "--json").rows()[-1]
    assert anchored["anchored_up_to"] is not None
    piped = stock.console("verify", "--checkpoint", "-", "--json", stdin=kept.read_bytes()).rows()[-1]
    assert piped["anchored_up_to"] == anchored["anchored_up_to"]
    found = console("verify", "--checkpoint", kept, code=10).out  # another archive of the same origin: not the same log
    assert f"{kept}" in found
    for junk in (b"\xff\xfe junk", b"", b"words\n", kept.read_bytes().replace(b"test.example", b"other.example")):
        kept.write_bytes(junk)
        assert str(kept) in stock.console("verify", "--checkpoint", kept, code=2).err
    assert "standard input is no checkpoint" in stock.console("verify", "--checkpoint", "-", code=2).err
    assert "cannot read the checkpoint missing" in stock.console("verify", "--checkpoint", "missing", code=2).err


def test_verify_trusts_the_key_it_is_given(stock: Stock, console: Console) -> None:
    assert stock.console.archive is not None and console.archive is not None
    own, foreign = (_vkey(c.archive) for c in (stock.console, console))  # type: ignore[arg-type]
    stock.console("verify", "--key", own)
    assert "key" in stock.console("verify", "--key", foreign, code=10).out
    assert "--key" in stock.console("verify", "--key", "nonsense", code=2).err


def _vkey(archive: Path) -> str:
    import tomllib

    key = tomllib.loads((archive / "archive.toml").read_text())["keys"][0]
    assert isinstance(key, str)
    return key


# ---- status, and finding the archive


def test_status_counts_what_the_archive_holds(stock: Stock) -> None:
    status = stock.console("status", "--json").json()
    assert status["articles"] == 13
    assert status["index"]["indexed"] == 13
    assert status["index"]["engine"] == "tantivy"
    assert status["catalog_behind"] == 0
    assert sum(status["leaves"].values()) == status["log_size"]
    assert "13, in" in stock.console("status").out


def test_the_archive_is_the_option_else_the_variable_else_the_nearest_folder_upwards(
    stock: Stock, root: Path, tmp_path: Path
) -> None:
    stocked = stock.console.archive
    assert stocked is not None

    def named(console: Console, *arguments: str | Path, **env: str) -> str:
        found = console(*arguments, "status", "--json", **env).json()["archive"]
        assert isinstance(found, str)
        return found

    inside = root / "warc" / "deeper"
    inside.mkdir()
    assert named(Console(None, inside)) == str(root)
    assert named(Console(stocked, inside)) == str(stocked)
    assert named(Console(stocked, inside), "--archive", root) == str(root)
    assert named(Console(None, tmp_path), "--archive", "archive") == str(root)
    assert named(Console(None, inside), MUNIMENT_ARCHIVE="") == str(root)
    after = Console(stocked, inside)("status", "--json", "--archive", root)
    assert after.json()["archive"] == str(root)


def test_no_archive_is_an_exit_code_of_its_own(tmp_path: Path) -> None:
    console = Console(None, tmp_path)
    for arguments in (["status"], ["search", "x"], ["add", "x"], ["verify"], ["show", "1"], ["rebuild"], ["reindex"]):
        assert "muniment init" in console(*arguments, code=12).err
        assert "muniment init" in console("--archive", "missing", *arguments, code=12).err


def test_an_archive_is_named_by_what_it_prints_as_json_on_one_line(stock: Stock) -> None:
    for arguments in (["status"], ["checkpoint"], ["verify"], ["show", "1"]):
        text = stock.console(*arguments, "--json").out
        assert text.endswith("\n")
        assert all(json.loads(line) for line in text.splitlines())
