"""DOCX, ODT and EPUB: text in order, what they say of themselves, and packages that are refused by name."""

from __future__ import annotations

import struct

import pytest

from muniment.ingest.documents import package as packages
from tests.documents.builders import docx, epub, odt, package, paragraph, read

PERSIAN = "می\u200cخواهم رأی بدهم، گفت ناخدا."
CORE = (
    "<dc:title>Ferry crews vote</dc:title><dc:creator>Ann Example; Bo Example</dc:creator>"
    "<dcterms:created>2021-05-31T23:30:00+04:30</dcterms:created><dcterms:modified>2022-01-01T00:00:00Z</dcterms:modified>"
)


def test_a_docx_gives_its_text_in_order() -> None:
    table = "<w:tbl><w:tr>" + "".join(f"<w:tc>{paragraph(c)}</w:tc>" for c in ("Boat", "Votes")) + "</w:tr></w:tbl>"
    deleted = '<w:p><w:del w:id="1" w:author="x"><w:r><w:delText>taken back</w:delText></w:r></w:del></w:p>'
    article = read(docx(paragraph("The vote", "Heading1") + paragraph(PERSIAN) + deleted + table, CORE), name="a.docx")
    assert article.text == f"The vote\n{PERSIAN}\nBoat\tVotes"
    assert (article.title, article.origins["title"]) == ("Ferry crews vote", "docx:title")
    assert article.authors == ("Ann Example", "Bo Example") and article.extractor == "muniment-docx/3"
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2021-05-31", "docx:created")
    assert article.said["docx:created"] == "2021-05-31T23:30:00+04:30"
    assert article.said["docx:modified"] == "2022-01-01T00:00:00+00:00"


def test_a_docx_without_a_title_takes_its_first_heading_and_says_it_once() -> None:
    article = read(docx(paragraph("The vote", "Heading1") + paragraph("It was close.")))
    assert (article.title, article.text) == ("The vote", "It was close.")
    assert [(d.text, d.reason) for d in article.dropped] == [("The vote", "repeated-headline")]


def test_text_that_the_converter_passes_over_is_found() -> None:
    ruby = "<w:p><w:r><w:ruby><w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>"
    assert read(docx(ruby)).text == "東京"


def test_an_odt_gives_its_text_in_order() -> None:
    body = (
        '<text:tracked-changes><text:p>taken back</text:p></text:tracked-changes><text:h text:outline-level="1">The vote</text:h>'
        f'<text:p>{PERSIAN}<text:s text:c="3"/>end<text:tab/>tab<text:line-break/>next line'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body></text:note>"
        " goes on</text:p><text:list><text:list-item><text:p>one <text:span>and two</text:span></text:p></text:list-item></text:list>"
    )
    meta = (
        "<meta:initial-creator>Ann Example</meta:initial-creator><dc:creator>Bo</dc:creator>"
        "<meta:creation-date>2021-05-31T23:30:00.123456789</meta:creation-date><dc:date>2022-01-01T00:00:00</dc:date>"
    )
    article = read(odt(body, meta))
    assert article.text.split("\n") == [f"{PERSIAN}   end\ttab", "next line goes on", "A note.", "one and two"]
    assert (article.title, article.authors) == ("The vote", ("Ann Example",))
    assert article.published is not None and article.published.date == "2021-05-31"
    assert article.published.origin == "odt:creation-date" and article.said["odt:date"].startswith("2022-01-01")


def test_an_epub_gives_its_chapters_in_the_order_of_the_spine() -> None:
    meta = (
        "<dc:title>The harbour</dc:title><dc:creator>Ann Example</dc:creator><dc:language>fa</dc:language>"
        '<dc:creator opf:role="ill">Not Author</dc:creator><dc:date>2021-05</dc:date>'
    )
    chapters = {"two.xhtml": f"<h1>Two</h1><p>{PERSIAN}</p>", "one.xhtml": "<p>And</p><p>one.</p><script>no</script>"}
    article = read(epub(chapters, meta))
    assert article.text == f"Two\n{PERSIAN}\nAnd\none."
    assert (article.title, article.authors) == ("The harbour", ("Ann Example",))
    assert article.published is not None and (article.published.date, article.published.precision) == (
        "2021-05",
        "month",
    )


def patched(data: bytes, flag: int) -> bytes:
    """A ZIP whose members all carry this flag in the central directory and in their own heads."""
    return data.replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00" + struct.pack("<H", flag)
    ).replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00" + struct.pack("<H", flag))


def overlapping() -> bytes:
    """A second name in the central directory for the bytes of the first."""
    data = docx(paragraph("x"))
    directory, end = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x05\x06")), data.rindex(b"PK\x05\x06")
    first = data.index(b"PK\x01\x02")
    entry = data[directory:end]
    total = struct.unpack("<H", data[end + 10 : end + 12])[0] + 1
    size = end - first + len(entry)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, total, total, size, first, 0)
    return data[:end] + entry.replace(b"docProps/core.xml", b"docProps/more.xml") + tail


ENTITIES = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'
REFUSED = {
    "bomb in a DOCX": (docx("", more={"word/document.xml": bytes(16_000_000)}), "content-bomb: word/document.xml"),
    "bomb beside the text": (odt("<text:p>x</text:p>", more={"Pictures/a.png": bytes(16_000_000)}), "content-bomb: Pictures/a.png"),
    "names that leave it": (docx(paragraph("x"), more={"../../x": "x"}), "unsafe-archive: the name '../../x'"),
    "an absolute name": (odt("<text:p>x</text:p>", more={"/etc/x": "x"}), "unsafe-archive: the name '/etc/x'"),
    "a drive": (epub({"a.xhtml": "x"}, more={"C:/x": "x"}), "unsafe-archive: the name 'C:/x'"),
    "members that overlap": (overlapping(), "unsafe-archive: members overlap"),
    "encrypted": (patched(docx(paragraph("x")), 1), "encrypted: DOCX"),
    "encrypted ODT": (odt("<text:p>x</text:p>", more={"META-INF/manifest.xml": "<m><encryption-data/></m>"}), "encrypted: ODT"),
    "encrypted EPUB": (
        epub({"a.xhtml": "x"}, more={"META-INF/encryption.xml": '<e><EncryptionMethod Algorithm="aes"/></e>'}), "encrypted: EPUB",
    ),
    "entities in a DOCX": (docx("", more={"word/document.xml": ENTITIES}), "unsafe-xml: DOCX, word/document.xml"),
    "entities in UTF-16": (
        docx("", more={"word/document.xml": ENTITIES.encode("utf-16")}), "unsafe-xml: DOCX, word/document.xml",
    ),
    "entities in an ODT": (odt("", more={"content.xml": ENTITIES}), "unsafe-xml: ODT, content.xml"),
    "a file of ours by an entity": (odt("", more={"content.xml": OUTSIDE}), "unsafe-xml: ODT, content.xml"),
    "no XML": (odt("", more={"content.xml": "<a><b>"}), "broken: ODT, content.xml"),
    "no document": (package({"[Content_Types].xml": "<a/>", "word/styles.xml": "<a/>"}), "broken: DOCX"),
    "no text": (odt("<text:p/>"), "no-text"),
    "a ZIP in a ZIP": (package({"a.zip": package({"a.txt": "x"})}), "not-text: looks like ZIP"),
    "slides": (package({"[Content_Types].xml": "<a/>", "ppt/x.xml": "<a/>"}), "unsupported: a table or slides of Office"),
    "cut": (docx(paragraph("x"))[:-30], "not-text: looks like ZIP, and is broken"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("data", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_or_broken_package_has_a_named_problem(data: bytes, problem: str) -> None:
    article = read(data, name="a.bin")
    assert article.text == "" and (article.problem or "").startswith(problem), article.problem


def test_a_package_of_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_MEMBERS", 20)
    crowded = docx(paragraph("x"), more={f"word/{n}.bin": "" for n in range(20)})
    assert read(crowded).problem == "unsafe-archive: 26 members"


def test_deep_nesting_ends_in_text_or_a_named_problem() -> None:
    deep = "<text:span>" * 5_000 + "found" + "</text:span>" * 5_000
    assert read(odt(f"<text:p>{deep}</text:p>")).text == "found"
    chapter = read(epub({"a.xhtml": "<div>" * 5_000 + "found" + "</div>" * 5_000}))
    assert chapter.text == "found" or chapter.problem == "no-text"
