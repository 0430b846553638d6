"""Feeds, sitemaps and pages to entries: every dialect, what is broken in them, and what is hostile. Pure."""

from __future__ import annotations

import gzip
import json

import pytest

from muniment.ingest.clean.hints import hints_of, take_hints
from muniment.ingest.clean.job import Findings, Hints
from muniment.ingest.discover.dates import iso_of, moment_of
from muniment.ingest.discover.listing import Entry, Listing, ReadJob, listing_bytes, listing_from
from muniment.ingest.discover.reading import read_listing
from muniment.ingest.discover.site import is_page_like
from muniment.model import Published
from tests.conftest import NOW

BASE = "http://paper.example/news/feed.xml"


def read(document: str | bytes, *, links: bool = False, media_type: str = "", charset: str | None = None) -> Listing:
    payload = document if isinstance(document, bytes) else document.encode()
    return read_listing(ReadJob(payload, media_type, BASE, charset, None, links))


# ---- feeds

RSS_2 = """<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
<title>The Sound</title><language>en-GB</language><item><title>Tom &amp;amp; <![CDATA[<b>Ada</b> sail]]></title>
<link>/a?x=1&amp;y=2</link><guid isPermaLink="false">tag:1</guid><pubDate>Wed, 02 Oct 2002 08:00:00 EST</pubDate>
<dc:creator>Ada Quill</dc:creator><category>Sea</category><category>Law</category></item></channel></rss>"""
RSS_1 = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>The Sound</title></channel>
<item rdf:about="http://paper.example/a"><title>Tom</title><link>http://paper.example/a</link><dc:date>2002-10-02</dc:date>
</item></rdf:RDF>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://paper.example/b/" xml:lang="fa"><title type="html">The
 &lt;i&gt;Sound&lt;/i&gt;</title><link rel="next" href="?page=2"/><entry xml:base="c/"><title>Tom</title>
<link rel="edit" href="no"/><link href="a"/><id>urn:1</id><published>2002-10-02T08:00:00-05:00</published>
<updated>2003-01-01T00:00:00Z</updated><author><name>Ada Quill</name></author><category term="sea" label="Sea"/></entry></feed>"""
CDF = """<?xml version="1.0"?><CHANNEL BASE="http://paper.example/c/" HREF="x" SELF="feed.cdf"><TITLE>The Sound</TITLE>
<ITEM HREF="a" LASTMOD="2002-10-02T08:00:00-05:00"><TITLE>Tom</TITLE><ABSTRACT>Words.</ABSTRACT></ITEM></CHANNEL>"""
JSON_FEED = json.dumps({
    "version": "https://jsonfeed.org/version/1.1", "title": "The Sound", "next_url": "more.json",
    "items": [{"id": 7, "url": "a", "title": "Tom", "date_published": "2002-10-02T08:00:00-05:00",
               "authors": [{"name": "Ada Quill"}], "tags": ["Sea", 3]}, "nothing"],
})  # fmt: skip


@pytest.mark.parametrize(
    ("document", "dialect", "url", "published", "authors"),
    [
        (RSS_2, "rss 2.0", "http://paper.example/a?x=1&y=2", "2002-10-02T08:00:00-05:00", ("Ada Quill",)),
        (RSS_1, "rss 1.0", "http://paper.example/a", "2002-10-02", ()),
        (ATOM, "atom", "http://paper.example/b/c/a", "2002-10-02T08:00:00-05:00", ("Ada Quill",)),
        (CDF, "cdf", "http://paper.example/c/a", "2002-10-02T08:00:00-05:00", ()),
        (JSON_FEED, "json feed", "http://paper.example/news/a", "2002-10-02T08:00:00-05:00", ("Ada Quill",)),
    ],
)
def test_every_dialect_says_the_same(
    document: str, dialect: str, url: str, published: str, authors: tuple[str, ...]
) -> None:
    listing = read(document)
    (entry,) = listing.entries
    assert (listing.kind, listing.dialect, listing.title, listing.problem) == ("feed", dialect, "The Sound", None)
    assert (entry.url, iso_of(entry.published or entry.updated), entry.authors) == (url, published, authors)
    assert listing_from(listing_bytes(listing)) == listing


def test_what_an_entry_says_is_one_line_without_markup() -> None:
    (entry,) = read(RSS_2).entries
    assert (entry.title, entry.id, entry.categories) == ("Tom & Ada sail", "tag:1", ("Sea", "Law"))
    assert read(RSS_2).language == "en-GB"


def test_a_feed_names_its_next_page_and_the_language_around_it() -> None:
    listing = read(ATOM)
    assert (listing.more, listing.language) == ((Entry("http://paper.example/b/?page=2"),), "fa")
    assert listing.entries[0].updated == "2003-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("broken", "title"),
    [
        ("<rss><channel><item><link>/a?b=1&c=2</link><title>A & B &nbsp;&eacute;</title></item></channel></rss>", "A & B é"),
        ("<rss><channel><item><link>/a?b=1&c=2</link><dc:date>x</dc:date><title>A</title></item></channel></rss>", "A"),
        ("<rss><channel><item><link>/a?b=1&c=2</link><title>A\x01\x0bB</title></item></channel>", "AB"),
        ("\ufeff \n<rss><channel><item><link><![CDATA[/a?b=1&c=2]]></link><title>A</title></item>", "A"),
        ("<!DOCTYPE rss PUBLIC 'x' 'http://x.example/rss.dtd'><rss><item><link>/a?b=1&amp;c=2</link><title>A</title></item></rss>", "A"),
    ],
)  # fmt: skip
def test_what_feeds_have_wrong_is_survived(broken: str, title: str) -> None:
    (entry,) = read(broken).entries
    assert (entry.url, entry.title) == ("http://paper.example/a?b=1&c=2", title)


def test_the_bytes_decide_how_a_feed_is_read() -> None:
    text = "<rss><channel><item><link>/a</link><title>Größe</title></item></channel></rss>"
    latin = b'<?xml version="1.0" encoding="iso-8859-1"?>' + text.encode("latin-1")
    for payload in (latin, text.encode("utf-16"), b'<?xml version="1.0" encoding="us-ascii"?>' + text.encode()):
        assert read(payload).entries[0].title == "Größe"
    assert read(text.encode("cp1252"), charset="windows-1252").entries[0].title == "Größe"


def test_an_opml_list_and_a_page_lead_to_feeds() -> None:
    opml = '<opml><body><outline text="x"><outline text="T" xmlUrl="http://a.example/f"/></outline></body></opml>'
    assert read(opml).more == (Entry("http://a.example/f", title="T"),)
    page = '<html><head><link rel="alternate" type="application/atom+xml" href="/f" title="All"></head></html>'
    assert read(page).more == (Entry("http://paper.example/f", title="All"),)


# ---- sitemaps

NEWS = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"><url><loc> http://paper.example/a </loc><lastmod>2026-11</lastmod>
<image:image><image:loc>http://img.example/x.jpg</image:loc><image:title>No</image:title></image:image><n:news><n:publication>
<n:name>S</n:name><n:language>en</n:language></n:publication><n:publication_date>2026-11-22</n:publication_date>
<n:title>Tom</n:title><n:keywords>Sea, Law</n:keywords></n:news></url></urlset>"""


def test_a_sitemap_says_what_is_news_and_nothing_of_pictures() -> None:
    (entry,) = read(NEWS).entries
    assert entry == Entry("http://paper.example/a", "Tom", "2026-11-22", "2026-11", (), "", ("Sea", "Law"), "en")


def test_sitemaps_are_read_compressed_in_plain_text_and_from_robots_txt() -> None:
    assert read(gzip.compress(NEWS.encode())).entries == read(NEWS).entries
    assert [e.url for e in read("\ufeffhttp://a.example/\r\nhttp://b.example/\r\n").entries] == [
        "http://a.example/",
        "http://b.example/",
    ]
    robots = read(
        "User-agent: *\nDisallow:\nSITEMAP: /s.xml\nsitemap:http://b.example/t.xml # x\n", media_type="text/plain"
    )
    assert [entry.url for entry in robots.more] == ["http://paper.example/s.xml", "http://b.example/t.xml"]
    index = "<sitemapindex><sitemap><loc>http://a.example/1.xml</loc><lastmod>2026</lastmod></sitemap></sitemapindex>"
    assert read(index).more == (Entry("http://a.example/1.xml", updated="2026"),)


def test_a_sitemap_that_is_cut_gives_what_came_and_the_place() -> None:
    whole = "<urlset>\n" + "".join(f"<url><loc>http://a.example/{n}</loc></url>\n" for n in range(100))
    cut = read(whole[:1500])
    assert len(cut.entries) > 30 and (cut.problem or "").startswith("line ")
    cut = read(gzip.compress(whole.encode())[:-40])
    assert cut.entries and cut.problem is not None


# ---- hostile documents


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ('<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss>&b;</rss>', "expand without end"),
        ('<!DOCTYPE r [<!ENTITY % a "ha">]><rss/>', "expand without end"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss>&a;</rss>', "lies outside"),
        ("<!DOCTYPE rss [" + "<!ELEMENT a ANY>" * 10_000, "no end"),
        ("<rss>" + "<item>" * 100_000, "depth"),
        ('{"items":' + "[" * 100_000, "nested"),
        ("<rss>" + "&" * 3_000_001, "ampersands"),
        ("<note/>", "root <note>"),
        ("", "empty"),
        ("just words", "no list of addresses"),
        (gzip.compress(b" " * 70_000_000, 9), "content-bomb"),
    ],
    ids=["bomb", "parameter", "outside", "doctype", "depth", "json", "ampersands", "root", "empty", "words", "gzip"],
)
def test_what_is_hostile_or_no_listing_is_refused_with_a_reason(document: str | bytes, problem: str) -> None:
    listing = read(document)
    assert (listing.entries, listing.more) == ((), ())
    assert problem in (listing.problem or "")


def test_an_entity_that_is_declared_is_never_expanded() -> None:
    (entry,) = read(
        '<!DOCTYPE r [<!ENTITY a "secret">]><rss><item><link>/a</link><title>&a;</title></item></rss>'
    ).entries
    assert entry.title == "&a;"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "http://", "data:,x", "@here", "a b", "mailto:a@b.example"]
)
def test_what_is_no_web_address_is_no_entry(url: str) -> None:
    listing = read(f"<rss><channel><item><title>x</title><link>{url}</link></item></channel></rss>")
    assert listing.entries == () and "entry 1" in (listing.problem or "")


# ---- links


def test_the_links_of_a_page() -> None:
    page = """<html><head><base href="/b/"></head><body><a href="one#part">1</a><a href="one">again</a><area href="two">
    <a rel="nofollow" href="ad">ad</a><a href="x.pdf">pdf</a><a href="x.png">png</a><a href="javascript:x()">js</a></body></html>"""
    found = [entry.url for entry in read(page, links=True).entries]
    assert found == [f"http://paper.example/b/{name}" for name in ("one", "x.pdf", "two")] or set(found) == {
        f"http://paper.example/b/{name}" for name in ("one", "two", "x.pdf")
    }
    assert read(page.replace("<base", '<meta name=robots content="index, nofollow"><base'), links=True).entries == ()


@pytest.mark.parametrize(
    ("url", "follows"),
    [
        ("http://a.example/2026/11/22/story", True),
        ("http://a.example/a/b/a/b/a/b", False),
        ("http://a.example/" + "x" * 2000, False),
        ("http://a.example/?" + "&".join(f"p{n}=1" for n in range(20)), False),
        ("http://a.example/style.CSS", False),
    ],
)
def test_addresses_that_never_end_are_not_followed(url: str, follows: bool) -> None:
    assert is_page_like(url) is follows


# ---- dates, and hints


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("Wed, 02 Oct 2002 08:00:00 EST", "2002-10-02T08:00:00-05:00"),
        ("2 October 2002", "2002-10-02"),
        ("Wed, 2 Oct 02 15:00 +0200", "2002-10-02T15:00:00+02:00"),
        ("2002-10-02T15:00:00.123Z", "2002-10-02T15:00:00+00:00"),
        ("2002-10-02T15:00", "2002-10-02T15:00:00"),
        ("20021002", "2002-10-02"),
        ("2002-10", "2002-10"),
        ("2002", "2002"),
        ("0000-00-00", None),
        ("2002-13-01", None),
        ("32 Oct 2002", None),
        ("soon", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_dates_as_feeds_write_them(written: str, iso: str | None) -> None:
    assert iso_of(written) == iso
    assert (moment_of(written) is None) is (iso is None)


def test_hints_stand_below_what_the_page_declares_and_above_what_is_guessed() -> None:
    facts = [("feed-title", "The feed's"), ("feed-published", "Wed, 02 Oct 2002 23:00:00 EST"), ("feed-author", "Ada")]
    hints = hints_of(facts)
    assert hints == Hints("feed", "The feed's", "Wed, 02 Oct 2002 23:00:00 EST", ("Ada",))
    own = Findings(
        title="Own", authors=("Own",), published=Published("2001-01-01", "day", "jsonld:datePublished"),
        origins={"title": "meta:og:title", "authors": "microdata:author", "published": "jsonld:datePublished"},
    )  # fmt: skip
    guess = Findings(
        title="Guess",
        published=Published("2001-01-01", "day", "htmldate"),
        origins={"title": "title", "published": "htmldate"},
    )
    assert take_hints(own, hints, NOW.date()) == own
    taken = take_hints(guess, hints, NOW.date())
    assert (taken.title, taken.authors) == ("The feed's", ("Ada",))
    assert taken.published == Published("2002-10-02", "day", "feed:published")  # the publisher's day
    late = Hints("feed", published="2099-01-01")
    assert take_hints(guess, late, NOW.date()).published == guess.published
    assert hints_of([("articleKey", "x")]) is None


def test_what_takes_too_long_gives_what_was_read_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.ingest.discover.xml._SECONDS", 0.0)
    listing = read("<urlset>\n" + "<url><loc>http://a.example/</loc></url>\n" * 1000 + "</urlset>")
    assert (len(listing.entries), listing.problem) == (256, "line 257: it is too long to be read to its end")
