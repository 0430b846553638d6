"""What `add` says of items that have no title, no text or an error, and what `show` says of where they belong."""

from __future__ import annotations

from pathlib import Path

from cli_console import Console

from tests.discovering.newspaper import Newspaper, Page
from tests.documents.builders import scanned_pdf
from tests.importing.record_files import page, record

LETTER = b"""From: Ann <ann@hask.example>\r\nSubject: The lock\r\nMessage-ID: <1@hask.example>\r\nMIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nThe lock is shut, as you see.\r\n--x
Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=plan.pdf\r\n\r\n%PDF-1.4 rubbish\r\n--x--\r\n"""


def test_what_has_no_title_goes_by_its_file_each_time_that_it_is_added(console: Console, tmp_path: Path) -> None:
    (tmp_path / "empty.html").write_bytes(b"")
    (tmp_path / "scan.pdf").write_bytes(scanned_pdf(2))
    for state in ("stored", "unchanged"):
        done = console("add", "empty.html", "scan.pdf")
        assert done.lines[0].endswith(f"{state} - - empty.html (empty)")
        assert done.lines[1].endswith(f"{state} - - scan.pdf (no-text: scanned, 2 pages)")
        assert "1 without text: --ocr LANG reads scanned pages\n" in done.err
    titled = console("add", "scan.pdf", "--title", "Minutes").lines[0]
    assert titled.endswith(" Minutes (no text: scanned, 2 pages)")
    assert console("show", 1).err == "#1 has no text: empty; --raw shows its bytes\n"


def test_an_error_names_its_address_once_and_a_page_of_scripts_its_remedy(console: Console) -> None:
    with Newspaper() as paper:
        paper.pages["/live"] = Page(b"<html><head><title>Live</title></head><body><script>x()</script></body></html>")
        done = console("add", f"{paper.url}/gone", f"{paper.url}/live", "--allow-private", code=3)
        assert f"failed {paper.url}/gone: answers 404\n" in done.err
        assert done.lines[0].endswith(" Live (no text)")
        assert done.err.endswith("1 without text: where a page's text comes by script, --browser gets it\n")
        assert console("history", f"{paper.url}/live").lines[0].endswith("Z  no text")


def test_show_tells_which_file_an_attachment_was_and_what_it_came_with(console: Console, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(LETTER)
    letter, attachment = console("add", "a.eml", "--json").rows()
    shown = console("show", attachment["snapshot"]).lines
    assert "file       plan.pdf" in shown and f"part of    #{letter['snapshot']}" in shown
    console("add", "a.eml")  # the letter is captured again: still the capture that has its bytes
    assert f"part of    #{letter['snapshot']}" in console("show", attachment["snapshot"]).lines


def test_show_tells_how_a_browser_showed_the_page(console: Console, tmp_path: Path) -> None:
    url, media = "http://a.example/p", {"dom": "text/html", "fullPage": "image/png", "pdf": "application/pdf"}
    blocks = {"dom": page("Shown"), "fullPage": b"\x89PNG", "pdf": b"%PDF-1.4"}
    (tmp_path / "a.warc").write_bytes(
        b"".join(record("resource", blocks[kind], f"urn:{kind}:{url}", media=media[kind]) for kind in media)
    )
    rows = console("add", "a.warc", "--json").rows()
    shown = console("show", url).lines
    assert f"picture    #{rows[1]['snapshot']}" in shown and f"pdf        #{rows[2]['snapshot']}" in shown
    assert console("show", f"urn:fullPage:{url}", "--raw").raw == b"\x89PNG"
