"""Bytes to text: content codings, what is no text, and charsets that are declared wrongly."""

from __future__ import annotations

import gzip
import os
import random
import time
import zlib

import brotli
import pytest
from clean_pages import PARAGRAPHS, article_html, html_page

from muniment.ingest.decode import MAX_BYTES, NoText, decode, inflate, read

RUSSIAN = "Паромщики проголосовали за забастовку с первого числа, сообщает порт. " * 4
PERSIAN = "کارکنان کشتی‌ها به اعتصاب رأی دادند و می‌گویند که مذاکره بی‌نتیجه بود. " * 4
JAPANESE = "港の船員たちは来月からのストライキを決めた。交渉は三度目の失敗に終わった。" * 4


def problem(payload: bytes, media_type: str = "text/html", coding: str | None = None) -> str:
    with pytest.raises(NoText) as found:
        read(payload, media_type, None, coding, None)
    return str(found.value)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"\x7fELF\x02\x01\x01\0\0", "not-text: looks like an ELF program"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not-text: looks like PNG"),
        (b"\xff\xd8\xff\xe0JFIF", "not-text: looks like JPEG"),
        (b"PK\x03\x04....", "not-text: looks like ZIP, and is broken"),
        (random.Random(1).randbytes(5000), "not-text: looks like binary"),
        (b"<div>" * (MAX_BYTES // 5 + 1), "too-large"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_bytes_that_hold_no_text_are_named(payload: bytes, expected: str) -> None:
    assert problem(payload) == expected


def test_json_and_feeds_are_text_but_no_articles() -> None:
    assert problem(b'{"a": 1}', "application/json") == "unsupported: application/json"
    assert problem(b'<?xml version="1.0"?><rss><channel/></rss>', "application/rss+xml").startswith("unsupported")


def test_a_page_that_begins_with_many_comments_is_read_at_once() -> None:
    page = (b"<!-- a comment of the system that made the page -->\n" * 21 + article_html().encode())[:4000]
    begun = time.monotonic()
    assert read(page, "application/octet-stream", None, None, None).kind == "html"
    assert read(b"<!-- c -->" * 21 + b"<header>", "text/plain", None, None, None).kind == "text"
    assert time.monotonic() - begun < 1  # the number of ways to group 21 comments is 2 million


def test_a_bomb_is_refused_before_it_fills_memory() -> None:
    assert problem(gzip.compress(bytes(MAX_BYTES + 1)), coding="gzip") == "content-bomb"
    assert problem(brotli.compress(bytes(MAX_BYTES + 1), quality=3), coding="br") == "content-bomb"


def test_codings_that_we_cannot_take_off_are_named() -> None:
    assert problem(b"\x28\xb5\x2f\xfd", coding="zstd") == "content-encoding-unsupported: zstd"
    assert problem(b"\x1f\x8b\x08" + b"\xff" * 40, coding="gzip") == "content-encoding-broken: gzip"
    assert problem(b"\xff" * 40, coding="br") == "content-encoding-broken: br"


def test_gzip_brotli_and_both_kinds_of_deflate_are_taken_off() -> None:
    page = html_page(article_html())
    raw = zlib.compressobj(wbits=-15)
    for body, coding in (
        (gzip.compress(page), "gzip"),
        (zlib.compress(page), "deflate"),
        (brotli.compress(page), "br"),
        (gzip.compress(brotli.compress(page)), "br, gzip"),
        (raw.compress(page) + raw.flush(), "deflate"),
        (gzip.compress(page[:300]) + gzip.compress(page[300:]), "x-gzip"),
        (gzip.compress(zlib.compress(page)), "deflate, gzip"),
    ):
        assert inflate(body, coding)[0] == page


def test_a_body_that_was_cut_gives_what_came() -> None:
    page = os.urandom(4000).hex().encode()
    data, note = inflate(gzip.compress(page)[:-2000], "gzip")
    assert page.startswith(data) and len(data) > 1000
    assert note == "gzip cut short"
    data, note = inflate(brotli.compress(page)[:-1000], "br")
    assert page.startswith(data) and len(data) > 1000
    assert note == "br cut short"


def test_a_coding_that_was_never_applied_is_passed_over() -> None:
    for coding in ("gzip", "br", "deflate"):
        assert inflate(b"<p>plain</p>", coding) == (b"<p>plain</p>", f"{coding} named but not applied")


@pytest.mark.parametrize(
    ("text", "codec", "charset"),
    [
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (PERSIAN, "utf-8", "UTF-8"),
        (PERSIAN, "utf-8", "iso-8859-1"),
        (PERSIAN, "utf-8", "no-such-charset"),
        (PERSIAN, "utf-8", "base64"),
        (PERSIAN, "utf-16", None),
        (PARAGRAPHS[0], "utf-16-le", None),
        (PARAGRAPHS[0], "utf-16-be", None),
        (JAPANESE, "shift_jis", "shift_jis"),
        (JAPANESE, "euc-jp", "euc-jp"),
        ("“quoted” – dashes", "cp1252", "iso-8859-1"),
    ],
)
def test_charsets_are_read_whether_declared_rightly_or_wrongly(text: str, codec: str, charset: str | None) -> None:
    assert decode(text.encode(codec), charset, is_html=False)[0].lstrip("\ufeff") == text


def test_a_pages_own_declaration_is_used_and_recorded() -> None:
    page = f'<html><head><meta charset="windows-1251"></head><p>{RUSSIAN}'.encode("cp1251")
    text, method = decode(page, None, is_html=True)
    assert RUSSIAN in text and method == "meta:cp1251"


def test_one_broken_character_does_not_turn_a_page_to_mojibake() -> None:
    data = PERSIAN.encode()
    text, method = decode(data[:200] + b"\xff" + data[200:-1], "utf-8", is_html=False)
    assert "کارکنان" in text and "Ú" not in text
    assert "replaced" in method


def test_undeclared_single_byte_text_is_guessed() -> None:
    text, method = decode(RUSSIAN.encode("cp1251"), None, is_html=False)
    assert "Паромщики" in text and method.startswith("guessed:")


def test_a_text_upload_that_holds_a_page_is_read_as_html() -> None:
    assert read(html_page(article_html()), "text/plain", None, None, "a.txt").kind == "html"
    assert read("\n".join(PARAGRAPHS).encode(), "text/plain", None, None, "a.txt").kind == "text"
    assert read(b"a < b and c > d", "application/octet-stream", None, None, None).kind == "text"
