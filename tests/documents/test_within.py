"""What holds many captures: mailboxes as streams, attachments of their own, and how all of it stands in an archive."""

from __future__ import annotations

import shutil
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muniment import pipeline
from muniment.adding import Added, AddOptions
from muniment.archive.archive import Archive
from muniment.errors import UploadError, UsageError
from muniment.ingest import attachments
from muniment.ingest.documents.mime import MAX_PARTS
from muniment.ingest.ocr import check_ocr, recognise
from muniment.ingest.opening import Opened, open_target
from muniment.ingest.upload import Target
from muniment.model import Attempt, Capture, Declared, sha256
from muniment.rederiving import Rederived, rederive
from tests.documents.builders import docx, letter, paragraph, scanned_pdf
from tests.documents.test_texts import single_file

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ENVELOPE = b"From ann@harbour.example Mon May 31 23:30:00 2021\n"


def no_fetcher():
    raise AssertionError("nothing is fetched here")


def opened(content: bytes | Path, max_size: int = 1 << 20, **declared) -> list[Opened]:
    said = Declared(**declared)
    if isinstance(content, Path):
        return list(open_target(Target(content.name, path=content, declared=said), NOW, max_size))
    return list(open_target(Target("-", content=content, declared=said), NOW, max_size))


def capture(found: Opened) -> Capture:
    assert isinstance(found.outcome, Capture), found
    return found.outcome


def facts(found: Opened) -> dict[str, str]:
    return dict(capture(found).facts)


def letters(count: int) -> list[bytes]:
    return [
        bytes(letter(subject=f"Letter {n}", id=f"<{n}@x>", body=f"Text {n}.\n>From the sea.")) for n in range(count)
    ]


def mailbox(contents: list[bytes]) -> bytes:
    return b"".join(ENVELOPE + content + b"\n" for content in contents)


def with_attachments(**fields: str) -> bytes:
    message = letter(**fields)
    document = docx(paragraph("The votes, by boat."))
    message.add_attachment(document, maintype="application", subtype="octet-stream", filename="votes.docx")
    message.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="a.png")
    message.add_attachment("قایق‌ها".encode("windows-1256", "ignore"), maintype="text", subtype="plain", filename="note.txt",
                           params={"charset": "windows-1256"})  # fmt: skip
    inner = letter(subject="Within", id="<in@x>", body="A letter within a letter.")
    inner.add_attachment(b"{\\rtf1 deep}", maintype="application", subtype="rtf", filename="deep.rtf")
    message.add_attachment(inner)
    return bytes(message)


def test_each_letter_of_a_mailbox_is_a_capture_of_its_own_bytes(tmp_path: Path) -> None:
    contents = letters(3)
    (tmp_path / "mail").write_bytes(mailbox(contents))
    found = opened(tmp_path / "mail", source="Harbour", tags=("x",))
    assert [o.name for o in found] == ["mail #1", "mail #2", "mail #3"]
    data = (tmp_path / "mail").read_bytes()
    for n, one in enumerate(found):
        assert capture(one).body == contents[n] and capture(one).media_type == "message/rfc822"
        assert capture(one).uri.startswith("ni:///sha-256;")
        assert facts(one)["partOf"] == (tmp_path / "mail").as_uri() and facts(one)["partNumber"] == str(n + 1)
        assert data[int(facts(one)["partOffset"]) :].startswith(contents[n])
        assert facts(one)["envelope"] == ENVELOPE.decode().strip()
        assert one.declared == Declared(source="Harbour", tags=("x",))
    assert [o.outcome for o in opened(data)] and len(opened(data)) == 3


@pytest.mark.parametrize("declared", [{"url": "https://a.example/"}, {"title": "x"}, {"published": "2021"}])
def test_what_names_one_item_declares_no_mailbox(declared: dict[str, str]) -> None:
    with pytest.raises(UploadError, match="a mailbox holds many letters"):
        opened(mailbox(letters(2)), **declared)


def test_a_letter_over_the_limit_is_named_with_its_place_and_the_rest_go_on() -> None:
    contents = letters(3)
    contents[1] += b"long " * 1000 + b"\n"
    first, second, third = opened(mailbox(contents), max_size=3000)
    assert isinstance(second.outcome, Attempt) and second.outcome.reason == "too-large"
    at = len(ENVELOPE) * 2 + len(contents[0]) + 1
    assert second.outcome.detail == f"letter 2 at byte {at}: {len(contents[1]) + 1} bytes; the limit is 3000"
    assert (capture(first).body, capture(third).body) == (contents[0], contents[2])


def test_a_mailbox_streams(tmp_path: Path) -> None:
    one = ENVELOPE + bytes(letter(body="line\n" * 2_000)) + b"\n"
    with (tmp_path / "large.mbox").open("wb") as file:
        for _ in range(100):
            file.write(one)
    tracemalloc.start()
    count = sum(1 for _ in open_target(Target("m", path=tmp_path / "large.mbox"), NOW, 1 << 20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100 and peak < 300_000


def test_lines_that_only_look_like_envelopes_part_nothing() -> None:
    content = b"From: a@b.example\nSubject: x\nDate: y\n\nFrom here on\n\nFrom there, we sail.\n"
    assert [capture(o).body for o in opened(ENVELOPE + content)] == [content]


def test_attachments_are_captures_that_say_what_they_are_part_of() -> None:
    data = with_attachments()
    found = opened(data, title="Declared", source="Harbour", authors=("Ann",), tags=("x",))
    assert [o.name for o in found] == [
        "-", "-: votes.docx", "-: a.png", "-: note.txt", "-: part 5", "-: part 5: deep.rtf",
    ]  # fmt: skip
    assert [o.is_article for o in found] == [True, True, False, True, True, True]
    root = capture(found[0])
    assert root.body == data and found[0].declared is None
    assert {o.declared for o in found[1:]} == {Declared(source="Harbour", tags=("x",))}
    assert facts(found[1]) | {"client": ""} == {
        "fileName": "votes.docx", "partOf": root.uri, "partOf-digest": root.payload, "partNumber": "2", "client": "",
    }  # fmt: skip
    assert capture(found[1]).body == docx(paragraph("The votes, by boat.")) and capture(found[1]).payload == sha256(
        capture(found[1]).body
    )
    assert capture(found[1]).media_type.endswith("wordprocessingml.document")
    assert facts(found[3])["charset"] == "windows-1256"
    assert facts(found[5])["partOf"] == capture(found[4]).uri


def test_letters_in_letters_end_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MAX_NESTED", 2)
    message = letter(subject="0")
    for n in range(5):
        around = letter(subject=str(n))
        around.add_attachment(message)
        message = around
    found = opened(bytes(message))
    assert [isinstance(o.outcome, Attempt) for o in found] == [False, False, False, True]
    assert isinstance(found[-1].outcome, Attempt) and found[-1].outcome.reason == "too-deep"


def parts(*headers: bytes) -> bytes:
    head = b"From: a@x.example\r\nDate: Mon, 01 Jan 2024 10:00:00 +0100\r\nMessage-ID: <1@x>\r\n"
    body = b"".join(b"--b\r\n%s\r\n\r\nx%d\r\n" % (header, n) for n, header in enumerate(headers))
    return head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body + b"--b--\r\n"


def test_that_a_letter_has_more_parts_than_are_taken_apart_is_said() -> None:
    found = opened(parts(*[b"Content-Type: application/x"] * (MAX_PARTS + 5)))
    said = [one.outcome.reason for one in found if isinstance(one.outcome, Attempt)]
    assert said == ["too-many-parts"] and len(found) == MAX_PARTS + 2


def test_letters_made_to_take_long_do_not() -> None:
    """All of this is read outside of the limited workers; each took minutes."""
    begun = time.process_time()
    opened(parts(*[b"Content-Type: application/x; " + b'a="b;\\"";' * 800] * 300), 1 << 26)
    opened(parts(*[b"Content-Disposition: attachment; " + b"; x=" * 2000] * 300), 1 << 26)
    opened(parts(*[b'Content-Disposition: attachment; filename="' + b"=?utf-8?q?a?= " * 600 + b'"'] * 300), 1 << 26)
    opened(parts(b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 20_000_000), 1 << 26)
    assert time.process_time() - begun < 10


def test_a_saved_page_has_its_origin_among_its_facts() -> None:
    (found,) = opened(single_file(256))
    assert facts(found)["savedFrom"] == "https://harbour.example/2021/05/30/vote"
    assert facts(found)["savedAt"] == "2022-01-03T10:37:56+01:00" and facts(found)["savedBy"] == "SingleFile"
    assert capture(found).body == single_file(256)


def add(root: Path, *paths: Path, **options) -> list[Added]:
    targets = [Target(path.name, path=path) for path in paths]
    with Archive(root) as archive:
        return list(pipeline.add(archive, targets, no_fetcher, AddOptions(processes=1, **options)))


def test_all_of_it_stands_in_the_archive_and_comes_out_the_same(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(with_attachments())
    (tmp_path / "b.mbox").write_bytes(mailbox([*letters(2), with_attachments(id="<other@x>")]))
    (tmp_path / "c.pdf").write_bytes(scanned_pdf(12))
    added = add(root, tmp_path / "a.eml", tmp_path / "b.mbox", tmp_path / "c.pdf")
    states = {a.target: (a.state, a.problem) for a in added}
    assert states["a.eml: votes.docx"] == ("stored", None) and states["a.eml: a.png"] == ("stored", None)
    assert states["b.mbox #1"] == ("stored", None) and states["b.mbox #3: votes.docx"] == ("unchanged", None)
    assert states["c.pdf"] == ("stored", "no-text: scanned, 12 pages")
    assert {a.state for a in add(root, tmp_path / "a.eml", tmp_path / "b.mbox")} == {"unchanged"}
    with Archive(root) as archive:
        found = pipeline.find(archive, pipeline.Search('"votes by boat"'))
        assert [hit.snapshot.media_type.rpartition(".")[2] for hit in found.hits] == ["document"]
        held = found.hits[0].snapshot
        article = archive.article(held)
        assert article is not None and article.extractor == "muniment-docx/3"
        (mail,) = pipeline.find(archive, pipeline.Search('title:"letter 1"')).hits
        assert (mail.snapshot.published, mail.snapshot.authors) == ("2021-05-31", ("Ann Example",))
        told = Rederived()
        assert list(rederive(archive, told, processes=1)) == [] and told.compared >= 8


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_scanned_pages_are_recognised_where_that_is_asked_for(root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(scanned_pdf(1, *_picture_of("HARBOUR CLOSED")))
    (before,) = add(root, tmp_path / "a.pdf")
    assert before.problem == "no-text: scanned, 1 page"
    (after,) = add(root, tmp_path / "a.pdf", ocr="eng")
    assert (after.state, after.snapshot, after.problem) == ("stored", before.snapshot, None)
    with Archive(root) as archive:
        (held,) = archive.catalog.snapshots([before.snapshot or 0])
        article = archive.article(held)
        assert article is not None and "HARBOUR CLOSED" in article.text
        assert article.extractor == "muniment-ocr/3" and "tesseract" in article.settings["recognised by"]


def _picture_of(text: str) -> tuple[list[bytes], int]:
    """(rows of one bit a dot, width) of a text in large letters, drawn by PDFium."""
    import pypdfium2

    from tests.documents.builders import text_pdf

    bitmap = pypdfium2.PdfDocument(text_pdf([[(60, 700, 50, text)]]))[0].render(scale=1, grayscale=True)
    width = bitmap.width // 8 * 8
    rows = []
    for y in range(bitmap.height):
        row = bytes(bitmap.buffer[y * bitmap.stride : y * bitmap.stride + width])
        rows.append(bytes(sum((row[x + k] > 127) << (7 - k) for k in range(8)) for x in range(0, width, 8)))
    return rows, width


@pytest.mark.parametrize("languages", ["a.pdf", "", "eng;rm", "../eng", "-x"])
def test_what_is_no_language_is_refused(languages: str) -> None:
    with pytest.raises(UsageError, match="--ocr"):
        check_ocr(languages)


def test_a_machine_without_tesseract_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs the program tesseract"):
        check_ocr("eng")


def test_a_program_that_fails_is_a_named_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert recognise(scanned_pdf(1), "eng") == ("", "SubprocessError: tesseract ended with 7")
    assert recognise(b"no PDF", "eng")[1].startswith("PdfiumError")
