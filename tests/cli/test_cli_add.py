"""`muniment init` and `muniment add`."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from cli_console import Console, Stock, network, page

from demo.site import Site
from muniment.archive.archive import Archive
from muniment.cli.numbers import Size
from tests.ingest_fetch.rawserver import RawServer, redirect, response

ROW = {"target", "state", "snapshot", "url", "title", "published", "error"}


# ---- init


def test_init_makes_an_archive_and_a_private_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    made = Console(None, tmp_path)("init", "new", "--origin", "example.org/archive", "--json").json()
    assert made["archive"] == str(tmp_path / "new")
    assert made["origin"] == "example.org/archive"
    assert made["key"].startswith("example.org/archive+")
    assert stat.S_IMODE(Path(made["private_key"]).stat().st_mode) == 0o600
    assert Console(tmp_path / "new", tmp_path)("verify", "--json").rows()[-1]["findings"] == 0


def test_init_says_where_the_key_lies_and_to_back_it_up(tmp_path: Path) -> None:
    done = Console(None, tmp_path)("init", "new")
    assert [line.split()[0] for line in done.lines] == ["archive", "origin", "public", "private"]
    assert "Back the private key up" in done.err


@pytest.mark.parametrize("origin", ["two words", "a+b", ""])
def test_init_refuses_an_origin_that_no_signed_note_can_carry(tmp_path: Path, origin: str) -> None:
    Console(None, tmp_path)("init", "new", "--origin", origin, code=2)
    assert not (tmp_path / "new").exists()


def test_init_names_the_folder_without_detours(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    made = Console(None, tmp_path / "here")("init", "../new", "--json").json()
    assert made["archive"] == str(tmp_path / "new")


def test_init_overwrites_nothing(console: Console, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for folder in ("full", "full/note", "archive"):
        assert "not an empty folder" in console("init", folder, code=2).err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# ---- add


def test_add_prints_a_line_an_item_and_json_has_the_documented_fields(stock: Stock) -> None:
    assert stock.code == 3
    for row in stock.added.values():
        assert row.keys() >= ROW
        assert (row["state"] == "failed") == (row["error"] is not None)
        assert row["state"] in ("stored", "unchanged", "failed")


def test_add_walks_a_folder_in_order_and_passes_hidden_files_over(stock: Stock) -> None:
    names = [target for target in stock.added if target.startswith("papers")]
    assert names == ["papers/one.html", "papers/below/three.txt", "papers/below/two.html"]


def test_a_list_may_declare_metadata_and_hold_inline_text(stock: Stock) -> None:
    declared = stock.console("show", stock.number("declared.html"), "--json").json()
    assert declared["title"] == "As declared"
    assert declared["url"] == "https://herald.example/a"
    assert (declared["published"], declared["published_precision"]) == ("2009-03", "month")
    assert (declared["source"], declared["authors"], declared["tags"]) == ("The Herald", ["Ada Quill"], ["sea", "law"])
    inline = stock.console("show", stock.number("Inline"), "--json").json()
    assert inline["uri"].startswith("ni:///sha-256;")
    assert "lighthouse" in inline["article"]["text"]


def test_a_failed_page_is_named_kept_as_an_attempt_and_the_rest_are_stored(stock: Stock, site: Site) -> None:
    assert "404" in str(stock.added[site.gone_url]["error"]) or "410" in str(stock.added[site.gone_url]["error"])
    assert "robots.txt" in str(stock.added[site.disallowed_url]["error"])
    assert stock.console("status", "--json").json()["attempts"] == 2
    assert all(stock.added[url]["state"] == "stored" for url in site.urls()[:8])


def test_a_stored_line_reads_number_state_source_date_title(console: Console, site: Site, tmp_path: Path) -> None:
    url = site.edited_url()
    done = console("add", url, *network(site))
    line = re.fullmatch(r"#(\d+) stored (\S+) (\d{4}-\d\d-\d\d) (\S.*)", done.out.strip())
    assert line is not None
    assert url.split("/")[2].endswith(line[2])
    assert done.err == ""

    again = console("add", url, *network(site), "--json").json()
    assert (again["state"], again["snapshot"], again["title"]) == ("unchanged", int(line[1]), line[4])

    site.edition = 2
    try:
        changed = console("add", url, *network(site), "--json").json()
    finally:
        site.edition = 1
    assert changed["state"] == "stored"
    history = console("history", url, "--json").rows()
    assert [(row["type"], row["version"]) for row in history] == [("capture", 1), ("revisit", None), ("capture", 2)]
    assert history[1]["of"] == int(line[1])
    assert changed["snapshot"] == history[2]["snapshot"]


def test_what_is_declared_of_unchanged_bytes_is_a_new_derivation_of_the_same_snapshot(
    console: Console, tmp_path: Path
) -> None:
    (tmp_path / "a.html").write_bytes(page("Found"))
    first = console("add", "a.html", "--json").json()
    options = ("--title", "Declared", "--published", "2001", "--source", "S", "--author", "A", "--author", "B",
               "--language", "en", "--tag", "x", "--tag", "y", "--url", "https://s.example/a")  # fmt: skip
    second = console("add", "a.html", *options, "--json").json()
    old = console("add", "a.html", "--published", "1605", "--json").json()
    assert old["published"] == "1605"
    assert (first["state"], second["state"]) == ("stored", "stored")
    shown = console("show", second["snapshot"], "--json").json()
    assert (shown["title"], shown["published"], shown["source"]) == ("Declared", "2001", "S")
    assert (shown["authors"], shown["tags"], shown["url"]) == (["A", "B"], ["x", "y"], "https://s.example/a")
    again = console("add", "a.html", *options, "--json").json()
    assert again["state"] == "unchanged"
    retitled = console("add", "a.html", "--title", "Declared later", "--json").json()
    assert (retitled["state"], retitled["snapshot"]) == ("stored", first["snapshot"])
    assert console("show", first["snapshot"], "--json").json()["title"] == "Declared later"
    console("verify")


def test_what_was_declared_before_and_is_not_now_still_holds(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(page("Found", day="2019-05-06"))
    console("add", "a.html", "--source", "Daily Test", "--tag", "harbour", "--author", "A B", "--published", "2018")
    number = console("add", "a.html", "--tag", "second", "--title", "Better", "--json").json()["snapshot"]
    shown = console("show", number, "--json").json()
    assert (shown["source"], shown["authors"], shown["published"]) == ("Daily Test", ["A B"], "2018")
    assert (shown["title"], shown["tags"]) == ("Better", ["harbour", "second"])
    same = console("add", "a.html", "--tag", "harbour", "--json").json()
    assert (same["state"], same["title"]) == ("unchanged", "Better")
    assert console("search", 'source:"Daily Test" tag:second', "--ids").lines == [str(number)]


def test_one_call_may_say_more_of_the_same_bytes(console: Console, tmp_path: Path) -> None:
    lines = [{"text": "The same words.", "title": "First", "tags": ["a"]}, {"text": "The same words.", "tags": ["b"]}]
    (tmp_path / "list").write_text("\n".join(map(json.dumps, lines)))
    numbers = {row["snapshot"] for row in console("add", "--from", "list", "--json").rows()}
    assert len(numbers) == 1
    shown = console("show", numbers.pop(), "--json").json()
    assert (shown["title"], shown["tags"]) == ("First", ["a", "b"])


def test_the_same_bytes_at_another_address_of_the_article_are_no_new_version(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(page("Same"))
    first = console("add", "a.html", "--url", "https://s.example/a", "--json").json()
    again = console("add", "a.html", "--url", "https://s.example/a?utm_source=letter", "--json").json()
    assert (again["state"], again["snapshot"]) == ("unchanged", first["snapshot"])
    console("verify")


def test_standard_input_is_one_item(console: Console) -> None:
    added = console("add", "-", "--title", "Piped", "--json", stdin=page("Ignored")).json()
    assert (added["target"], added["state"], added["title"]) == ("-", "stored", "Piped")
    assert console("show", added["snapshot"], "--raw").raw == page("Ignored")


def test_a_list_may_come_on_standard_input(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a b.html").write_bytes(page("Spaced"))
    rows = console("add", "--from", "-", "--json", "--tag", "t", stdin=b'a b.html\r\n{"text": "x y z", "tags": ["u"]}')
    first, second = rows.rows()
    assert (first["target"], first["title"]) == ("a b.html", "Spaced")
    assert console("show", second["snapshot"], "--json").json()["tags"] == ["t", "u"]


def test_a_dry_run_lists_and_adds_nothing(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(page("A"))
    done = console("add", "--dry-run", "a.html", "https://a.example/", "missing", code=3)
    assert console("status", "--json").json()["log_size"] == 0
    assert done.lines == ["would add a.html", "would add https://a.example/"]
    assert "missing" in done.err
    rows = console("add", "--dry-run", "--json", "a.html", "missing", code=3).rows()
    assert [row["state"] for row in rows] == ["skipped", "failed"]
    (tmp_path / "list").write_text('{"text": "words"}')
    assert all(row.keys() == console("add", "--from", "list", "--json").json().keys() for row in rows)


def test_nothing_to_add_is_said(console: Console, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert console("add", "empty").err == "nothing to add\n"


def test_every_fetch_failing_is_an_exit_code_of_its_own(console: Console, site: Site) -> None:
    done = console("add", site.gone_url, site.disallowed_url, *network(site), code=13)
    assert done.out == ""
    assert done.err.count("failed http") == 2


def test_verbose_tells_of_requests_redirects_retries_and_robots(console: Console) -> None:
    assert console.archive is not None
    with (console.archive / "archive.toml").open("a") as file:
        file.write("retries = 1\nbackoff = 0.01\n")  # [fetch] is the last table
    busy = response(b"later", status=b"503 Later")
    replies = {"/robots.txt": response(b"User-agent: *\nDisallow: /no\n"), "/a": [busy, response(page("A"))],
               "/go": redirect(b"/a"), "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"}  # fmt: skip
    with RawServer(replies) as server:
        urls = [f"{server.url}/{name}" for name in ("go", "no", "cut")]
        loud = console("add", *urls, "-v", "--allow-private", code=3).err
        quiet = console("add", *urls, "-q", "--allow-private", code=3).err
    base = re.escape(server.url)
    for line in (rf"GET {base}/go: 302, \d+ bytes, \d+ ms", rf"{base}/go redirects to {base}/a",
                 rf"GET {base}/a: 503, \d+ bytes, \d+ ms", rf"{base}/a: try 2 in 0\.0 s",
                 rf"GET {base}/a: 200, \d+ bytes, \d+ ms", rf"{base}/robots.txt allows {base}/a",
                 rf"{base}/robots.txt forbids {base}/no", rf"GET {base}/cut: 200, \d+ bytes, \d+ ms; cut: .+"):  # fmt: skip
        assert re.search(f"^muniment: {line}$", loud, re.M), (line, loud)
    assert [line.split(":")[0] for line in quiet.splitlines()] == ["failed http", "failed http"]


def test_an_address_that_cannot_be_fetched_counts_as_a_fetch_that_failed(console: Console) -> None:
    for url in ("http://me:secret@a.example/", "ftp://a.example/", "https://a.example/" + "x" * 9000, "http://[bad"):
        assert "secret" not in console("add", url, code=13).err
    assert console.archive is not None
    entries = (console.archive / "log/tile/entries/000.p/tail").read_bytes()
    assert b"secret" not in entries
    assert re.findall(rb'"reason":"([^"]+)"', entries) == [b"bad-url"] * 4
    console("add", "http://me:secret@a.example/", "missing", code=3)


def test_addresses_that_are_not_public_are_refused_unless_asked_for(console: Console, site: Site) -> None:
    done = console("add", f"http://127.0.0.1:{site.port}/", "--json", code=13).json()
    assert "--allow-private" in done["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a URL"),
        (["-", "-"], "standard input can be read once"),
        (["-", "--from", "-"], "standard input can be read once"),
        (["--from", "missing"], "cannot read the list missing"),
        (["--from", "."], "cannot read the list"),
        (["a", "b", "--url", "https://x.example/"], "--url declares one item"),
        (["--from", "list", "--title", "x"], "--title declares one item"),
        (["a", "--published", "soon"], "--published: 'soon' is no date"),
        (["a", "--published", "2021-02-30"], "--published: '2021-02-30' is no date"),
        (["a", "--published", "۲۰۲۱"], "--published"),
        (["a", "--published", "2999"], "--published: '2999' is no date"),
        (["a", "--language", "english"], "--language: 'english' is no code of a language"),
        (["a", "--wait", "-1"], "'--wait': '-1' is no number of seconds: write 30 or 0.5"),
        (["a", "--wait", "nan"], "'--wait': 'nan' is no number of seconds"),
        (["a", "--max-size", "0"], "'--max-size': '0' is no size: write a number of bytes, or such as 500k"),
        (["a", "--max-size", "1 kilo"], "'--max-size': '1 kilo' is no size"),
        (["a", "--processes", "999"], "'--processes': '999' is no whole number from 1 to 64"),
        (["a", "--processes", "x"], "'--processes': 'x' is no whole number from 1 to 64"),
        (["https://a.example/", "--resolve", "nonsense"], "nonsense"),
        (["list", "--resolve", "nonsense"], "nonsense"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_added(console: Console, arguments: list[str], said: str) -> None:
    (console.cwd / "list").write_text("a\n")
    assert said in console("add", *arguments, code=2).err
    assert console("status", "--json").json()["log_size"] == 0


@pytest.mark.parametrize(("size", "room"), [("9", 9), ("1k", 1000), ("1KB", 1000), ("1kiB", 1024), ("0.002MB", 2000)])
def test_a_size_may_be_given_in_units(size: str, room: int) -> None:
    assert Size().convert(size, None, None) == room


def test_what_is_over_the_size_is_refused_and_what_has_just_that_size_is_not(console: Console) -> None:
    assert console("add", "-", "--max-size", "1kiB", "--json", stdin=b"x" * 1024).json()["state"] == "stored"
    error = console("add", "-", "--max-size", "1kiB", "--json", stdin=b"x" * 1025, code=3).json()["error"]
    assert "the limit is 1024 " in error


def test_help_speaks_of_values_as_people_do(console: Console) -> None:
    text = " ".join(console("add", "--help").out.split())
    assert "RANGE" not in text and "Default: 64 MiB a response, 128 MiB a file" in text


def test_two_adds_at_once_end_with_eleven_or_wait(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(page("A"))
    assert console.archive is not None
    with Archive(console.archive) as archive, archive.writer():
        assert "another" in console("add", "a.html", code=11).err
        for command in (["add", "a.html"], ["reindex"], ["rebuild"]):
            assert "--wait" in console(*command, "--wait", "0.05", code=11).err
        waiter = console.spawn("add", "a.html", "--wait", "60", "--json")
        assert waiter.stderr is not None
    out, err = waiter.communicate(timeout=60)
    assert (json.loads(out)["state"], err, waiter.returncode) == ("stored", b"", 0)
