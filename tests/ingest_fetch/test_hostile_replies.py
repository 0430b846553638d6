"""Replies that are made to take long to read: each is read, or refused, at once."""

from __future__ import annotations

import time

import pytest

from muniment.errors import FetchError
from muniment.ingest.http import MAX_PIECES, parse_content_type, parse_response
from muniment.ingest.stored import read_stored


@pytest.mark.parametrize("rest", ["a" * 250_000, " " * 250_000, 'a="' * 80_000, "a=b;" * 60_000])
def test_a_content_type_of_any_length_is_read_at_once(rest: str) -> None:
    begun = time.process_time()
    assert parse_content_type(f"text/html; charset=utf-8;{rest}") == ("text/html", "utf-8")
    assert time.process_time() - begun < 2  # in time that grows by the square it takes hours


def test_a_body_of_single_bytes_is_refused_by_its_number_of_chunks_and_read_from_archives_all_the_same() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    few, many = (head + b"1\r\na\r\n" * count + b"0\r\n\r\n" for count in (1000, MAX_PIECES + 1))
    assert parse_response(few).body == b"a" * 1000
    with pytest.raises(FetchError, match="chunks"):
        parse_response(many)
    assert len(read_stored(many).body) == MAX_PIECES + 1
