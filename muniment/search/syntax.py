"""Query text to a tree of its syntax: words, phrases, patterns and ranges, as typed, under AND, OR and NOT.

    query    chains side by side, all of them: AND binds tighter than OR, words side by side bind loosest
    chain    conjunction [OR conjunction …]
    conjunction    operand [AND operand …]
    operand  [NOT] [field:] word, "phrase"~2, pattern*, word~1, [a TO b], 2019..2021 or (query)

One expression finds what has a meaning; what stands between is words. What could be misread (an open quote, AND at the
end, `NOT NOT`) is refused with its place, in the order of the text, and never taken for words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

from muniment.search.words import Refusal

MAX_DEPTH = 50
MAX_SHOWN = 60  # characters of a query that is proposed
OPERATORS = ("AND", "OR", "NOT")
_OPERANDS = ("word", "address", "pattern", "phrase", "range", "short", "fuzzy")
_GLUED = ("word", "address", "pattern")
_END = re.compile(r"[.,;:!…،؛؟。？?]+")
_ENDS = re.compile(r"(?P<low>\s*'[^']*'\s+|.*?)\b(?i:to)\b(?P<high>.*)")
_TO = re.compile(r"\b(?i:to)\b")
_BRACKET = re.compile(r"[\[\]{}]")
_SHORT_END = r"\d[\d/-]*|yesterday|today"
_STAR_IN_WORD = re.compile(r"(?<=\w)\*|\*(?=\w)")


class Leaf:
    """What a query looks for in one place: `text` as typed, from `place` to `end` in the query."""

    __slots__ = ("end", "field", "place", "text")

    def __init__(self, text: str, field: str | None, place: int, end: int):
        self.text = text
        self.field = field
        self.place = place
        self.end = end


class Word(Leaf):
    """A word, or an address."""

    __slots__ = ()


class Phrase(Leaf):
    """What stands in quotes, without them; `reach` is the number behind `~`, None where there is none."""

    __slots__ = ("reach",)
    reach: int | None


class Pattern(Leaf):
    """A word with `*` or `?` in it."""

    __slots__ = ()


class Fuzzy(Leaf):
    """A word of which so many letters may be wrong."""

    __slots__ = ("distance",)
    distance: int


class Range(Leaf):
    """Two ends as typed, None where open; whether each is left out; `short` where it is 2019..2021."""

    __slots__ = ("high", "low", "short", "without_high", "without_low")
    low: str | None
    high: str | None
    without_low: bool
    without_high: bool
    short: bool


class AllOf(NamedTuple):
    parts: Sequence[Node]


class OneOf(NamedTuple):
    parts: Sequence[Node]


class NoneOf(NamedTuple):
    part: Node


Node = Leaf | AllOf | OneOf | NoneOf


class _Token(NamedTuple):
    kind: str
    text: str
    place: int
    end: int
    found: re.Match[str] | None


def read(text: str, fields: Sequence[str], values: Collection[str] = ()) -> AllOf:
    """The syntax tree of a query; `fields` are the names that there are, and of these `values` those of whole values.
    Raises Refusal."""
    return _Reader(text, fields, values).query(None, None)


@lru_cache(4)
def _signs(fields: Sequence[str]) -> re.Pattern[str]:
    """Finds all that is more than a word, the first that fits at a place."""
    alone = r"(?<![^\s()]){}(?![^\s()])"
    kinds = {
        # Most of a query: what stands between spaces, of letters and digits only.
        "word": r"(?<![^ (])(?!(?:AND|OR|NOT)(?![^ )]))\w+(?![^ )])",
        "space": " +",
        "address": r"(?<!\w)[A-Za-z][\w+.-]*://[^\s\"()]+",
        # A known name before any colon; a name that might be meant as one; never the scheme of an address.
        "field": rf"(?<![\w.])(?P<name>(?i:{'|'.join(fields)})(?=:)|[A-Za-z]\w*(?=:[^\s:])):(?!//)",
        "phrase": r'"(?P<quoted>.*?)"(?:~(?P<reach>\d{1,9}))?',
        "open": r"\(",
        "close": r"\)",
        "not": rf"{alone.format('NOT')}|(?<![^\s(])-(?=[^\s-])",
        "and": alone.format("AND"),
        "or": alone.format("OR"),
        "fuzzy": r"(?<=\S)~(?P<distance>\d{1,9})?(?P<prefix>/\d+)?",
        "pattern": r"[*?]+",
        "range": r"[\[{](?=[^\[\]{}]*[\]}])[^\[\]{}]*?\b(?i:to)\b[^\[\]{}]*[\]}]",
        "short": r"(?:(?<![^\s(:])|(?<=[\s(]-)|(?<=\A-))(?=\d|\.\.\d|(?:\.\.)?(?:yest|today))"
        rf"(?P<low>{_SHORT_END})?\.\.(?P<high>{_SHORT_END})?(?![^\s)])",
    }
    return re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in kinds.items()))


def _tokens(text: str, fields: Sequence[str]) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    for found in _signs(tuple(fields)).finditer(text):
        start, end = found.span()
        if start > at:
            tokens.append(_Token("word", text[at:start], at, start, None))
        tokens.append(_Token(found.lastgroup or "", found[0], start, end, found))
        at = end
    if at < len(text):
        tokens.append(_Token("word", text[at:], at, len(text), None))
    tokens.append(_Token("end", "", len(text), len(text), None))
    return tokens


class _Reader:
    """Reads the tokens of one query, each once."""

    def __init__(self, text: str, fields: Sequence[str], values: Collection[str]):
        self._text = text
        self._fields = fields
        self._values = values
        self._tokens = _tokens(text, fields)
        self._at = 0
        self._depth = 0

    def _next(self) -> _Token:
        """The token that comes next, which stays next."""
        return self._tokens[self._at]

    def _past_space(self) -> _Token:
        while self._tokens[self._at].kind == "space":
            self._at += 1
        return self._tokens[self._at]

    def query(self, field: str | None, opened: _Token | None) -> AllOf:
        """All up to the bracket that closes what was `opened`, or to the end."""
        parts: list[Node] = []
        while (token := self._past_space()).kind != "end":
            if token.kind == "close":
                if opened is None:
                    self._refuse_closing(token)
                break
            parts.append(self._chain(field, None if parts else opened))
        if opened is not None:
            if not parts:
                self._refuse_wanting(opened)
            if token.kind == "end":
                closed = self._whole(self._text.rstrip() + ")" * self._depth)
                _refuse(f"this ( is not closed: add a ){closed}", opened.place)
        return AllOf(parts)

    def _chain(self, field: str | None, wanting: _Token | None) -> Node:
        parts = [self._conjunction(field, wanting)]
        while (token := self._past_space()).kind == "or":
            self._at += 1
            parts.append(self._conjunction(field, token))
        return parts[0] if len(parts) == 1 else OneOf(parts)

    def _conjunction(self, field: str | None, wanting: _Token | None) -> Node:
        parts = [self._operand(field, wanting)]
        while (token := self._past_space()).kind == "and":
            self._at += 1
            parts.append(self._operand(field, token))
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _operand(self, field: str | None, wanting: _Token | None) -> Node:
        """What `wanting`, an operator or a bracket, must be followed by."""
        token = self._past_space()
        if token.kind in ("and", "or"):
            _refuse(f"{token.text} needs something before it; as a word to search for, put it in quotes", token.place)
        if token.kind == "not":
            if wanting is not None and wanting.kind == "not":
                _refuse("two NOT in a row: keep one, or none", token.place)
            self._at += 1
            if (after := self._past_space()).kind == "word" and after.text in OPERATORS:
                _refuse(f"{token.text} and {after.text} in a row: keep one, or put {after.text} in quotes", after.place)
            return NoneOf(self._operand(field, token))
        if token.kind == "field":
            self._at += 1
            return self._value(self._inner(field, token), token)
        return self._value(field, wanting)

    def _inner(self, outer: str | None, token: _Token) -> str:
        """The field that a token names, inside brackets that another stands before: the inner one counts."""
        name = self._field(token)
        if outer is not None and name in ("exact", "near"):
            remedy = f'write {outer}:"word"' if name == "exact" else "write it beside the brackets"
            _refuse(f"{name}: looks in title and text, and not in {outer}: alone; {remedy}", token.place)
        return name

    def _field(self, token: _Token) -> str:
        assert token.found is not None
        name = str(token.found["name"]).lower()
        if name not in self._fields:
            from muniment.search.proposals import field_meant

            known = ", ".join(f"{name}:" for name in self._fields)
            said = f"there is no field {name}:{field_meant(name, self._fields)}"
            _refuse(f"{said} (there are {known}); to search for it, use quotes", token.place)
        return name

    def _value(self, field: str | None, wanting: _Token | None) -> Node:
        token = self._next()
        self._at += 1
        if token.kind == "open":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                _refuse(f"brackets are nested more than {MAX_DEPTH} deep: simplify the query", token.place)
            found = self.query(field, token)
            self._at += 1
            self._depth -= 1
            return found
        if token.kind == "close" and not self._depth:
            self._refuse_closing(token)
        if token.kind not in _OPERANDS:
            assert wanting is not None
            if token.kind == "field" and wanting.kind == "field":
                _refuse(f"{wanting.text} and {token.text} in a row: keep one of them", token.place)
            self._refuse_wanting(wanting)
        if token.kind == "phrase":
            return self._phrase(token, field)
        if token.kind in ("range", "short"):
            return self._range(token, field)
        if token.kind == "fuzzy":
            self._refuse_fuzzy(token)
        return self._word(token, field, wanting)

    def _word(self, token: _Token, field: str | None, wanting: _Token | None) -> Leaf:
        if token.kind == "word" and token.found is not None:  # found by itself, with nothing glued to it
            return Word(token.text, field, token.place, token.end)
        tokens = [token]
        while self._next().kind in _GLUED:
            tokens.append(self._next())
            self._at += 1
        for part in tokens:
            if part.kind == "word":
                self._check_word(part, wanting if part is token else None)
        if any(part.kind == "pattern" for part in tokens):
            text = "".join(part.text for part in tokens)
            self._check_apart(fuzzy=False)
            return Pattern(text, field, token.place, tokens[-1].end)
        self._at -= len(tokens) - 1
        if len(tokens) > 1:
            return Word(token.text, field, token.place, token.end)
        if self._next().kind == "fuzzy":
            return self._fuzzy(token, field)
        self._check_apart()
        return Word(token.text, field, token.place, token.end)

    def _check_word(self, token: _Token, wanting: _Token | None) -> None:
        text, after_field = token.text, wanting is not None and wanting.kind == "field"
        quote = text.find('"')
        if quote >= 0:
            closed = self._whole(self._text.rstrip() + '"')
            where = token.place + quote
            _refuse(f"this quote is not closed: add one where the phrase ends, or remove it{closed}", where)
        if bracket := _BRACKET.search(text):
            _refuse("brackets like these are for ranges: published:[2019 TO 2021]", token.place + bracket.start())
        if after_field and wanting is not None and text.startswith("-"):
            _refuse(f"put the minus before the field: -{wanting.text.lower()}{text[1:]}", token.place)
        if after_field and text in OPERATORS:
            _refuse(f"put {text} before the field; as a word to search for, put it in quotes", token.place)
        if text.startswith("--"):
            _refuse("two minus signs: keep one to leave the word out, or none", token.place)

    def _fuzzy(self, word: _Token, field: str | None) -> Leaf:
        token = self._next()
        self._at += 1
        assert token.found is not None
        found = Fuzzy(word.text, field, word.place, token.end)
        found.distance = int(token.found["distance"] or 1)
        glued = self._next().kind in _GLUED
        if token.found["prefix"] or glued or not 1 <= found.distance <= 2:
            _refuse("write word~1 or word~2: one or two letters may differ", token.place)
        self._check_apart(fuzzy=False, word=False)
        return found

    def _phrase(self, token: _Token, field: str | None) -> Leaf:
        assert token.found is not None
        found = Phrase(token.found["quoted"], field, token.place, token.end)
        reach = token.found["reach"]
        found.reach = int(reach) if reach else None
        if found.reach == 0:
            _refuse('write "two words"~1 or more: so many places apart at most', token.found.start("reach") - 1)
        if (star := _STAR_IN_WORD.search(found.text)) and field not in self._values:
            _refuse("* does not work inside quotes: write the words apart", token.place + 1 + star.start())
        after = self._next()
        if after.kind in ("word", "pattern") and _END.fullmatch(after.text):  # the end of a sentence
            self._at += 1
        self._check_apart(fuzzy=False, word=False)
        return found

    def _range(self, token: _Token, field: str | None) -> Leaf:
        assert token.found is not None
        found = Range("", field, token.place, token.end)
        found.short = token.kind == "short"
        if not found.short and len(_TO.findall(token.text)) > 1 and "'" not in token.text:
            _refuse("a range has two ends, with one TO between them", token.place)
        ends = token.found if found.short else _ENDS.fullmatch(token.text[1:-1])
        assert ends is not None  # "TO" stands between the brackets
        found.low, found.high = map(_end_of_range, ends.group("low", "high"))
        found.without_low, found.without_high = token.text.startswith("{"), token.text.endswith("}")
        self._check_apart(fuzzy=False, word=False)
        return found

    def _check_apart(self, *, fuzzy: bool = True, word: bool = True) -> None:
        """Raises Refusal where what was read is glued to what follows, which is no part of it."""
        token = self._next()
        if token.kind == "fuzzy" and not fuzzy:
            self._refuse_fuzzy(token)
        if token.kind in _OPERANDS and not (word and token.kind in _GLUED):
            _refuse("put a space here, or take the quotes or brackets away", token.place)

    def _whole(self, query: str) -> str:
        """The query as it may have been meant, where it can be read, and at a glance."""
        if len(query) > MAX_SHOWN or '""' in query or not query.strip():
            return ""
        try:
            read(query, self._fields, self._values)
        except Refusal:
            return ""
        return f"; did you mean {query.strip()} ?"

    def _refuse_fuzzy(self, token: _Token) -> NoReturn:
        _refuse('~ must follow a word or a phrase at once: word~ or "two words"~3', token.place)

    def _refuse_closing(self, token: _Token) -> NoReturn:
        without = self._text[: token.place] + self._text[token.end :]
        _refuse(f"this ) closes nothing: remove it, or open a ( before{self._whole(without)}", token.place)

    def _refuse_wanting(self, token: _Token) -> NoReturn:
        if token.kind == "open":
            _refuse("there is nothing in these brackets: remove them, or fill them", token.place)
        if token.kind == "field":
            _refuse(f"{token.text} needs a value right after the colon, without a space", token.place)
        _refuse(f"{token.text} needs something after it; as a word to search for, put it in quotes", token.place)


def _end_of_range(text: str | None) -> str | None:
    plain = (text or "").strip()
    if len(plain) > 1 and plain[0] == plain[-1] == "'":
        plain = plain[1:-1]
    return plain or None


def _refuse(message: str, place: int) -> NoReturn:
    raise Refusal(message, place)
