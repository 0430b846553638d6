"""Synthetic news pages, as heavy as real ones, for the benches: the same seed gives the same bytes.

    python bench/pages.py 1000 FOLDER          page-0000000.html, page-0000001.html, …
    write_pages(folder, 1000, seed=1)          the same, in process

Page `i` depends on the seed and `i` alone, so a corpus of 5,000 is the first quarter of one of 20,000. Words are
made up around real function words (so that languages can be told apart) and drawn by Zipf's law; 3 of 6 articles
are English, and 1 each Persian, Arabic and French. Menus, scripts, styles and footers belong to the source and repeat
on its pages; teasers and comments are the page's own. `make_article` alone gives articles without markup.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

EPOCH = date(2008, 1, 1)
DAYS = 6700  # to the spring of 2026
CONTENT_WORDS = 30_000
ZIPF_SHIFT = 2.7  # Mandelbrot's correction: flattens the head of the curve as in real text


@dataclass(frozen=True, slots=True)
class Language:
    """`words` in order of rank; `draws` holds each as often as Zipf's law has it; `comma` parts clauses."""

    code: str
    words: Sequence[str]
    draws: Sequence[str]
    comma: str

    def draw(self, rng: Random, count: int) -> list[str]:
        return rng.choices(self.draws, k=count)


@dataclass(frozen=True, slots=True)
class Source:
    """A site and the markup that its pages share; one in three tells date and author in the text alone."""

    host: str
    language: Language
    head: str
    top: str
    bottom: str
    has_metadata: bool


@dataclass(frozen=True, slots=True)
class SyntheticArticle:
    """What a perfect cleaner would find in page `number`. `published` is an ISO day."""

    number: int
    source: Source
    url: str
    title: str
    author: str
    published: str
    paragraphs: tuple[str, ...]


FUNCTION_WORDS = {
    "en": "the of and to a in that is was for on it with as he by at from his an were are which this had be not "
    "have their they but one been who has more her said would after its or she about when there two than if over "
    "people year new court water city last against first before",
    "fa": "و در به از که این را با است برای آن یک خود تا بر نیز هم شد بود می\u200cشود کرد شده سال ما پس هر اما دو "
    "باید گفت آنها پیش دیگر همه یا بی کار مردم کشور شهر دادگاه آب گزارش زندان نخست بیش چند میان روز",
    "ar": "في من على إلى أن التي الذي عن مع هذا هذه كان كما بعد قبل بين لم لا ما كل أو ذلك قد حتى منذ خلال عند "
    "وقال كانت أكثر غير أمام عام يوم مدينة المحكمة المياه السجن الناس أول دون حول ثم هو هي",
    "fr": "de la le les et des en un du une que est pour qui dans par plus sur au ne se pas ce il sont avec été son "
    "aux ses mais ou comme cette elle deux leur ont après nous sans même tout ville eau tribunal prison année premier",
}
ALPHABETS = {  # onsets, vowels, codas, endings
    "en": ("b,br,c,d,dr,f,g,h,l,m,n,p,r,s,st,t,th,v,w,", "a,e,i,o,u,ea,ou", ",n,r,l,st,nd,ck,m,rd,t", "s,ing,ed,ly"),
    "fa": ("ب,پ,ت,ج,چ,خ,د,ر,ز,س,ش,ف,ق,ک,گ,ل,م,ن,و,ه,ی", "ا,و,ی,,", ",ن,ر,ش,م,د,ت", "\u200cها,\u200cهای,ی"),
    "ar": ("ب,ت,ج,ح,خ,د,ر,س,ش,ص,ط,ع,غ,ف,ق,ك,ل,م,ن,ه,و,ي", "ا,و,ي,,", ",ن,ر,ل,م,د,ة", "ات,ين,ية"),
    "fr": ("b,c,ch,d,f,g,j,l,m,n,p,pr,qu,r,s,t,v,", "a,e,i,o,u,é,ou,eau,oi", ",n,r,l,s,x,t,nt", "s,tion,ment"),
}
LANGUAGE_CYCLE = ("en", "fa", "en", "ar", "en", "fr")


@functools.cache
def language(code: str) -> Language:
    """The made-up vocabulary of "en", "fa", "ar" or "fr"."""
    rng = Random(f"words of {code}")
    onsets, vowels, codas, endings = (parts.split(",") for parts in ALPHABETS[code])
    words = dict.fromkeys(FUNCTION_WORDS[code].split())
    while len(words) < CONTENT_WORDS:
        syllables = rng.choices((1, 2, 3), (1, 6, 4))[0]
        stem = "".join(rng.choice(onsets) + rng.choice(vowels) for _ in range(syllables)) + rng.choice(codas)
        if len(stem) > 2:
            words[stem] = None
            if rng.random() < 0.3:
                words[stem + rng.choice(endings)] = None
    return Language(code, tuple(words), _zipf(tuple(words)), "، " if code in ("fa", "ar") else ", ")


def _zipf(words: Sequence[str], slots: int = 1 << 18) -> Sequence[str]:
    """A table to draw from evenly: the inverse of the cumulated 1 / (rank + shift), slot by slot."""
    reach = (len(words) + ZIPF_SHIFT) / ZIPF_SHIFT
    return [words[int(ZIPF_SHIFT * (reach ** (slot / slots) - 1))] for slot in range(slots)]


@functools.cache
def sources() -> tuple[Source, ...]:
    """Twenty-four sites: the place of a site in the list decides its language."""
    return tuple(_make_source(number) for number in range(24))


def _make_source(number: int) -> Source:
    tongue = language(LANGUAGE_CYCLE[number % len(LANGUAGE_CYCLE)])
    rng = Random(f"source {number}")
    host = f"{_slug(tongue, rng)}-{number}.example"
    return Source(
        host,
        tongue,
        head=_style(rng, rng.randrange(10, 120)) + "".join(_script(rng) for _ in range(rng.randrange(4, 16))),
        top=_menu(tongue, rng, rng.randrange(25, 110)),
        bottom=_footer(tongue, rng),
        has_metadata=number % 7 % 3 != 2,
    )


def _slug(tongue: Language, rng: Random) -> str:
    """Some letters for an address: Persian and Arabic sites write theirs in Latin ones too."""
    latin = tongue if tongue.code == "en" else language("en")
    return "-".join(rng.choices(latin.words[100:5000], k=3))


def _title(tongue: Language, rng: Random, low: int = 5, high: int = 11) -> str:
    text = " ".join(tongue.draw(rng, rng.randrange(low, high)))
    return text[0].upper() + text[1:]


@functools.cache
def headlines(code: str) -> Sequence[str]:
    """What the teasers of a language's sites point to."""
    rng = Random(f"headlines in {code}")
    return tuple(_title(language(code), rng) for _ in range(3000))


def _paragraph(words: list[str], tongue: Language, rng: Random) -> str:
    """The words as sentences of 7 to 27, each with a capital, perhaps a comma, and a full stop."""
    sentences = []
    start = 0
    while start < len(words):
        sentence = words[start : start + 7 + int(21 * rng.random())]
        start += len(sentence)
        cut = len(sentence) // 2
        text = " ".join(sentence[:cut]) + (tongue.comma if cut > 4 else " ") + " ".join(sentence[cut:])
        sentences.append(text[:1].upper() + text[1:])
    return ". ".join(sentences) + "."


def make_article(number: int, seed: int = 1) -> SyntheticArticle:
    """Article `number` of the corpus: 300 to 900 words in paragraphs of 25 to 90."""
    rng = Random(f"article {seed} {number}")
    site = sources()[number % len(LANGUAGE_CYCLE) + len(LANGUAGE_CYCLE) * min(3, int(rng.expovariate(1.0)))]
    words = site.language.draw(rng, rng.randrange(300, 900))
    paragraphs = []
    while words:
        length = rng.randrange(25, 90)
        paragraphs.append(_paragraph(words[:length], site.language, rng))
        words = words[length:]
    published = (EPOCH + timedelta(days=rng.randrange(DAYS))).isoformat()
    return SyntheticArticle(
        number=number,
        source=site,
        url=f"https://{site.host}/{published.replace('-', '/')}/{_slug(site.language, rng)}-{seed}-{number}",
        title=_title(site.language, rng),
        author=_title(site.language, rng, 2, 3),
        published=published,
        paragraphs=tuple(paragraphs),
    )


def render_page(article: SyntheticArticle) -> str:
    """The article as a page of its source: about 20 to 120 kB."""
    rng = Random(f"page {article.url}")
    site = article.source
    tongue = site.language
    weight = min(2.2, rng.lognormvariate(0.2, 0.6))  # some pages carry far more than others
    direction = "rtl" if tongue.code in ("fa", "ar") else "ltr"
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in article.paragraphs)
    middle = _inline_related(tongue, rng)
    state = {
        "id": article.number,
        "tags": tongue.draw(rng, 30),
        "etag": rng.randbytes(int(weight * 4000)).hex(),
    }
    return f"""<!DOCTYPE html>
<html lang="{tongue.code}" dir="{direction}">
<head>
<meta charset="utf-8">
<title>{article.title} | {site.host}</title>
{_metadata(article)}
{site.head}
</head>
<body class="article-page">
{site.top}
<main id="main"><div class="row"><div class="col-8">
<nav class="breadcrumb"><a href="/">{site.host}</a><a href="/news">{tongue.words[60]}</a></nav>
<article class="post">
<header class="entry-header"><h1 class="entry-title">{article.title}</h1>
<div class="byline"><span class="author">{article.author}</span> <span>{article.published}</span></div>
{_share_buttons(rng)}</header>
<figure><picture><source srcset="/i/{article.number}.webp 1200w"><img src="/i/{article.number}.jpg" alt=""></picture>
<figcaption>{_title(tongue, rng)}</figcaption></figure>
<div class="entry-content">
{body}
</div>
{middle}
</article>
<section class="comments" id="comments">{_repeat(_comment, tongue, rng, int(weight * rng.randrange(20)))}</section>
</div><aside class="col-4 sidebar">{_repeat(_teaser, tongue, rng, int(weight * 22))}</aside></div>
<section class="more"><div class="grid">{_repeat(_teaser, tongue, rng, int(weight * 14))}</div></section></main>
{site.bottom}
<script>window.__STATE__ = {json.dumps(state, ensure_ascii=False)};</script>
{_script(rng)}
</body>
</html>
"""


def _metadata(article: SyntheticArticle) -> str:
    """The elements of the head, with Open Graph and JSON-LD where the site has them."""
    site = article.source
    lines = [f'<link rel="preload" as="script" href="/static/{index}.js">' for index in range(12)]
    if site.has_metadata:
        json_ld = {
            "@context": "https://schema.org",
            "@type": "NewsArticle",
            "headline": article.title,
            "datePublished": f"{article.published}T08:00:00Z",
            "author": {"@type": "Person", "name": article.author},
        }
        facts = {
            "og:type": "article",
            "og:title": article.title,
            "og:description": article.paragraphs[0][:160],
            "og:url": article.url,
            "og:site_name": site.host,
            "article:published_time": f"{article.published}T08:00:00Z",
        }
        lines += [f'<link rel="canonical" href="{article.url}">']
        lines += [f'<meta property="{name}" content="{value}">' for name, value in facts.items()]
        lines += [f'<script type="application/ld+json">{json.dumps(json_ld, ensure_ascii=False)}</script>']
    return "\n".join(lines)


def _repeat(block: Callable[[Language, Random], str], tongue: Language, rng: Random, times: int) -> str:
    return "\n".join(block(tongue, rng) for _ in range(times))


def _teaser(tongue: Language, rng: Random) -> str:
    link = f"/story/{rng.getrandbits(26)}"
    return (
        f'<div class="card card--teaser"><div class="card__media"><a href="{link}" tabindex="-1">'
        f'<img class="lazy" data-src="{link}.jpg?w=320&amp;q=75" width="320" height="180" alt=""></a></div>'
        f'<div class="card__text"><span class="kicker">{tongue.words[rng.randrange(50, 900)]}</span>'
        f'<h3 class="card__title"><a href="{link}">{rng.choice(headlines(tongue.code))}</a></h3></div></div>'
    )


def _inline_related(tongue: Language, rng: Random) -> str:
    items = (
        f'<li><a href="/story/{rng.getrandbits(26)}">{rng.choice(headlines(tongue.code))}</a></li>' for _ in range(5)
    )
    tags = (f'<a class="tag" href="/tag/{rng.randrange(9999)}">{word}</a>' for word in tongue.draw(rng, 8))
    return f'<div class="related"><ul>{"".join(items)}</ul></div><div class="tags">{"".join(tags)}</div>'


def _comment(tongue: Language, rng: Random) -> str:
    text = _paragraph(tongue.draw(rng, rng.randrange(5, 60)), tongue, rng)
    return (
        f'<div class="comment" id="c{rng.randrange(10**7)}"><div class="comment-meta"><b>{tongue.draw(rng, 1)[0]}'
        f'{rng.randrange(99)}</b><span class="ago">{rng.randrange(1, 24)} h</span></div><div class="comment-text">'
        f'<p>{text}</p></div><div class="comment-tools"><a href="#r">+1</a><a href="#f">!</a></div></div>'
    )


def _share_buttons(rng: Random) -> str:
    icon = f'<svg viewBox="0 0 24 24"><path d="M{rng.randrange(24)} 2h{rng.randrange(9)}v5l-4 6z"/></svg>'
    items = (
        f'<li class="share__item"><a href="/share/{index}">{icon}<span>{index}</span></a></li>' for index in range(6)
    )
    return f'<ul class="share">{"".join(items)}</ul>'


def _menu(tongue: Language, rng: Random, links: int) -> str:
    items = (
        f'<li class="menu__item"><a class="menu__link" href="/{index}">{_title(tongue, rng, 1, 4)}</a></li>'
        for index in range(links)
    )
    return (
        f'<header class="site-header"><div class="wrap"><div class="logo"><a href="/">{tongue.words[999]}</a></div>'
        f'<form class="search"><input type="search" name="q"><button>?</button></form></div>'
        f'<nav class="menu"><ul>{"".join(items)}</ul></nav></header>'
        f'<div class="consent"><p>{_paragraph(tongue.draw(rng, 40), tongue, rng)}</p><button>OK</button></div>'
    )


def _footer(tongue: Language, rng: Random) -> str:
    columns = (
        f'<div class="col"><h4>{_title(tongue, rng, 1, 3)}</h4><ul>'
        + "".join(f'<li><a href="/f/{rng.randrange(10**5)}">{_title(tongue, rng, 1, 4)}</a></li>' for _ in range(8))
        + "</ul></div>"
        for _ in range(rng.randrange(3, 7))
    )
    legal = _paragraph(tongue.draw(rng, 30), tongue, rng)
    return f'<footer class="site-footer">{"".join(columns)}<p>{legal}</p></footer>'


def _style(rng: Random, rules: int) -> str:
    lines = (
        f".c{rng.randrange(10**4)}>.u{index}{{margin:{index}px auto;color:#{rng.randrange(16**6):06x};flex:1}}"
        for index in range(rules)
    )
    return f"<style>{''.join(lines)}</style>"


def _script(rng: Random) -> str:
    calls = (
        f'q.push(["set","k{rng.randrange(999)}",{{"v":{rng.random():.9f},"on":!0}}]);' for _ in range(rng.randrange(60))
    )
    return f"<script>(function(w){{var q=w.q=w.q||[];{''.join(calls)}}})(window);</script>\n"


def write_pages(folder: Path, n: int, seed: int = 1) -> int:
    """Writes pages 0 to n-1 into `folder` (made when missing); returns their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = (render_page(make_article(number, seed)).encode() for number in range(n))
    return sum((folder / f"page-{number:07}.html").write_bytes(page) for number, page in enumerate(pages))


if __name__ == "__main__":
    size = write_pages(Path(sys.argv[2]), int(sys.argv[1]))
    print(f"{sys.argv[1]} pages, {size / 1e6:.1f} MB")
