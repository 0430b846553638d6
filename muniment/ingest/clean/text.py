"""Plain text to findings: every line is labelled, none is rewritten.

An article that was copied or flattened out of a page carries the page's chrome: the visit's date, a breadcrumb glued
to the headline, the headline again, captions and share buttons between the paragraphs. The longest run of prose is
the article; what stands above, inside and below it is told apart by its wording and place:

    Monday, March 2, 2020                          banner-date (the visit's, so not the article's)
    HomeNewsHarbourFerry Crews Vote To Strike      breadcrumb, repeated-headline
    Ferry Crews Vote To Strike                     the title
    By Ann Example                                 byline, and an author
    The crews of all nine ferries voted …          text
    VIDEO: the vote in the harbour hall            caption
    Share on Facebook                              share-line
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from muniment.ingest.clean import dates, headline
from muniment.ingest.clean.glued import unglue
from muniment.ingest.clean.job import CleanJob, Findings
from muniment.ingest.clean.phrases import BOILERPLATE, BYLINE, CAPTION, COMMENTED, COMMENTS, SHARE
from muniment.model import Dropped, Published

_ENDS = tuple(".!?…”\"'»)。！？۔؟:;؛]")
_GLUE = re.compile(r"(?<=[a-zß-öø-ÿ0-9)’])(?=[A-ZÀ-ÖØ-Þ])|\s*[>»›→|]\s*|\s+::\s+|\s+/\s+")
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_DATED_END = re.compile(r"\s[-–—]\s+(?:\w+\.?\s+)?(?:\d{1,2},?\s+)?\d{4}$")
_LINE_END = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")
_ARTICLE = 120  # words of prose above a heading that may begin the comments
_NOTICE = 0.35  # share of the prose that may stand above the headline
_PAGE = ("share-line", "boilerplate")  # chrome that only a page has
_DIGIT = re.compile(r"\d")
_FEW = 3  # more stray lines than this above the prose are a page's menu
_PERSIAN = re.compile("[پچژگی]")


@dataclass(slots=True)
class Line:
    """One paragraph of the file; `label` is "text", "title", or the reason why it is left out."""

    text: str
    words: int
    prose: bool
    chrome: str = ""
    label: str = ""
    parts: tuple[Dropped, ...] = ()


def clean_text(source: str, job: CleanJob) -> Findings:
    """Everything that can be found in a plain text, before declarations win over it."""
    lines = [_line(piece) for p in paragraphs(source) for piece in unglue(p)]
    end = _comments(lines)
    start, stop = _prose_run(lines[:end])
    title = _headline(lines, start) if stop else _first_line(lines)
    if title is not None and start <= title < stop and _is_notice(lines, title):
        start = title + 1
    for line in lines[end:]:
        line.label = "comment"
    _label_repeats(lines, title)
    _label_above(lines, title, start)
    _label_run(lines, start, stop)
    _label_below(lines, stop)
    authors = _authors(lines)
    published = _published(lines, title, job)
    return Findings(
        title=lines[title].text if title is not None else "",
        text="\n".join(line.text for line in lines if line.label == "text"),
        authors=authors,
        published=published,
        captions=tuple(dict.fromkeys(line.text for line in lines if line.label == "caption")),
        dropped=tuple(d for line in lines for d in _dropped(line)),
        origins={
            "title": "" if title is None else f"text:{_repeats(lines)}",
            "text": "text:lines",
            "authors": "text:byline" if authors else "",
            "published": published.origin if published else "",
        },
    )


def paragraphs(source: str) -> list[str]:
    """The text's paragraphs: its lines, or its blocks between blank lines where lines are hard-wrapped."""
    lines = [line.strip() for line in _LINE_END.split(source)]
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    if _is_wrapped(blocks):
        return [" ".join(block) for block in blocks if block]
    return [line for line in lines if line]


def _is_wrapped(blocks: Sequence[Sequence[str]]) -> bool:
    """Whether lines break at a column: several blocks of even lines, none long, few that end a sentence."""
    inner = [line for block in blocks for line in block[:-1]]
    if len(inner) < 4 or max(map(len, inner)) > 100:
        return False
    ending = sum(line.endswith(_ENDS) for line in inner)
    return median(map(len, inner)) >= 45 and ending < len(inner) * 0.4


def _line(text: str) -> Line:
    words = len(text) // 2 if _SPACELESS.search(text) else len(text.split())
    prose = words >= 18 and (text.endswith(_ENDS) or words > 60) and not BOILERPLATE.match(text)
    return Line(text, words, prose, _chrome(text, words))


def _prose_run(lines: Sequence[Line]) -> tuple[int, int]:
    """[start, stop) of the stretch with most prose; a line between that is no prose costs one or two words: lists and
    quotations stand between paragraphs, and a page's menu is longer than that."""
    best = score = start = 0
    run = (0, 0)
    for i, line in enumerate(lines):
        if score <= 0:
            score, start = 0, i
        score += min(line.words, 120) if line.prose else -1 if line.words > 3 else -2
        if score > best and line.prose:
            best, run = score, (start, i + 1)
    first = next((i for i in range(*run) if lines[i].prose), run[0])
    return first, run[1]


def _comments(lines: Sequence[Line]) -> int:
    """Where the readers' comments begin: a heading behind the article, with the signs of a forum below it."""
    signs, prose, found = 0, sum(line.words for line in lines if line.prose), len(lines)
    for i in reversed(range(len(lines))):
        prose -= lines[i].words if lines[i].prose else 0
        if prose < _ARTICLE:
            break
        if signs >= 2 and lines[i].words < 14 and COMMENTS.match(lines[i].text):
            found = i
        signs += lines[i].words < 14 and bool(COMMENTED.match(lines[i].text))
    return found


def _headline(lines: list[Line], start: int) -> int | None:
    """The headline's place; what is glued before it in its line becomes the line's parts.

    Where none is sure, a text without a menu begins with its headline.
    """
    found = headline.find(lines, start)
    if found is None:
        first = _first_line(lines) if start <= _FEW else None
        return first if first is not None and first < start else None
    i, at = found
    glued = lines[i].text
    lines[i] = _line(glued[at:])
    lines[i].parts = tuple(Dropped(crumb, "breadcrumb") for crumb in _crumbs(glued[:at]))
    return i


def _is_notice(lines: Sequence[Line], title: int) -> bool:
    """Whether the prose above a headline is so little that it is a notice (of cookies, of a sale), not the article."""
    prose = [line.words if line.prose else 0 for line in lines]
    return sum(prose[:title]) <= sum(prose) * _NOTICE


def _label_repeats(lines: Sequence[Line], title: int | None) -> None:
    """The lines that are the headline again: alone, behind a breadcrumb, or (above it) before a site's name."""
    own = headline.key(lines[title].text) if title is not None else ""
    if title is None or len(own) < 8:
        return
    for i, line in enumerate(lines):
        again = headline.key(line.text)
        few = i < title or line.words <= lines[title].words + 12  # a paragraph that ends with the headline is text
        longer = len(own) > 12 and (again.endswith(own) or (i < title and again.startswith(f"{own} ")))
        if i != title and few and (again == own or longer):
            line.parts = _split_glued(line.text, lines[title].text)
            line.label = line.parts[0].reason


def _repeats(lines: Sequence[Line]) -> str:
    """How sure the headline is: its line stood there twice, or it is the one that reads most as one."""
    repeated = any(part.reason == "repeated-headline" for line in lines for part in line.parts)
    return "repeated-headline" if repeated else "likeliest-line"


def _first_line(lines: Sequence[Line]) -> int | None:
    """The headline of a text without prose (a poem, a list): its first line, where that reads as one."""
    first = next((i for i, line in enumerate(lines) if not _is_chrome(line.text)), None)
    short = first is not None and lines[first].words <= 30 and not lines[first].text.endswith((".", ":", ","))
    return first if short and len(lines) > 1 else None


def _is_chrome(text: str) -> bool:
    wordings = (SHARE, BOILERPLATE, BYLINE)
    return dates.is_date_line(text) or any(w.match(text) for w in wordings) or bool(CAPTION.search(text))


def _split_glued(line: str, headline: str) -> tuple[Dropped, ...]:
    """The parts of a line that repeats the headline: breadcrumbs before it, the headline, what trails it."""
    at = line.find(headline)
    if at < 0:
        return (Dropped(line, "repeated-headline"),)
    crumbs = [Dropped(crumb, "breadcrumb") for crumb in _crumbs(line[:at])]
    tail = line[at + len(headline) :].strip()
    return (*crumbs, Dropped(headline, "repeated-headline"), *((Dropped(tail, "above-text"),) if tail else ()))


def _crumbs(text: str) -> list[str]:
    return [crumb.strip() for crumb in _GLUE.split(text) if crumb and crumb.strip()]


def _label_above(lines: Sequence[Line], title: int | None, start: int) -> None:
    if title is not None:
        lines[title].label = "title"
    for i, line in enumerate(lines[:start]):
        if line.label:
            continue
        after_title = title is not None and i > title
        line.label = line.chrome
        if line.label == "date-line" and not after_title and not dates.says_published(line.text):
            line.label = "banner-date"
        elif not line.label:
            standfirst = after_title and (line.prose or (line.words >= 6 and not _GLUE.search(line.text)))
            line.label = "text" if standfirst else "above-text"


def _chrome(text: str, words: int) -> str:
    """The label that a line's wording gives it; empty where it gives none."""
    if words < 25 and _DIGIT.search(text) and dates.is_date_line(text):
        return "date-line"
    if words < 16 and SHARE.match(text):
        return "share-line"
    if words < 16 and BOILERPLATE.match(text):
        return "boilerplate"
    if words < 16 and BYLINE.match(text):
        return "byline"
    dated = words < 30 and not text.endswith(_ENDS) and _DATED_END.search(text)
    return "caption" if (words < 30 and CAPTION.search(text)) or dated else ""


def _label_run(lines: Sequence[Line], start: int, stop: int) -> None:
    for line in lines[start:stop]:
        line.label = line.label or line.chrome or "text"


def _label_below(lines: Sequence[Line], stop: int) -> None:
    """Below the prose: a list or a closing line belongs to the article, up to the first sign of a page's chrome."""
    below = [line for line in lines[stop:] if not line.label]
    menu = sum(line.label == "above-text" for line in lines[:stop]) > _FEW
    page = stop > 0 and (menu or any(line.chrome in _PAGE for line in below))
    ended = False
    for i, line in enumerate(below):
        closing = i == 0 and line.words >= 8 and line.text.endswith(_ENDS)
        ended = ended or (page and line.chrome in _PAGE)
        line.label = line.chrome or ("below-text" if ended and not closing else "text")


def _dropped(line: Line) -> tuple[Dropped, ...]:
    """What of a line is left out, and why."""
    return line.parts if line.parts or line.label in ("text", "title") else (Dropped(line.text, line.label),)


def _authors(lines: Sequence[Line]) -> tuple[str, ...]:
    matches = (BYLINE.match(line.text) for line in lines if line.label == "byline")
    return tuple(dict.fromkeys(m[1].strip() for m in matches if m))[:3]


def _published(lines: Sequence[Line], title: int | None, job: CleanJob) -> Published | None:
    """The date of a line that stands between headline and text, or names itself the date of publication."""
    for line in lines:
        if line.label == "date-line" and not (dates.says_updated(line.text) and not dates.says_published(line.text)):
            language = "fa" if _PERSIAN.search(line.text) or _PERSIAN.search(lines[0].text) else None
            if found := dates.parse(line.text, "text:date-line", language=language, latest=job.captured_at.date()):
                return found
    return None
