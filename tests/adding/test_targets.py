"""What a person hands over, as targets: lists are read a line at a time, folders are walked, declarations are checked."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment.adding import FETCHES_AHEAD, AddOptions, gather
from muniment.errors import UploadError, UsageError
from muniment.ingest.fetch import Fetcher
from muniment.ingest.upload import Target, check_published, declared_of, expand, media_type_of, read_list, read_target
from muniment.model import Declared

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Endless(io.RawIOBase):
    """A list of 100,000 lines, or a line without an end, that was never in memory as a whole."""

    def __init__(self, chunks: Iterator[bytes]):
        self._chunks = chunks
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = next(self._chunks, b"")
        buffer[: len(chunk)] = chunk
        self.given += len(chunk)
        return len(chunk)


def listed(*lines: bytes, declared: Declared | None = None) -> list[Target]:
    return list(read_list(io.BytesIO(b"\n".join(lines)), declared or Declared(), "list"))


def test_a_list_of_a_hundred_thousand_lines_is_not_held_in_memory() -> None:
    source = Endless(b"https://a.example/%06d\n" % number for number in range(100_000))
    for count, target in enumerate(read_list(io.BufferedReader(source), Declared(), "list"), 1):
        assert target.url == f"https://a.example/{count - 1:06d}"
        assert source.given - len("https://a.example/000000\n") * count < 16_384
    assert count == 100_000


def test_few_targets_are_taken_ahead_of_the_one_that_is_added() -> None:
    taken = 0

    def targets() -> Iterator[Target]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield Target(str(number), content=b"words")

    def no_fetcher() -> Fetcher:
        raise AssertionError("nothing is fetched here")

    with ThreadPoolExecutor(1) as threads:
        for done, item in enumerate(gather(targets(), no_fetcher, AddOptions(clock=lambda: NOW), threads), 1):
            assert item is not None and item.target.name == str(done - 1)
            assert taken <= done + FETCHES_AHEAD
    assert taken == 10_000


def test_a_line_without_an_end_takes_bounded_memory_and_the_next_line_is_read() -> None:
    chunks = (*(b"x" * 8192 for _ in range(15_000)), b"\nhttps://a.example/\n")
    tracemalloc.start()
    targets = list(read_list(io.BufferedReader(Endless(iter(chunks))), Declared(), "list"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [target.problem is None for target in targets] == [False, True]
    assert peak < 110_000_000
    assert targets[1].url == "https://a.example/"


@pytest.mark.parametrize("target", ["http://a.example/", "HTTPS://a.example/", "http://", "https://[bad"])
def test_what_begins_like_a_web_address_is_one(target: str) -> None:
    assert listed(target.encode())[0].url == target


def test_bytes_of_an_address_that_are_no_utf8_are_percent_encoded() -> None:
    target = listed(b"http://a.example/\xe9\xff")[0]
    assert (target.url, target.name) == ("http://a.example/%E9%FF", "http://a.example/\\xe9\\xff")


def test_tags_of_the_call_and_of_the_line_add_up_and_the_line_wins_elsewhere() -> None:
    call = Declared(source="Call", language="en", tags=("a", "b"))
    said = listed(b'{"text": "x", "source": "Line", "tags": ["b", "c"]}', declared=call)[0].declared
    assert (said.source, said.language, said.tags) == ("Line", "en", ("a", "b", "c"))


def test_null_and_empty_fields_say_nothing() -> None:
    line = b'{"target": null, "text": "x", "url": null, "title": "", "tags": null, "authors": []}'
    target = listed(line)[0]
    assert (target.problem, target.declared, target.content) == (None, Declared(), b"x")


def test_authors_and_tags_may_be_a_single_string() -> None:
    said = listed(b'{"text": "x", "authors": "Ada Quill", "tags": "sea"}')[0].declared
    assert (said.authors, said.tags) == (("Ada Quill",), ("sea",))


@pytest.mark.parametrize(
    ("date", "kept"),
    [("2021", "2021"), ("2021-05", "2021-05"), ("2021-05-30", "2021-05-30"), (" 2021-05-30 ", "2021-05-30"),
     ("2021-05-30T10:00:00Z", "2021-05-30"), ("2021-05-30 10:00", "2021-05-30")],
)  # fmt: skip
def test_dates_of_publication_keep_their_precision(date: str, kept: str) -> None:
    assert check_published(date) == kept


@pytest.mark.parametrize("date", ["", "soon", "2021-13", "2021-02-30", "0000", "21", "2021-5", "2021-05-30x", "۲۰۲۱",
                                  "2021-05-30\n2022", "+2021", "20210530", "99999"])  # fmt: skip
def test_what_is_no_date_of_publication_is_refused_with_the_value(date: str) -> None:
    with pytest.raises(ValueError, match="is no date of publication"):
        check_published(date)


@pytest.mark.parametrize("date", ["2026", "2026-11", "2026-11-23", "1000", "1970-01-01"])
def test_a_date_of_publication_lies_between_the_year_1000_and_tomorrow(date: str) -> None:
    assert check_published(date, NOW) == date


@pytest.mark.parametrize("date", ["2027", "2026-12", "2026-11-24", "2999", "0999", "0999-12-31"])
def test_a_date_of_publication_before_or_after_that_is_refused(date: str) -> None:
    with pytest.raises(ValueError, match="before the year 1000 or after tomorrow"):
        check_published(date, NOW)


@pytest.mark.parametrize("code", ["en", "FA", "pt-BR", "zh-Hant-TW", "ckb", "de-1996", "und"])
def test_a_language_is_declared_by_its_code(code: str) -> None:
    assert declared_of(Declared(language=code)).language == code


@pytest.mark.parametrize("code", ["english", "e", "en_US", "en-", "فارسی", "pt BR", "x-klingon", "-en"])
def test_what_is_no_code_of_a_language_is_refused(code: str) -> None:
    with pytest.raises(UsageError, match=r"--language: .* is no code of a language"):
        declared_of(Declared(language=code))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"not json", "list line 2: there is no such file; "),
        (b"[1,2]", "list line 2: there is no such file; "),
        (b"ftp://a.example/", "list line 2: only http:// and https://"),
        (b'{"text": 123}', "`text` is not a string"),
        (b'{"target": ["a"]}', "`target` is not a string"),
        (b'{"text": " "}', "`text` is empty"),
        (b'{"text": "x", "language": "english"}', "language: 'english' is no code of a language"),
        (b'{"text": "x", "published": "2999"}', "published: '2999' is no date of publication"),
    ],
)
def test_every_problem_of_a_list_names_the_list_and_the_line(line: bytes, problem: str) -> None:
    target = listed(b"# a remark", line)[0]
    assert (target.problem or "").startswith(problem)
    assert "list line 2" in target.name + (target.problem or "")


def test_a_declared_date_of_the_call_is_checked_once() -> None:
    with pytest.raises(UsageError, match="'soon' is no date"):
        declared_of(Declared(published="soon"))
    assert declared_of(Declared(title="a\nb\x1b", tags=("x\x00",))) == Declared(title="a b", tags=("x",))


def test_a_folder_is_walked_in_order_without_hidden_files_links_to_folders_and_archives(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", ".git/config", "c/.hidden", "kept/archive.toml", "kept/log/commits"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    found = expand([str(tmp_path)], Declared(), io.BytesIO(), 100)
    assert [str(target.path).removeprefix(f"{tmp_path}/") for target in found] == ["a.txt", "b/1.txt", "b/2.txt"]


def test_links_out_of_a_folder_are_refused_by_name_and_those_within_it_followed(tmp_path: Path) -> None:
    """A folder that came from outside could have anything of this machine's archived, and published."""
    (folder := tmp_path / "came").mkdir()
    (tmp_path / "secret").write_text("key")
    (folder / "a.txt").write_text("x")
    (folder / "b.txt").symlink_to("a.txt")
    (folder / "c.txt").symlink_to("../secret")
    (folder / "d.txt").symlink_to(tmp_path / "secret")
    found = {Path(target.name).name: target.problem for target in expand([str(folder)], Declared(), io.BytesIO(), 100)}
    assert [found[name] for name in ("a.txt", "b.txt")] == [None, None]
    assert all("outside of the folder" in str(found[name]) for name in ("c.txt", "d.txt"))
    (named,) = expand([str(folder / "c.txt")], Declared(), io.BytesIO(), 100)
    assert named.problem is None


def test_of_standard_input_one_byte_more_than_the_limit_is_read() -> None:
    source = Endless(b"x" * 8192 for _ in range(10_000))
    (target,) = expand(["-"], Declared(), io.BufferedReader(source), 10_000)
    assert source.given < 50_000
    with pytest.raises(UploadError, match="10001 bytes; the limit is 10000"):
        read_target(target, NOW, 10_000)


def test_a_name_that_no_system_takes_is_a_problem_of_that_target() -> None:
    for name in ("x" * 100_000, "a/" * 50_000, "nul\x00byte", ""):
        (target,) = expand([name], Declared(), io.BytesIO(), 100)
        assert target.problem is not None
        assert len(target.name) < 500


def test_a_name_with_a_joiner_is_shown_as_it_is(tmp_path: Path) -> None:
    name = "می\u200cخواهم.html"
    (tmp_path / name).write_text("x")
    (target,) = expand([str(tmp_path / name)], Declared(), io.BytesIO(), 100)
    assert target.name.endswith(name)


def test_what_a_file_is_goes_by_its_name_else_by_its_beginning() -> None:
    assert media_type_of("a.HTM", b"") == "text/html"
    assert media_type_of("a", b"\xef\xbb\xbf <!DOCTYPE html>") == "text/html"
    assert media_type_of("a", "é".encode() * 4000) == "text/plain"
    assert media_type_of("a", b"x" * 4095 + "é".encode()) == "text/plain"
    assert media_type_of("a", b"\xff\xd8\xff\xe0" * 9) == "application/octet-stream"
    assert media_type_of("a", b"a\x00b") == "application/octet-stream"
