"""The demonstration's newspapers: who they are, what they wrote, and how each lays out a page. No network.

Every story, name, town and organisation is invented. A story is `articles/HOST/NAME.md`: TOML between two
lines of `+++`, then paragraphs. `second-edition/` holds the story that changes without saying so. Each paper
has a template, an encoding and a way of writing dates of its own, because real sites do.
"""

from __future__ import annotations

import html
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent

ENGLISH = "January|February|March|April|May|June|July|August|September|October|November|December"
FRENCH = "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
LEVANTINE = "كانون الثاني|شباط|آذار|نيسان|أيار|حزيران|تموز|آب|أيلول|تشرين الأول|تشرين الثاني|كانون الأول"
JALALI = "فروردین|اردیبهشت|خرداد|تیر|مرداد|شهریور|مهر|آبان|آذر|دی|بهمن|اسفند"
PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


def _month(names: str, number: int) -> str:
    return names.split("|")[number - 1]


def _by_months(names: str) -> Callable[[str], str]:
    """A writer of ISO dates of any precision ("2014", "2014-03", "2014-03-02") with the months' `names`."""

    def write(iso: str) -> str:
        year, month, day = ([int(part) for part in iso.split("-")] + [0, 0])[:3]
        return " ".join(filter(None, (str(day or ""), _month(names, month) if month else "", str(year))))

    return write


def _posted(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day:%A, %B} {day.day}, {day.year}"


def jalali(day: date) -> tuple[int, int, int]:
    """Year, month and day in the Solar Hijri calendar, by its 33-year cycle (right for 1799 to 2256)."""
    days = day.toordinal() - date(1600, 3, 20).toordinal()
    cycles, days = divmod(days, 12053)
    fours, days = divmod(days, 1461)
    year = 979 + 33 * cycles + 4 * fours
    if days >= 366:
        years, days = divmod(days - 1, 365)
        year += years
    month, day_of_month = divmod(days, 31) if days < 186 else divmod(days - 186, 30)
    return year, month + (1 if days < 186 else 7), day_of_month + 1


def _in_jalali(iso: str) -> str:
    year, month, day = jalali(date.fromisoformat(iso))
    return f"{day} {_month(JALALI, month)} {year}".translate(PERSIAN_DIGITS)


@dataclass(frozen=True, slots=True)
class Paper:
    """One host and its habits. `declared` says whether the Content-Type header names the charset."""

    host: str
    name: str
    language: str
    write_date: Callable[[str], str]
    charset: str = "utf-8"
    declared: bool = True
    streamed: bool = False  # gzip inside chunked transfer coding
    disallow: str = ""
    headers: tuple[tuple[str, str], ...] = ()


PAPERS = (
    Paper(
        "tidewater-courier.example",
        "Tidewater Courier",
        "en",
        _by_months(ENGLISH),
        headers=(("Set-Cookie", "consent=unset; Path=/"), ("Set-Cookie", "edition=morning; Path=/")),
    ),
    Paper("north-valley-monitor.example", "North Valley Monitor", "en", _posted, "iso-8859-1", declared=False),
    Paper("rights-observer.example", "Rights Observer", "en", _by_months(ENGLISH), disallow="/members/"),
    Paper("payam-shahr.example", "پیام شهر", "fa", _in_jalali, streamed=True),
    Paper("asnad-baz.example", "اسناد باز", "fa", _in_jalali, declared=False),
    Paper("sawt-alwadi.example", "صوت الوادي", "ar", _by_months(LEVANTINE), "windows-1256", declared=False),
    Paper("la-gazette-du-port.example", "La Gazette du port", "fr", _by_months(FRENCH)),
)


@dataclass(frozen=True, slots=True)
class Story:
    """One article as written; `published` is an ISO date as long as its precision ("2014", "2014-03", …)."""

    paper: Paper
    path: str
    title: str
    authors: tuple[str, ...]
    published: str
    section: str
    caption: str | None
    paragraphs: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"http://{self.paper.host}{self.path}"


def read_story(file: Path) -> Story:
    """The story in `articles/HOST/NAME.md`."""
    _, head, body = file.read_text("utf-8").split("+++\n", 2)
    facts = tomllib.loads(head)
    return Story(
        paper=next(paper for paper in PAPERS if paper.host == file.parent.name),
        path=facts["path"],
        title=facts["title"],
        authors=tuple(facts["authors"]),
        published=facts["published"],
        section=facts["section"],
        caption=facts.get("caption"),
        paragraphs=tuple(body.strip().split("\n\n")),
    )


def read_edition(number: int) -> tuple[Story, ...]:
    """All stories of an edition, by paper in the order of PAPERS, then newest first."""
    files = {file.relative_to(HERE / "articles"): file for file in HERE.glob("articles/*/*.md")}
    if number == 2:
        files |= {file.relative_to(HERE / "second-edition"): file for file in HERE.glob("second-edition/*/*.md")}
    stories = sorted((read_story(file) for file in files.values()), key=lambda s: s.published, reverse=True)
    return tuple(sorted(stories, key=lambda story: PAPERS.index(story.paper)))


def _template(name: str) -> Template:
    return Template((HERE / "templates" / f"{name}.html").read_text("utf-8"))


def list_links(stories: tuple[Story, ...]) -> str:
    items = (f'<li><a href="{html.escape(s.path)}">{html.escape(s.title)}</a></li>' for s in stories)
    return f"<ul>{''.join(items)}</ul>"


def render_story(story: Story, siblings: tuple[Story, ...]) -> str:
    place = siblings.index(story)
    summary = story.paragraphs[0].split(". ")[0]
    json_ld = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": story.title,
        "datePublished": f"{story.published}T06:30:00Z",
        "author": [{"@type": "Person", "name": name} for name in story.authors],
        "publisher": {"@type": "NewsMediaOrganization", "name": story.paper.name},
        "mainEntityOfPage": story.url,
    }
    fields = {
        "title": story.title,
        "byline": ", ".join(story.authors),
        "when": story.paper.write_date(story.published),
        "iso": story.published,
        "section": story.section,
        "url": story.url,
        "description": summary,
    }
    caption = f"<figcaption>{html.escape(story.caption or '', quote=False)}</figcaption>"
    return _template(story.paper.host).substitute(
        {name: html.escape(value) for name, value in fields.items()},
        body="\n".join(f"<p>{html.escape(text, quote=False)}</p>" for text in story.paragraphs),
        figure=f'<figure><img src="/photo.svg" alt="">{caption}</figure>' if story.caption else "",
        related=list_links((siblings[place + 1 :] + siblings[:place])[:3]),
        json_ld=json.dumps(json_ld, ensure_ascii=False),
    )


def render_feed(paper: Paper, stories: tuple[Story, ...]) -> str:
    """An RSS 2.0 feed of the paper's newest stories."""
    items = "".join(
        f"<item><title>{html.escape(s.title)}</title><link>{html.escape(s.url)}</link></item>" for s in stories[:3]
    )
    return f'<rss version="2.0"><channel><title>{html.escape(paper.name)}</title>{items}</channel></rss>\n'


def render_sitemap(stories: tuple[Story, ...]) -> str:
    """A sitemap of all of a paper's stories; `lastmod` is as exact as the date of publication is known."""
    urls = "".join(f"<url><loc>{html.escape(s.url)}</loc><lastmod>{s.published}</lastmod></url>" for s in stories)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>\n'


def render_plain(paper: Paper, title: str, body: str) -> str:
    direction = "rtl" if paper.language in ("fa", "ar") else "ltr"
    return _template("plain").substitute(
        language=paper.language, direction=direction, charset=paper.charset, title=title, body=body
    )
