"""The demonstration's site over real HTTP, and the files it uploads."""

from __future__ import annotations

import gzip
import html
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from demo.press import PAPERS, Story, jalali, read_edition
from demo.site import Site

DEMO = Path(__file__).resolve().parents[2] / "demo"
UPLOADS = DEMO / "uploads"
STORIES = read_edition(1)
REMOVED = "An engineer at the dam had warned in writing"
ARABIC_LETTERS = re.compile("[يك]")
ZWNJ = "\u200c"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(port: int, url: str, method: str = "GET", **headers: str) -> Answer:
    """One request on a connection of its own; chunked coding is undone, gzip is not."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            method, target, headers={"Host": parts.netloc} | {k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def read_page(port: int, story: Story) -> str:
    answer = ask(port, story.url, Accept_Encoding="identity")
    assert answer.status == 200
    return answer.body.decode(story.paper.charset)


def visible(page: str) -> str:
    return html.unescape(page)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def test_every_url_answers_200_with_its_whole_story_in_the_charset_of_its_paper(site: Site) -> None:
    assert site.urls() == [story.url for story in STORIES]
    for story in STORIES:
        page = visible(read_page(site.port, story))
        assert story.title in page
        assert all(paragraph in page for paragraph in story.paragraphs), story.url
        assert (story.caption or "") in page


def test_there_are_at_least_44_stories_in_four_languages_by_at_least_six_hosts_over_eighteen_years() -> None:
    languages = Counter(story.paper.language for story in STORIES)
    assert languages == {"en": 20, "fa": 10, "ar": 7, "fr": 7}
    assert len({story.paper.host for story in STORIES}) == len(PAPERS) == 7
    assert all(paper.host.endswith(".example") for paper in PAPERS)
    years = {int(story.published[:4]) for story in STORIES}
    assert (min(years), max(years)) == (2008, 2026)
    assert Counter(len(story.published) for story in STORIES)[4] == 1, "one date of a year alone"
    assert Counter(len(story.published) for story in STORIES)[7] == 3, "three dates of a month"


def test_every_story_is_unique_and_of_a_readable_length() -> None:
    paragraphs = [paragraph for story in STORIES for paragraph in story.paragraphs]
    assert len(set(paragraphs)) == len(paragraphs)
    for each in ([story.url for story in STORIES], [story.title for story in STORIES]):
        assert len(set(each)) == len(STORIES)
    for story in STORIES:
        words = sum(len(paragraph.split()) for paragraph in story.paragraphs)
        assert 120 <= words <= 350, (story.url, words)
        assert len(story.paragraphs) >= 4


def test_two_persian_stories_are_typed_with_arabic_letters_and_the_others_with_zwnj() -> None:
    persian = {story.path: " ".join(story.paragraphs) for story in STORIES if story.paper.language == "fa"}
    sloppy = {path for path, text in persian.items() if ARABIC_LETTERS.search(text)}
    assert sloppy == {"/sanad/28", "/sanad/61"}
    assert all(ZWNJ in text for path, text in persian.items() if path not in sloppy)
    assert not any("ی" in persian[path] or "ک" in persian[path] for path in sloppy)


@pytest.mark.parametrize(
    ("gregorian", "solar"),
    [("2022-11-03", (1401, 8, 12)), ("2016-10-09", (1395, 7, 18)), ("2021-03-20", (1399, 12, 30)),
     ("2021-03-21", (1400, 1, 1)), ("2017-03-20", (1395, 12, 30)), ("2025-03-21", (1404, 1, 1))],
)  # fmt: skip
def test_jalali_dates_are_right_at_the_turn_of_leap_years(gregorian: str, solar: tuple[int, int, int]) -> None:
    assert jalali(date.fromisoformat(gregorian)) == solar


def test_each_paper_writes_the_date_in_its_own_way(site: Site) -> None:
    shown = {
        "http://tidewater-courier.example/2026/02/03/registers-rebuilt": "3 February 2026",
        "http://north-valley-monitor.example/news.php?id=112": "Posted: Tuesday, July 15, 2008",
        "http://rights-observer.example/reports/stonehill-water": ">March 2014 —",
        "http://rights-observer.example/reports/stonehill-annual-review": ">2011 —",
        "http://payam-shahr.example/news/1401/ray-dadgah-ketabkhani": "۱۲ آبان ۱۴۰۱",
        "http://sawt-alwadi.example/show.asp?n=640": "8 تشرين الثاني 2021",
        "http://la-gazette-du-port.example/culture/bibliotheque-des-quais.html": ">juin 2013<",
    }
    pages = {story.url: story for story in STORIES if story.url in shown}
    assert len(pages) == len(shown)
    for url, text in shown.items():
        assert text in visible(read_page(site.port, pages[url]))


def test_the_old_papers_name_their_charset_only_in_the_page(site: Site) -> None:
    for host, charset in (("north-valley-monitor", "iso-8859-1"), ("sawt-alwadi", "windows-1256")):
        answer = ask(site.port, f"http://{host}.example/")
        assert answer.headers["Content-Type"] == "text/html"
        assert f"charset={charset}".encode() in answer.body
        with pytest.raises(UnicodeDecodeError):
            next(ask(site.port, s.url).body for s in STORIES if host in s.url).decode("utf-8")


def test_one_paper_streams_gzip_in_chunks_to_those_who_take_it(site: Site) -> None:
    story = next(story for story in STORIES if story.paper.host == "payam-shahr.example")
    packed, plain = (ask(site.port, story.url, Accept_Encoding=coding) for coding in ("gzip", "identity"))
    assert packed.headers["Transfer-Encoding"] == plain.headers["Transfer-Encoding"] == "chunked"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers and "Content-Length" not in packed.headers
    assert gzip.decompress(packed.body) == plain.body


def test_head_sends_the_head_alone_and_the_connection_stays_open(site: Site) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=10)
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, "/", headers={"Host": "tidewater-courier.example"})
        response = connection.getresponse()
        length, body = int(response.headers["Content-Length"]), response.read()
        assert len(body) == (length if method == "GET" else 0)
        assert response.headers.get_all("Set-Cookie") == ["consent=unset; Path=/", "edition=morning; Path=/"]
    connection.close()


def test_the_second_edition_silently_changes_one_story(site: Site) -> None:
    before = {story.url: read_page(site.port, story) for story in STORIES}
    site.publish_second_edition()
    after = {story.url: read_page(site.port, story) for story in STORIES}
    changed = [url for url in before if before[url] != after[url]]
    assert changed == [site.edited_url()] == ["http://tidewater-courier.example/2021/11/06/orvan-gate-failure"]
    old, new = before[changed[0]], after[changed[0]]
    assert REMOVED in old and REMOVED not in new
    assert "41 homes" in old and "14 homes" in new
    assert old.partition("<body")[0] == new.partition("<body")[0], "no metadata admits the change"


def test_the_edition_can_be_switched_from_outside(site: Site) -> None:
    for edition, homes in ((2, b"14 homes"), (1, b"41 homes")):
        assert ask(site.port, f"http://rights-observer.example/__edition/{edition}", "POST").status == 200
        assert homes in ask(site.port, site.edited_url()).body
    assert ask(site.port, "http://rights-observer.example/__edition/3", "POST").status == 404


def test_an_old_address_moves_a_withdrawn_one_is_gone_and_a_stranger_is_sent_away(site: Site) -> None:
    moved = ask(site.port, site.moved_url)
    assert (moved.status, moved.headers["Location"]) == (301, urlsplit(site.moved_to_url).path)
    assert site.moved_to_url in site.urls()
    assert ask(site.port, site.gone_url).status == 404
    assert ask(site.port, "http://elsewhere.example/").status == 421


def test_robots_txt_disallows_one_path_of_one_host(site: Site) -> None:
    rules = {host: ask(site.port, f"http://{host}/robots.txt").body.decode() for host in site.hosts}
    closed = {host for host, text in rules.items() if "Disallow: /" in text}
    assert closed == {"rights-observer.example"}
    assert urlsplit(site.disallowed_url).path.startswith("/members/")
    assert ask(site.port, site.disallowed_url).status == 200, "the page is there for who asks all the same"


def test_each_index_page_links_to_every_story_of_its_host(site: Site) -> None:
    for paper in PAPERS:
        page = visible(ask(site.port, f"http://{paper.host}/", Accept_Encoding="identity").body.decode(paper.charset))
        own = [story for story in STORIES if story.paper == paper]
        assert re.findall(r'href="([^"]+)"', page) == [story.path for story in own]


def test_two_sites_send_the_same_bytes(site: Site) -> None:
    with Site() as other:
        for url in site.urls():
            one, two = ask(site.port, url), ask(other.port, url)
            assert one.body == two.body
            assert {k: v for k, v in one.headers.items() if k != "Date"} == {
                k: v for k, v in two.headers.items() if k != "Date"
            }


def test_run_as_a_script_it_prints_its_port_and_the_urls_and_serves() -> None:
    command = [sys.executable, str(DEMO / "site.py"), "--port", "0", "--print"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            urls = [process.stdout.readline().strip() for _ in STORIES]
            assert urls == [story.url for story in STORIES]
            assert ask(port, urls[0]).status == 200
        finally:
            process.terminate()


def test_the_messy_upload_has_the_marks_of_a_page_copied_by_hand() -> None:
    lines = (UPLOADS / "messy-article.txt").read_text("utf-8").splitlines()
    headline = lines[3]
    assert re.fullmatch(r"[A-Z][a-z]+day, [A-Z][a-z]+ \d{1,2}, \d{4}", lines[0])
    assert lines[1].startswith("Home") and lines[1].endswith(headline) and lines[1] != headline
    assert sum(line.startswith("VIDEO: ") for line in lines) == 1
    assert any(re.search(r" - October 2020$", line) for line in lines)
    assert "Share Tweet Email Print" in lines


def test_the_folder_to_upload_holds_html_and_text_nested_and_oddly_named() -> None:
    files = {str(file.relative_to(UPLOADS / "folder")) for file in (UPLOADS / "folder").rglob("*") if file.is_file()}
    assert files == {
        "witness-note.html",
        "yaddasht-moallem.txt",
        "nested/avis-coupure.html",
        "nested/letter #2 (final) 100%.txt",
        "nested/بيان المزارعين.txt",
    }
