"""Query text to the typed tree of index/query.py. No I/O. The language:

    massacre iran              both words, in regular inflected forms too, in the title or the text
    "mass grave" "a b"~3       the words side by side as written; each at most 3 places after the one before
    near:"a b" near:"a b"~5    the words in any order, all within 10 places, or 5
    exact:word exact:(a b)     as written, without inflected forms; so too "word"
    a OR b, NOT a, -a, (…)     AND binds tighter than OR; words side by side bind loosest: `a OR b c` is (a OR b) AND c
    col*r wom?n                any run of characters, any one; `?` at the end of a word may also stand for nothing
    tehran~ tehran~2           one or two letters wrong
    title: text: author:       words there; also `title:(a OR b)`, `title:"a b"`
    removed:word               a word that an earlier version had and the newest has not
    source: language: tag: collection:   whole values, in quotes where they hold a space; `source:*` any that is
                               known, `author:*`
    kind:pdf                   page, pdf, document, mail, text; upload beside it
    flag:paywall               what keeps a page from being the article; `flag:*` any
    site:example.org           that host and the hosts below it
    published: captured:       2021, 2021-05-30, yesterday, "last 2 weeks" (dates.py); >=2021; `published:*` dated
    confidence:<0.7 confidence:0.5..0.8    how far the extractors of the text agree, from 0 to 1; confidence:* any known
    [2019 TO 2020] {a TO b}    ranges with and without their ends; 2019..2021 is short for published:[2019 TO 2021]
    before:2020 after:2019-05  published before it begins, after it ends; since: and until: with it
    has:author is:latest       what is known of it (conditions.py)

A date of publication is as long as its precision, an interval: "2021" is all of that year. A condition matches where
the intervals overlap, so that what may have been published then is shown; what has no date matches no date. Days of
capture are UTC's.

Nothing is guessed: what could be misread is refused with the place and the remedy. A query of words alone needs no
parser, and is spared the import of it (search/syntax.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from muniment.errors import QueryError
from muniment.index import analysis, query
from muniment.search import words
from muniment.search.words import Refusal, Typed

if TYPE_CHECKING:
    from muniment.search import conversion, syntax

VALUES = {"source": "source", "language": "language", "lang": "language", "tag": "tag", "collection": "collection",
          "flag": "flag", "kind": "kind", "site": "host"}  # fmt: skip
DATES = ("published", "date", "captured", "before", "after", "since", "until")
SHARES = ("confidence",)
AS_WRITTEN = ("exact", "near")
STATES = ("has", "is")
FIELDS = (*query.WORD_FIELDS, *AS_WRITTEN, *VALUES, *DATES, *SHARES, *STATES)
Lookup = Callable[[str], Sequence[int]]
ArticleAt = Callable[[str], query.Query]
MAX_LENGTH = 5_000

_QUOTES, _MARKS = "“”„‟«»‹›＂", "\u200e\u200f\u061c\ufeff\u202a\u202b\u202c\u202d\u202e"
_CHARACTERS = str.maketrans(f"{_QUOTES}（）：", '"' * len(_QUOTES) + "():", _MARKS)
_CHARACTERS |= dict.fromkeys(range(0x2066, 0x206A))
_SPACE = re.compile(r"\s")
_NEEDS_PARSER = re.compile(r'["()\[\]{}*?~:]|\.\.|(?<!\S)(?:-|(?:AND|OR|NOT)(?!\S))')
_MAY_BE_REFUSED = re.compile(r"\|\||&&|\^|\.\.|!|[<>=]|[−–—‑﹣－]|(?:AND|OR|NOT)-|\"\s+~")
_WORD = re.compile(r"\S+")


def parse(
    text: str, *, today: date | None = None, lookup: Lookup | None = None, article_at: ArticleAt | None = None
) -> query.Query:
    """The tree of a query. `today`, from which "yesterday" and its like are counted, is by default UTC's.

    `lookup` gives the numbers of the snapshots of which the archive, not the index, knows that they have a "note", or
    are "scanned"; without it, such conditions are refused. `article_at` gives the condition for the article at an
    address, which stands beside what mentions it.

    Raises QueryError, with the place in `text`, for anything that cannot be read without guessing.
    """
    try:
        return _read(_cleaned(text), today, lookup, article_at)
    except Refusal as e:
        places = [at for at, character in enumerate(text) if _CHARACTERS.get(ord(character), "kept") is not None]
        place = places[e.place] if e.place < len(places) else len(text)
        raise QueryError(f"{e.message} (at character {place + 1})", text, place) from None


def any_of(text: str, languages: Collection[str] = ()) -> query.Query:
    """The tree of a sentence, any of whose words will do: no sign is read, words that say little are left out.

    A word that stands there several times counts as often. `languages` (tags) are what it may be written in, where that
    is known. Raises QueryError where the text holds no word.
    """
    from muniment.search import stopwords

    kept = stopwords.without(_words_of_sentence(text), languages)
    parts = tuple([words.single(query.ANY_WORDS, word) for word in kept])
    if not parts:
        raise QueryError("there is nothing to search for: give a word")
    return parts[0] if len(parts) == 1 else query.Or(parts)


def left_out(text: str, languages: Collection[str] = ()) -> Sequence[str]:
    """The words of a sentence that `any_of` leaves out, as the index has them, each once."""
    from muniment.search import stopwords

    return stopwords.left_out(_words_of_sentence(text), languages)


def _words_of_sentence(text: str) -> list[str]:
    cleaned = _cleaned(text)
    if len(cleaned) > MAX_LENGTH:
        raise QueryError(f"the query is longer than {MAX_LENGTH} characters: shorten it")
    typed = (Typed(query.ANY_WORDS, m[0], m.start()) for m in _WORD.finditer(cleaned))
    return [part for piece in words.joined(typed) for part in analysis.query_words(piece.text)]


def _cleaned(text: str) -> str:
    return _SPACE.sub(" ", text if text.isascii() else text.translate(_CHARACTERS))


def _read(text: str, today: date | None, lookup: Lookup | None, article_at: ArticleAt | None) -> query.Query:
    if len(text) > MAX_LENGTH:
        raise Refusal(f"the query is longer than {MAX_LENGTH} characters: shorten it", MAX_LENGTH)
    if _MAY_BE_REFUSED.search(text):
        _refuse_signs(text)
    if _NEEDS_PARSER.search(text):
        read, conversion = _parser()
        converted = conversion(today or datetime.now(UTC).date(), lookup, article_at)
        found = converted.convert(read(text, FIELDS, VALUES))
    else:
        found = words.all_of(Typed(query.ANY_WORDS, m[0], m.start()) for m in _WORD.finditer(text))
    if found is None:
        raise Refusal("there is nothing to search for: give a word, or a field such as source:example.org", 0)
    return found


@lru_cache(1)
def _parser() -> tuple[Callable[[str, Sequence[str], Collection[str]], syntax.AllOf], type[conversion.Conversion]]:
    from muniment.search import conversion, syntax

    return syntax.read, conversion.Conversion


@lru_cache(1)
def _signs() -> re.Pattern[str]:
    spared = r'"[^"]*"|\w+://\S+'  # phrases and addresses
    spread = r"(?<![^\s(:])(?P<start>\d[\d-]*)(?P<dots>\s*\.\.+\s*)(?P<end>\d[\d-]*)(?![^\s)])"
    minus = r"(?<![^\s(])(?P<minus>[!−–—‑﹣－])(?=\w)|(?<![^\s(])(?P<operator>AND|OR|NOT)-(?=\w)"
    compared = r"(?<!\S)(?P<field>published|date|captured|confidence)\s*(?P<comparison>[<>]=?|=)\s*(?=\d)"
    apart = r'(?P<apart>"[^"]*"\s+~\d+)'
    boost = r'(?<=[\w")*?])\^(?P<boost>[\d.]+)'
    return re.compile(rf"{apart}|{spared}|(?P<sign>\|\||&&)|{boost}|{minus}|{compared}|{spread}")


def _refuse_signs(text: str) -> None:
    """Raises Refusal for what other languages mean by signs, and ours would take for words or nothing."""
    for found in _signs().finditer(text):
        if found["sign"]:
            remedy = "OR between the words" if found["sign"] == "||" else "AND, or nothing, between the words"
            raise Refusal(f"{found['sign']} is not part of the language: write {remedy}", found.start())
        if found["minus"]:
            said = "this dash is no minus" if found["minus"] != "!" else "! is not part of the language"
            raise Refusal(f"{said}: to leave the word out, write -word; or put a space between", found.start())
        if found["operator"]:
            raise Refusal(f"put a space behind {found['operator']}; as a word to search for, in quotes", found.start())
        if found["comparison"]:
            name = f"{found['field']}:{found['comparison'].removeprefix('=')}"
            raise Refusal(f"a field has a colon, and no spaces: write {name}…", found.start())
        if found["apart"]:
            raise Refusal('~ must follow the quotes at once: "two words"~3', found.start() + found["apart"].index("~"))
        if found["boost"]:
            raise Refusal(f"boosts are not part of the language: leave {found[0]} away", found.start())
        if found["dots"] and found["dots"] != "..":
            whole = f"{found['start']}..{found['end']}"
            raise Refusal(f"write {whole}, with two dots and no space, for what was published then", found.start())
