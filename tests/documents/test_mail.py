"""Letters and saved pages: headers and bodies of any charset, the best wording, attachments named, bad mail survived."""

from __future__ import annotations

import base64
import time
from email.message import EmailMessage, MIMEPart

import pytest

from muniment.ingest.decode import NoText, sniff
from muniment.ingest.documents.mail import open_letter
from muniment.ingest.documents.mime import MAX_PARTS, decoded_words, leaves, parse
from tests.documents.builders import letter, read
from tests.ingest_clean.clean_pages import HEADLINE, PARAGRAPHS, article_html, html_page


def test_a_letter_says_who_wrote_it_when_and_of_what() -> None:
    article = read(bytes(letter()), "message/rfc822", "a.eml")
    assert article.title == "رأی ناخدایان — the captains’ vote" and article.origins["title"] == "mail:Subject"
    assert article.authors == ("Ann Example",) and article.origins["authors"] == "mail:From"
    assert article.published is not None  # the day as it was where it was written
    assert (article.published.date, article.published.origin) == ("2021-05-31", "mail:Date")
    assert article.said["mail:Date"] == "2021-05-31T23:30:00+04:30"
    assert article.said["mail:Message-ID"] == "<1@harbour.example>" and article.said["mail:To"] == "bo@harbour.example"
    assert article.text == "\n".join(PARAGRAPHS) and article.extractor == "muniment-mail/3"


def test_the_html_wording_is_read_and_the_plain_one_where_it_is_empty() -> None:
    message = letter(body="The plain wording.")
    message.add_alternative(html_page(article_html()).decode(), subtype="html")
    article = read(bytes(message))
    assert article.text == "\n".join(PARAGRAPHS) and article.title == message["Subject"]
    message = letter(body="The plain wording.")
    message.add_alternative("", subtype="html")
    assert read(bytes(message)).text == "The plain wording."


def test_a_short_letter_in_html_keeps_all_that_is_seen() -> None:
    message = letter()
    message.set_content(
        "<div>Dear Bo,</div><div>we sail at <b>six</b>.</div><div>Ann</div><style>p {}</style>", subtype="html"
    )
    assert read(bytes(message)).text == "Dear Bo,\nwe sail at six.\nAnn"


@pytest.mark.parametrize("charset", ["utf-8", "windows-1256", "iso-8859-6", "utf-16"])
def test_bodies_of_any_charset_are_read(charset: str) -> None:
    text = "ميناء المدينة مغلق اليوم، قال القبطان. لن تبحر أي سفينة قبل المساء."
    message = letter()
    message.set_content(text.encode(charset), "text", "plain", cte="base64", params={"charset": charset})
    assert read(bytes(message)).text == text


def test_non_joiners_stay_in_html_and_plain_wordings() -> None:
    line = "می\u200cخواهم رأی بدهم، گفت ناخدا، و کشتی‌ها امروز در بندر می‌مانند."
    assert read(bytes(letter(body=line))).text == line
    message = letter()
    message.set_content(f"<p>{line}</p>", subtype="html")
    assert read(bytes(message)).text == line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?caf=C3=A9?= =?utf-8?q?s?=", "cafés"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?windows-1256?b?48jkx8E=?=", b"\xe3\xc8\xe4\xc7\xc1".decode("cp1256")),
        ("=?nosuch?q?abc?=", "abc"),
        ("=?utf-8?b?!!!?=", "=?utf-8?b?!!!?="),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("plain", "plain"),
    ],
)  # fmt: skip
def test_encoded_words_are_read_and_broken_ones_stay(value: str, text: str) -> None:
    assert decoded_words(value) == text


def test_flowed_lines_and_quotes() -> None:
    body = "A line that \nflows on.\n> quoted \n> too\n-- \nAnn\n>From the sea"
    data = b"From: a@b.example\nDate: x\nContent-Type: text/plain; format=flowed\n\n" + body.encode()
    assert read(data, "message/rfc822").text.split("\n") == [
        "A line that flows on.",
        "> quoted too",
        "--",
        "Ann",
        "From the sea",
    ]


BAD = {
    "no boundary": b"From: a@b.example\nContent-Type: multipart/mixed\n\ntext",
    "no end": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nfound text",
    "no such charset": b"From: a@b.example\nContent-Type: text/plain; charset=nosuch\n\nfound text",
    "broken base64": b"From: a@b.example\nContent-Transfer-Encoding: base64\n\nZm91bmQgdGV4dA=x",
    "unknown coding": b"From: a@b.example\nContent-Transfer-Encoding: spam\n\nfound text",
    "a header that is none": b"From: a@b.example\nthis is no field\nSubject: x\n\nfound text",
    "8 bits in headers": b"From: Bj\xf6rn <a@b.example>\nSubject: caf\xe9\n\nfound text",
    "broken parameters": b"From: a@b.example\nContent-Type: text/plain; charset*0*=x'y; name*=\"\nSubject: y\n\nfound text",
    "a date that is none": b"From: a@b.example\nDate: Mon, 99 Foo 20210 99:99 +9999\n\nfound text",
    "a huge year": b"From: a@b.example\nDate: 1 Jan 99999999999999999999 00:00:00 +0000\n\nfound text",
    "nothing but a header": b"From: a@b.example\nSubject: x\n",
    "uuencoded": b"From: a@b.example\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n*9F]U;F0@=&5X=```\n`\nend\n",
    "content type nonsense": b"From: a@b.example\nContent-Type: ;;;/\n\nfound text",
}  # fmt: skip


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_bad_mail_gives_text_or_a_named_problem(data: bytes) -> None:
    article = read(data, "message/rfc822", "a.eml")
    assert article.problem is None or article.problem.startswith("no-text")
    if b"found" in data:
        assert "found text" in article.text
    assert article.published is None


def test_the_date_of_receipt_stands_in_for_a_date_that_is_none() -> None:
    data = b"Received: by x; Fri, 10 Dec 2010 19:20:19 -0800 (PST)\nDate: soon\nFrom: a@b.example\n\ntext"
    article = read(data, "message/rfc822")
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2010-12-10", "mail:Received")


def test_encrypted_letters_and_letters_of_files_alone_are_named() -> None:
    data = b"From: a@b.example\nContent-Type: multipart/encrypted; boundary=x\n\n--x\nContent-Type: application/pgp-encrypted\n\nv\n--x--"
    assert read(data, "message/rfc822").problem == "encrypted: mail"
    message = EmailMessage()
    message["From"] = "a@b.example"
    message.set_content(b"%PDF-1.7", "application", "pdf", filename="a.pdf")
    assert read(bytes(message), "message/rfc822").problem == "no-text: a letter with attachments only"


def test_attachments_are_all_parts_that_are_not_read() -> None:
    message = letter(body="See below.")
    message.add_alternative("<p>See below, or <b>here</b>.</p>", subtype="html")
    html = message.get_body(("html",))
    assert isinstance(html, MIMEPart)
    html.add_related(b"\x89PNG", "image", "png", cid="<logo>")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="../گزارش.pdf")
    message.add_attachment(letter(subject="within", body="A letter within."))
    attached = open_letter(parse(bytes(message))).attached
    assert [(p.media_type, p.file_name) for p in attached] == [
        ("image/png", ""), ("application/pdf", "گزارش.pdf"), ("message/rfc822", ""),
    ]  # fmt: skip
    assert attached[1].body() == b"%PDF-1.7" and b"A letter within." in attached[2].body()
    assert read(bytes(message)).said["mail:attachments"] == "part 1.2.2, گزارش.pdf, part 3"


def test_parts_are_those_that_the_standard_library_finds() -> None:
    message = letter(body="one")
    message.add_alternative("<p>two</p>", subtype="html")
    for n in range(5):
        message.add_attachment(
            base64.b64encode(bytes([n]) * 100), maintype="application", subtype="x", filename=f"{n}.bin"
        )
    peers = [p.get_payload(decode=True) for p in message.walk() if not p.is_multipart()]
    assert [part.body().rstrip(b"\n") for part in leaves(parse(bytes(message)))] == [p.rstrip(b"\n") for p in peers]


@pytest.mark.parametrize(
    "data",
    [
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 200_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(5_000)),
        b"From: a@b.example\nContent-Type: text/plain; " + b'a=";' * 300_000 + b"\n\ntext",
        b"From: " + b"<" * 500_000 + b"\nDate: x\n\ntext",
        b"Subject: " + b"=?utf-8?q?a?= " * 50_000 + b"\nFrom: a\n\ntext",
        b"a: b\n" * 300_000,
        b"From: a@b.example\n" + b" \n\t\n" * 100_000 + b"\n\ntext",
    ],
    ids=["many parts", "deep parts", "a parameter without end", "brackets", "words", "fields", "blanks"],
)
def test_hostile_letters_take_no_time(data: bytes) -> None:
    begun = time.process_time()
    root = parse(data)
    assert sum(1 for _ in leaves(root)) <= MAX_PARTS + 1
    read(data, "message/rfc822", "a.eml")
    assert time.process_time() - begun < 3


def mhtml(page: bytes = html_page(article_html()), head: str = "") -> bytes:
    return (
        f"From: <Saved by Blink>\r\n{head}Subject: A page\r\nDate: Sun, 2 Jan 2022 10:00:00 +0100\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/related; type="text/html"; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n'
        "Content-Transfer-Encoding: base64\r\nContent-Location: https://harbour.example/a\r\n\r\n"
    ).encode() + base64.encodebytes(page) + b"\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n"  # fmt: skip


def test_a_saved_page_is_cleaned_as_the_page_that_it_is() -> None:
    article = read(
        mhtml(head="Snapshot-Content-Location: https://harbour.example/a\r\n"), "multipart/related", "a.mhtml"
    )
    assert (article.title, article.text) == (HEADLINE, "\n".join(PARAGRAPHS))
    assert article.published is None  # the day of saving is no date of the article
    assert article.said == {
        "mhtml:saved-at": "2022-01-02T10:00:00+01:00", "mhtml:saved-by": "<Saved by Blink>",
        "mhtml:saved-from": "https://harbour.example/a",
    }  # fmt: skip
    assert read(mhtml()).text == article.text


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"From: a@b.example\nDate: Mon, 1 Jan 2021 00:00:00 +0000\nSubject: x\n\ntext", "mail"),
        (b"Received: x\n\tby y\nReceived: z\nSubject: x\nMIME-Version: 1.0\n\ntext", "mail"),
        (b"From: the harbour\nThe crews of all nine ferries voted.\n", "text"),
        (b"Subject: matter\nof some: importance\n\nto: all", "text"),
        (b"Date: 2 May 2021\nTitle: x\n\ntext", "text"),
        (b"<html><p>From: a\nTo: b\nDate: c", "html"),
    ],
)
def test_letters_are_told_by_their_headers(data: bytes, kind: str) -> None:
    assert sniff(data, "text/plain", "a.txt") == kind


def test_nothing_reads_a_picture_as_a_letter() -> None:
    with pytest.raises(NoText, match="PNG"):
        sniff(b"\x89PNG\r\n\x1a\n", "message/rfc822", "a.eml")
