"""PDF: paragraphs from lines, what the file says of itself, scanned pages by name, and nothing hostile gets far."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muniment.ingest.clean import CleanJob
from muniment.ingest.clean.workers import Workers
from tests.documents.builders import encrypted_pdf, pdf, read, scanned_pdf, stream, text_pdf, wide_pdf
from tests.ingest_clean.clean_pages import CAPTURED

FIRST = [
    "The crews of all nine harbour ferries voted on Sunday to stop",
    "work from the first of the month, after talks with the port over",
    "night shifts ended without a result.",
]
SECOND = ["A spokesman said that the offer on the table was the best in", "a decade, and that boats would sail."]


def lines(texts: list[str], top: float, size: float = 11, left: float = 72) -> list[tuple[float, float, float, str]]:
    return [(left, top - n * size * 1.2, size, text) for n, text in enumerate(texts)]


def article_pages() -> list[list[tuple[float, float, float, str]]]:
    head = [(72, 760, 9, "Harbour Review")]
    return [
        [
            *head,
            (72, 700, 24, "Ferry crews vote to strike"),
            *lines(FIRST, 660),
            *lines(SECOND, 600),
            (300, 30, 9, f"Page {n}"),
        ]
        if n == 1
        else [
            *head,
            *lines([f"Paragraph {n} stands alone on this page of the report."], 700),
            (300, 30, 9, f"Page {n}"),
        ]
        for n in range(1, 5)
    ]


def test_lines_become_paragraphs_and_the_pages_own_lines_go() -> None:
    article = read(text_pdf(article_pages()), name="a.pdf")
    assert article.problem is None and article.extractor == "muniment-pdf/3"
    assert article.title == "Ferry crews vote to strike" and article.origins["title"] == "pdf:largest-line"
    assert article.text.split("\n") == [
        " ".join(FIRST),
        " ".join(SECOND),
        *(f"Paragraph {n} stands alone on this page of the report." for n in (2, 3, 4)),
    ]
    dropped = {d.text: d.reason for d in article.dropped}
    assert dropped["Harbour Review"] == dropped["Page 1"] == "page-line"
    assert dropped["Ferry crews vote to strike"] == "repeated-headline"


def test_what_the_file_says_of_itself_is_taken_with_its_origin() -> None:
    info = {"Title": "گزارش بندر", "Author": "Ann Example; Bo Example", "CreationDate": "D:20210531233000+04'30'",
            "ModDate": "D:20220101"}  # fmt: skip
    article = read(text_pdf([lines(FIRST, 700)], info))
    assert (article.title, article.authors) == ("گزارش بندر", ("Ann Example", "Bo Example"))
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2021-05-31", "pdf:CreationDate")
    assert article.said["pdf:CreationDate"] == "2021-05-31T23:30:00+04:30"
    assert article.said["pdf:ModDate"] == "2022-01-01" and article.said["pdf:pages"] == "1"


@pytest.mark.parametrize(
    ("made", "changed", "updated"),
    [
        ("D:20210530100000+02'00'", "D:20210601090000+02'00'", ("2021-06-01", "2021-06-01T09:00:00+02:00")),
        ("D:20210530100000+02'00'", "D:20210530153000+02'00'", ("2021-05-30", "2021-05-30T15:30:00+02:00")),
        ("D:20210530100000+02'00'", "D:20210530100007+02'00'", None),
        ("D:20210530100000+02'00'", "D:20210530100000+02'00'", None),
        ("D:20210530100000+02'00'", "D:20210529100000+02'00'", None),
        ("D:20210530", "D:20210530", None),
        ("D:20210530", "D:20220101", ("2022-01-01", "")),
        ("D:20210530", "D:19700101000000Z", None),
        ("D:20210530", "D:20990101", None),
    ],
)
def test_the_date_of_the_last_change_is_kept_where_it_is_another(made: str, changed: str, updated: object) -> None:
    info = {"Title": "Harbour report", "CreationDate": made, "ModDate": changed}
    article = read(text_pdf([lines(FIRST, 700)], info))
    assert article.published is not None and article.published.date == "2021-05-30"
    assert (article.updated and (article.updated.date, article.updated.stated)) == updated
    if article.updated:
        assert article.updated.origin == article.origins["updated"] == "pdf:ModDate"
    if "T" in made or len(made) > 12:
        assert article.published.stated == "2021-05-30T10:00:00+02:00"


@pytest.mark.parametrize("stored", ["Microsoft Word - draft.doc", "untitled", "report_final.indd", "Document1", " "])
def test_a_title_that_a_program_made_up_is_none(stored: str) -> None:
    page = [(72, 700, 24, "Ferry crews vote to strike"), *lines(FIRST + SECOND, 660)]
    assert read(text_pdf([page], {"Title": stored, "Author": "user"})).title == "Ferry crews vote to strike"
    assert read(text_pdf([page], {"Title": stored, "Author": "user"})).authors == ()


def test_a_date_line_in_the_text_comes_before_the_date_of_the_file() -> None:
    page = [(72, 700, 24, "Ferry crews vote to strike"), (72, 670, 9, "30 May 2021"), *lines(FIRST + SECOND, 640)]
    article = read(text_pdf([page], {"CreationDate": "D:20220202"}))
    assert article.published is not None
    assert (article.published.date, article.published.origin) == ("2021-05-30", "text:date-line")


@pytest.mark.parametrize("stated", ["D:19700101000000Z", "D:19800101", "D:20991231", "D:20211399", "yesterday", ""])
def test_a_date_that_cannot_be_is_none(stated: str) -> None:
    assert read(text_pdf([lines(FIRST, 700)], {"CreationDate": stated})).published is None


def test_hyphenated_words_and_ligatures_are_whole() -> None:
    page = lines(
        ["The harbour master was not avail-", "able for comment on Monday, and the of-", "fice stayed closed."], 700
    )
    text = read(text_pdf([page])).text
    assert "available for comment" in text and "office stayed" in text
    assert read(wide_pdf(["the o\ufb03ce is \ufb01ne"])).text == "the office is fine"


def test_persian_comes_out_in_logical_order_with_letters_and_not_shapes() -> None:
    said = "بندر بسته است"
    shaped = (
        "\ufe91\ufee8\ufeaa\ufead \ufe91\ufeb4\ufe98\ufeea \ufe8d\ufeb3\ufe96"  # the same, by the shapes of its letters
    )
    assert read(wide_pdf([shaped[::-1]])).text == said  # drawn from left to right, as a typesetter leaves it


def test_a_non_joiner_that_the_document_has_stays() -> None:
    said = "می\u200cخواهم رأی بدهم"
    assert read(wide_pdf([said[::-1]])).text == said


def test_scanned_pages_are_named_as_such() -> None:
    assert read(scanned_pdf(12)).problem == "no-text: scanned, 12 pages"
    assert read(scanned_pdf(1)).problem == "no-text: scanned, 1 page"
    assert read(text_pdf([[]])).problem == "no-text: 1 page, none with text or pictures"


def test_an_encrypted_file_is_named_as_such() -> None:
    assert read(encrypted_pdf(b"secret")).problem == "encrypted: PDF"
    assert read(encrypted_pdf(b"")).problem != "encrypted: PDF"  # anybody may open it


def catalog(*rest: bytes) -> bytes:
    return pdf([b"<</Type /Catalog /Pages 2 0 R>>", *rest])


HOSTILE = {
    "cut": text_pdf([lines(FIRST, 700)])[:300],
    "no objects": b"%PDF-1.7\nnothing at all",
    "a million pages": catalog(b"<</Type /Pages /Count 1000000 /Kids [3 0 R]>>", b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]>>"),
    "pages within themselves": catalog(b"<</Type /Pages /Count 5 /Kids [2 0 R 2 0 R 2 0 R 2 0 R 2 0 R]>>"),
    "negative pages": catalog(b"<</Type /Pages /Count -7 /Kids [9 0 R]>>"),
    "a form within itself": catalog(
        b"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources <</XObject <</X 5 0 R>>>>>>",
        stream(b"/X Do"),
        stream(b"/X Do /X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</X 5 0 R>>>>"),
    ),
    "a length that refers to itself": catalog(b"<</Type /Pages /Count 1 /Kids [3 0 R]>>", b"<</Length 3 0 R>>\nstream\nx\nendstream"),
}  # fmt: skip


def test_hostile_files_have_named_problems() -> None:
    job = CleanJob(b"", "application/pdf", CAPTURED, file_name="a.pdf")
    with Workers(1, timeout=1.0) as workers:
        futures = {name: workers.submit(replace(job, payload=data)) for name, data in HOSTILE.items()}
        problems = {name: future.result().problem or "" for name, future in futures.items()}
    assert problems.pop("a form within itself") in ("extraction-timeout", "extraction-memory", "extraction-crashed")
    assert all(problem.startswith(("no-text", "broken: PDF")) for problem in problems.values()), problems


def test_bytes_before_the_header_and_a_wrong_type_are_no_obstacle() -> None:
    data = text_pdf([lines(FIRST, 700)])
    assert read(b"\r\n\r\n" + data, "text/html", "a.html").extractor == "muniment-pdf/3"
    assert read(b"junk\n" + data, "application/pdf").text == " ".join(FIRST)


def test_documents_are_read_in_the_limited_workers() -> None:
    job = CleanJob(text_pdf([lines(FIRST, 700)]), "application/pdf", CAPTURED)
    with Workers(1) as workers:
        article, hostile = workers.submit(job), workers.submit(replace(job, payload=HOSTILE["a million pages"]))
        assert article.result().text == " ".join(FIRST)
        assert article.result().said["pdf:pages"] == "1"
        assert hostile.result().problem is not None
