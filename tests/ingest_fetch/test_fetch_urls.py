"""Addresses as people write them, and the key under which an article's versions stand together."""

from __future__ import annotations

import pytest

from muniment.errors import FetchError
from muniment.ingest.urls import MAX_URL, article_key, follow, host_of, normalise_target, origin_of, port_of, source_of

TARGETS = {
    "http://example.org": "http://example.org/",
    "HTTPS://EXAMPLE.org/Story": "https://example.org/Story",
    "  http://example.org/a \n": "http://example.org/a",
    "\u200fhttps://example.org/a\u200b": "https://example.org/a",
    "http://example.org/a\tb\nc": "http://example.org/abc",
    "http://example.org/two words": "http://example.org/two%20words",
    "http://example.org/?q=two words": "http://example.org/?q=two%20words",
    "http://example.org/کتاب‌ها": "http://example.org/%DA%A9%D8%AA%D8%A7%D8%A8%E2%80%8C%D9%87%D8%A7",
    "http://example.org/?q=é": "http://example.org/?q=%C3%A9",
    "http://example.org/caf\udce9": "http://example.org/caf%E9",
    "http://example.org/%7Euser/%d9%81": "http://example.org/%7Euser/%d9%81",
    "http://example.org/100%": "http://example.org/100%25",
    "http://example.org/50%_off%2": "http://example.org/50%25_off%252",
    "http://example.org/a|b[1]^{x}": "http://example.org/a%7Cb%5B1%5D%5E%7Bx%7D",
    "http://example.org/a'(b);c=d,e!*@:&+$": "http://example.org/a'(b);c=d,e!*@:&+$",
    'http://example.org/"<x>`': "http://example.org/%22%3Cx%3E%60",
    "http://example.org/a\x01b": "http://example.org/a%01b",
    "http://example.org:80/": "http://example.org/",
    "https://example.org:443/": "https://example.org/",
    "https://example.org:80/": "https://example.org:80/",
    "http://example.org:08080/": "http://example.org:8080/",
    "http://example.org:/": "http://example.org/",
    "http://example.org/#top": "http://example.org/",
    "http://example.org#top": "http://example.org/",
    "http://example.org?a=1#top?b": "http://example.org/?a=1",
    "http://example.org/?": "http://example.org/?",
    "http://example.org/a/./b/../c/..": "http://example.org/a/",
    "http://example.org/%2E%2e/a/.%2E/b": "http://example.org/b",
    "http://example.org/../../a": "http://example.org/a",
    "http://example.org//a//b/": "http://example.org//a//b/",
    "http://example.org\\a\\b?c\\d": "http://example.org/a/b?c%5Cd",
    "http://example.org./": "http://example.org/",
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://BÜCHER.example/": "http://xn--bcher-kva.example/",
    "http://faß.example/": "http://xn--fa-hia.example/",
    "http://例え。jp/": "http://xn--r8jz45g.jp/",
    "http://b%C3%BCcher.example/": "http://xn--bcher-kva.example/",
    "http://ex%61mple.org/": "http://example.org/",
    "http://under_score.example.org/": "http://under_score.example.org/",
    "http://-odd-.example.org/": "http://-odd-.example.org/",
    "http://[2606:4700::0:1111]/": "http://[2606:4700::1111]/",
    "http://[::1]:8080/x": "http://[::1]:8080/x",
    "http://192.0.2.7/": "http://192.0.2.7/",
    "http://2130706433/": "http://127.0.0.1/",
    "http://0x7f.1/": "http://127.0.0.1/",
    "http://0177.0.0.01/": "http://127.0.0.1/",
    "http://１２７.０.０.１/": "http://127.0.0.1/",
    "http://①②⑦.⓪.⓪.①/": "http://127.0.0.1/",
    "http://1.2.3.4.example.org/": "http://1.2.3.4.example.org/",
}  # fmt: skip

REFUSED = [
    "", "example.org", "//example.org/", "ftp://example.org/", "file:///etc/passwd", "javascript:alert(1)",
    "gopher://example.org/", "http:", "http://", "http:///path", "http:example.org", "http://?q", "http://:80/",
    "http://user@example.org/", "http://user:secret@example.org/", "http://@example.org/",
    "http://example.org:0/", "http://example.org:65536/", "http://example.org:80a/", "http://example.org:-1/",
    "http://example.org:" + "9" * 5000 + "/", "http://example.org:８０/",
    "http://exa mple.org/", "http://exa<mple.org/", "http://example..org/", "http://.org/", "http://%00.org/",
    "http://%ff.org/", "http://" + "a" * 64 + ".org/", "http://" + "a." * 130 + "org/", "http://☕.example/",
    "http://[::1/", "http://[::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[1.2.3.4]/", "http://[]/",
    "http://256.0.0.1/", "http://1.2.3.4.5/", "http://1.2.x.4/", "http://09.1.2.3/", "http://4294967296/",
    "http://example.org/\ud800", "http://example.org/" + "a" * MAX_URL, "http://example.org/" + "ف" * 2000,
]  # fmt: skip

SAME = [
    ("http://example.org/a", "https://example.org/a"),
    ("http://www.example.org/a", "https://example.org/a"),
    ("http://example.org:80/a", "https://example.org:443/a"),
    ("http://example.org/a/", "http://example.org/a"),
    ("http://example.org", "https://www.example.org/"),
    ("http://example.org/a#part", "http://example.org/a"),
    ("http://example.org/a?utm_source=x&UTM_Medium=y&fbclid=1&gclid=2&mc_cid=3", "http://example.org/a"),
    ("http://example.org/a?id=7&utm_campaign=z", "http://example.org/a/?id=7"),
    ("http://example.org/a?b=2&a=1", "http://example.org/a?a=1&b=2"),
    ("http://example.org/%7euser/%d9%81", "http://example.org/~user/%D9%81"),
    ("http://example.org/ف", "http://example.org/%D9%81"),
    ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ("http://example.org/a;jsessionid=0A1B?id=7", "http://example.org/a?id=7"),
    ("http://example.org/b/../a", "http://example.org/a"),
]

DIFFERENT = [
    ("http://example.org/a", "http://example.org/A"),
    ("http://example.org/a?id=1", "http://example.org/a?id=2"),
    ("http://example.org/a?p=", "http://example.org/a?page=2"),
    ("http://example.org/a%2Fb", "http://example.org/a/b"),
    ("http://example.org:8080/a", "http://example.org/a"),
    ("http://news.example.org/a", "http://example.org/a"),
    ("http://www.org/a", "http://org/a"),
    ("http://example.org/a?ref=12", "http://example.org/a"),
    ("http://example.org/a b", "http://example.org/ab"),
]


@pytest.mark.parametrize(("typed", "fetched"), TARGETS.items())
def test_what_is_typed_becomes_what_is_fetched(typed: str, fetched: str) -> None:
    assert normalise_target(typed) == fetched


@pytest.mark.parametrize("fetched", sorted(set(TARGETS.values())))
def test_a_normal_address_stays_as_it_is(fetched: str) -> None:
    assert normalise_target(fetched) == fetched


@pytest.mark.parametrize("typed", REFUSED, ids=lambda t: ascii(t[:40]))
def test_what_is_nothing_to_fetch_is_refused_in_one_line(typed: str) -> None:
    with pytest.raises(FetchError) as refused:
        normalise_target(typed)
    assert refused.value.reason == "bad-url"
    assert len(str(refused.value)) < 400
    assert str(refused.value).isprintable()


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(FetchError) as refused:
        normalise_target("https://editor:hunter2@example.org/")
    assert "hunter2" not in str(refused.value)


def test_an_address_of_exactly_the_limit_passes() -> None:
    longest = "http://example.org/".ljust(MAX_URL, "a")
    assert normalise_target(longest) == longest


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_addresses_of_one_article_have_one_key(one: str, other: str) -> None:
    assert article_key(one) == article_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_articles_have_two_keys(one: str, other: str) -> None:
    assert article_key(one) != article_key(other)


def test_a_key_is_readable_and_its_own_key() -> None:
    key = article_key("https://www.example.org/2021/05/story/?id=7&utm_source=x#c")
    assert key == "example.org/2021/05/story?id=7"
    assert article_key(key) == key
    assert article_key("https://" + key) == key


def test_what_is_no_web_address_is_its_own_key() -> None:
    assert article_key(" urn:isbn:9780140449136 ") == "urn:isbn:9780140449136"


@pytest.mark.parametrize(
    ("url", "host", "source"),
    [
        ("https://www.example.org:8443/a", "www.example.org", "example.org"),
        ("http://xn--bcher-kva.example/", "xn--bcher-kva.example", "bücher.example"),
        ("http://www.xn--mgbf3a1ehad5883c.example/", "www.xn--mgbf3a1ehad5883c.example", "نوشته‌ها.example"),
        ("http://xn--a.example/", "xn--a.example", "xn--a.example"),
        ("http://[::1]:80/", "::1", "::1"),
        ("http://www.org/", "www.org", "www.org"),
        ("urn:x", "", ""),
    ],
)  # fmt: skip
def test_a_source_is_the_host_as_people_read_it(url: str, host: str, source: str) -> None:
    assert (host_of(url), source_of(url)) == (host, source)


@pytest.mark.parametrize(
    ("url", "port", "origin"),
    [
        ("http://example.org/a:b", 80, "http://example.org"),
        ("https://example.org/", 443, "https://example.org"),
        ("http://example.org:8080/?x=/", 8080, "http://example.org:8080"),
        ("http://[2606:4700::80]/", 80, "http://[2606:4700::80]"),
        ("http://[::1]:99/", 99, "http://[::1]:99"),
    ],
)
def test_a_port_and_an_origin_are_read_from_a_normal_address(url: str, port: int, origin: str) -> None:
    assert (port_of(url), origin_of(url)) == (port, origin)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://example.org/b"),
        ("c?d", "https://example.org/dir/c?d"),
        ("?page=2", "https://example.org/dir/a?page=2"),
        ("//other.example/x", "https://other.example/x"),
        (" http://other.example/a b ", "http://other.example/a%20b"),
        ("../up#part", "https://example.org/up"),
        ("http://bücher.example/ف", "http://xn--bcher-kva.example/%D9%81"),
    ],
)
def test_a_location_is_read_from_where_it_stands(location: str, target: str) -> None:
    assert follow("https://example.org/dir/a?q", location) == target


@pytest.mark.parametrize(
    "location", ["mailto:a@example.org", "ftp://example.org/", "http://[::1", "http://u:p@example.org/"]
)
def test_a_location_that_leads_nowhere_is_refused(location: str) -> None:
    with pytest.raises(FetchError) as refused:
        follow("https://example.org/", location)
    assert refused.value.reason == "bad-url"
