"""Query text to the typed tree of index/query.py. No I/O. The language:

    massacre iran              both words, in regular inflected forms too, in the title or the text
    "mass grave" "a b"~3       the words side by side as written; each at most 3 places after the one before
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
    published: captured:       2021, 2021-05, 2021-05-30, today, yesterday, "last week"; `published:*` dated at all
    confidence:<0.7 confidence:0.5..0.8    how far the extractors of the text agree, from 0 to 1; confidence:* any known
    [2019 TO 2020] {a TO b}    ranges with and without their ends; 2019..2021 is short for published:[2019 TO 2021]
    before:2020 after:2019-05  published before it begins, after it ends

A date of publication is as long as its precision, an interval: "2021" is all of that year. A condition matches where
the intervals overlap, so that what may have been published then is shown; what has no date matches no date. Days of
capture are UTC's.

Nothing is guessed: what could be misread is refused with the place and the remedy. A query of words alone needs no
parser, and is spared the import of it (search/tagging.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

from muniment.errors import QueryError
from muniment.index import analysis, query
from muniment.search import dates, words
from muniment.search.words import Refusal, Typed

VALUES = {"source": "source", "language": "language", "lang": "language", "tag": "tag", "collection": "collection",
          "flag": "flag", "kind": "kind", "site": "host"}  # fmt: skip
DATES = ("published", "date", "captured", "before", "after")
SHARES = ("confidence",)
FIELDS = (*query.WORD_FIELDS, *VALUES, *DATES, *SHARES)
MAX_LENGTH = 5_000

_CHARACTERS = str.maketrans("“”„‟«»＂（）：", '"' * 7 + "():", "\u200e\u200f\u061c\ufeff\u202a\u202b\u202c\u202d\u202e")
_CHARACTERS |= dict.fromkeys(range(0x2066, 0x206A))
_SPACE = re.compile(r"\s")
_NEEDS_PARSER = re.compile(r'["()\[\]{}*?~:]|\.\.|(?<!\S)(?:-|(?:AND|OR|NOT)(?!\S))')
_COMPARED = re.compile(r"(<=|>=|<|>)(\S+)")
_SPREAD = re.compile(r"([\d.]*?)\.\.([\d.]*)")
_SHARE = re.compile(r"0|1|0?\.[0-9]{1,3}|1\.0{1,3}", re.ASCII)
_WORD = re.compile(r"\S+")


def parse(text: str, *, today: date | None = None) -> query.Query:
    """The tree of a query. `today`, from which "yesterday" and its like are counted, is by default UTC's.

    Raises QueryError, with the place in `text`, for anything that cannot be read without guessing.
    """
    cleaned = _SPACE.sub(" ", text.translate(_CHARACTERS))
    try:
        return _read(cleaned, today or datetime.now(UTC).date())
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

    cleaned = _SPACE.sub(" ", text.translate(_CHARACTERS))
    if len(cleaned) > MAX_LENGTH:
        raise QueryError(f"the query is longer than {MAX_LENGTH} characters: shorten it")
    typed = (Typed(query.ANY_WORDS, m[0], m.start()) for m in _WORD.finditer(cleaned))
    found = [part for piece in words.joined(typed) for part in analysis.query_words(piece.text)]
    parts = tuple([words.single(query.ANY_WORDS, word) for word in stopwords.without(found, languages)])
    if not parts:
        raise QueryError("there is nothing to search for: give a word")
    return parts[0] if len(parts) == 1 else query.Or(parts)


def _read(text: str, today: date) -> query.Query:
    if len(text) > MAX_LENGTH:
        raise Refusal(f"the query is longer than {MAX_LENGTH} characters: shorten it", MAX_LENGTH)
    if any(sign in text for sign in ("||", "&&", "^", "..")):
        _refuse_signs(text)
    if _NEEDS_PARSER.search(text):
        from muniment.search import tagging

        found = _Conversion(tagging, text, today).convert(tagging.read(text, FIELDS))
    else:
        found = words.all_of(Typed(query.ANY_WORDS, m[0], m.start()) for m in _WORD.finditer(text))
    if found is None:
        raise Refusal("there is nothing to search for: give a word, or a field such as source:example.org", 0)
    return found


def _refuse_signs(text: str) -> None:
    """Raises Refusal for what other languages mean by signs, and ours would take for words or nothing."""
    spared = r'"[^"]*"|\w+://\S+'  # phrases and addresses
    spread = r"(?<![^\s(])(?P<start>\d[\d-]*)(?P<dots>\s*\.\.+\s*)(?P<end>\d[\d-]*)(?![^\s)])"
    for found in re.finditer(rf'{spared}|(?P<sign>\|\||&&)|(?<=[\w")*?])\^(?P<boost>[\d.]+)|{spread}', text):
        if found["sign"]:
            remedy = "OR between the words" if found["sign"] == "||" else "AND, or nothing, between the words"
            raise Refusal(f"{found['sign']} is not part of the language: write {remedy}", found.start())
        if found["boost"]:
            raise Refusal(f"boosts are not part of the language: leave {found[0]} away", found.start())
        if found["dots"] and found["dots"] != "..":
            whole = f"{found['start']}..{found['end']}"
            raise Refusal(f"write {whole}, with two dots and no space, for what was published then", found.start())


class _Conversion:
    """Whoosh's syntax tree to ours. `tagging` is that module, which is only imported where it is needed."""

    def __init__(self, tagging: Any, text: str, today: date):
        self.tagging = tagging
        self.text = text
        self.today = today

    def convert(self, node: Any) -> query.Query | None:
        """The tree of a node; None where it holds no word, as `&` does."""
        tags = self.tagging
        if isinstance(node, tags.AllOf):
            return self._all_of(node)
        if isinstance(node, tags.OneOf):
            return query.disjunction(self._operand(part) for part in node)
        if isinstance(node, tags.NoneOf):
            return query.Not(self._operand(node[0]))
        if node.fieldname in VALUES:
            return self._value(node)
        if node.fieldname in SHARES:
            return self._share(node)
        if node.fieldname in DATES or self._is_short_range(node):
            return self._date(node)
        return self._words(node)

    def _all_of(self, node: Any) -> query.Query | None:
        parts: list[query.Query | None] = []
        side_by_side: list[Typed] = []
        for part in node:
            if isinstance(part, self.tagging.Word) and part.fieldname in (None, *query.WORD_FIELDS):
                side_by_side.append(self._typed(part))
                continue
            parts += [words.all_of(side_by_side), self.convert(part)]
            side_by_side.clear()
        parts.append(words.all_of(side_by_side))
        found = [part for part in parts if part is not None]
        return query.conjunction(found) if found else None

    def _operand(self, node: Any) -> query.Query:
        found = self.convert(node)
        if found is None:
            raise Refusal("there is no word here to search for", node.startchar)
        return found

    def _words(self, node: Any) -> query.Query | None:
        tags, typed = self.tagging, self._typed(node)
        if isinstance(node, tags.Range):
            return words.word_range(typed, (node.start, node.end), (not node.startexcl, not node.endexcl))
        if isinstance(node, tags.FuzzyWord):
            return words.fuzzy(typed, node.maxdist)
        if isinstance(node, tags.Phrase):
            found = words.phrase(typed, node.slop)
        elif isinstance(node, (tags.Wild, tags.Start)):
            return self._pattern(node, typed)
        else:
            found = words.word(typed)
        if found is None and node.fieldname:
            raise Refusal("there is no word here to search for", node.startchar)
        return found

    def _pattern(self, node: Any, typed: Typed) -> query.Query | None:
        if typed.text == "?" and not node.fieldname:  # the end of a question, a space before it
            return None
        return words.pattern(typed)

    def _typed(self, node: Any) -> Typed:
        return Typed(node.fieldname or query.ANY_WORDS, self._text(node), node.startchar)

    def _text(self, node: Any) -> str:
        """The node's text; that of a Start is without its `*`."""
        if isinstance(node, self.tagging.Range):
            return ""
        text: str = node.text
        return text + "*" if isinstance(node, self.tagging.Start) else text

    def _value(self, node: Any) -> query.Query:
        tags, field = self.tagging, VALUES[node.fieldname]
        if isinstance(node, (tags.Wild, tags.Start)):
            return words.value_pattern(field, self._text(node), node.startchar)
        if isinstance(node, tags.Range):
            typed = Typed(field, "", node.startchar)
            return words.word_range(typed, (node.start, node.end), (not node.startexcl, not node.endexcl))
        if isinstance(node, tags.FuzzyWord):
            raise Refusal(f"~ does not work in {node.fieldname}: use * and ?", node.startchar)
        return words.value(field, node.text, node.startchar)

    def _share(self, node: Any) -> query.Query:
        """A condition on a share from 0 to 1, which the index holds in thousandths."""
        tags, field, place = self.tagging, node.fieldname, node.startchar
        text = self._text(node)
        spread = None if isinstance(node, tags.Range) else _SPREAD.fullmatch(text)
        if spread or isinstance(node, tags.Range):
            ends = spread.groups() if spread else (node.start, node.end)
            low, high = (_thousandths(field, end, place) if end else None for end in ends)
            if low is None and high is None:
                raise Refusal(f"a range needs at least one end: {field}:0.5..0.8", place)
            if low is not None and high is not None and low > high:
                raise Refusal("this range ends before it begins: swap its ends", place)
            without = (False, False) if spread else (node.startexcl, node.endexcl)
            return query.Range(field, low, high, not without[0], not without[1])
        if text == "*":
            return query.Range(field)
        found = _COMPARED.fullmatch(text)
        if found is None or isinstance(node, (tags.Wild, tags.Start, tags.FuzzyWord)):
            raise Refusal(f"write {field}:<0.7, {field}:>=0.9 or {field}:0.5..0.8", place)
        value = _thousandths(field, found[2], place)
        if found[1].startswith("<"):
            return query.Range(field, None, value, True, found[1] == "<=")
        return query.Range(field, value, None, found[1] == ">=", True)

    def _is_short_range(self, node: Any) -> bool:
        """Whether the node is 2019..2021."""
        return isinstance(node, self.tagging.Range) and self.text[node.startchar] not in "[{"

    def _date(self, node: Any) -> query.Query:
        name, tags = node.fieldname or "published", self.tagging
        if name in query.WORD_FIELDS:
            raise Refusal(f"write {name}:[a TO b]; .. is for dates", node.startchar)
        if isinstance(node, tags.Range) and name in ("before", "after"):
            raise Refusal(f"{name}: takes one date", node.startchar)
        if isinstance(node, tags.Range):
            return self._date_range(name, node)
        if isinstance(node, tags.FuzzyWord):
            raise Refusal(f"~ does not work in {name}: give a range such as 2019..2021", node.startchar)
        if isinstance(node, (tags.Wild, tags.Start)):
            if node.text != "*" or name in ("before", "after"):
                raise Refusal(f"* does not work in dates: {dates.HOW_TO}", node.startchar)
            return _between(name, None, None)
        when = self._interval(node.text, node.startchar)
        if name == "before":
            return _between("published", None, when, include_last=False)
        if name == "after":
            return _between("published", when, None, include_first=False)
        return _between(name, when, when)

    def _date_range(self, name: str, node: Any) -> query.Query:
        first, last = (self._interval(end, node.startchar) if end else None for end in (node.start, node.end))
        if first is None and last is None:
            raise Refusal(f"a range needs at least one end: {name}:[2019 TO 2021], {name}:2019..", node.startchar)
        if first and last and first[0] > last[1]:
            raise Refusal("this range ends before it begins: swap its ends", node.startchar)
        return _between(name, first, last, not node.startexcl, not node.endexcl)

    def _interval(self, text: str, place: int) -> tuple[date, date]:
        try:
            return dates.interval(text, self.today)
        except ValueError as e:
            raise Refusal(str(e), place) from None


def _thousandths(field: str, text: str, place: int) -> int:
    if not _SHARE.fullmatch(text):
        raise Refusal(f"{field} is a number from 0 to 1, with at most three decimals, such as 0.7", place)
    return round(float(text) * 1000)


Interval = tuple[date, date]


def _between(
    name: str,
    first: Interval | None,
    last: Interval | None,
    include_first: bool = True,
    include_last: bool = True,
) -> query.Query:
    """What was published or captured from the one interval to the other, with them or strictly between them."""
    if name == "captured":
        low = dates.seconds(*first)[0 if include_first else 1] if first else None
        high = dates.seconds(*last)[1 if include_last else 0] if last else None
        return query.Range("captured", low, high, True, False)
    return published(
        dates.number(first[0 if include_first else 1]) if first else None,
        dates.number(last[1 if include_last else 0]) if last else None,
        strictly=(not include_first, not include_last),
    )


def published(low: int | None, high: int | None, strictly: tuple[bool, bool] = (False, False)) -> query.Query:
    """What may have been published on one of these days (YYYYMMDD): whose interval overlaps them."""
    parts: list[query.Query] = []
    if low is not None or high is None:
        parts.append(query.Range("last_day", low, None, not strictly[0]))
    if high is not None:
        parts.append(query.Range("first_day", None, high, True, not strictly[1]))
    return query.conjunction(parts)
