"""Query text through Whoosh's parser: tagged by its plugins, checked by us, grouped by its filters.

Whoosh's parser never fails. What it cannot make sense of (an open quote, AND at the end, `NOT NOT`) becomes a word to
search for, or vanishes. So `_check` stands between the two halves of its work: it walks the tags in order and refuses
what the filters would misread. The result is Whoosh's syntax tree, before it becomes a query of Whoosh's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn

from whoosh.util.text import rcompile

from muniment.search.parser import QueryParser, plugins, syntax
from muniment.search.words import Refusal

MAX_DEPTH = 50
MAX_SHOWN = 60  # characters of a query that is proposed
Open, Close = plugins.GroupPlugin.OpenBracket, plugins.GroupPlugin.CloseBracket
Fuzziness, FuzzyWord = plugins.FuzzyTermPlugin.FuzzinessNode, plugins.FuzzyTermPlugin.FuzzyTermNode
Wild, Start = plugins.WildcardPlugin.WildcardNode, plugins.PrefixPlugin.PrefixNode
Phrase, Range, Word, Field = plugins.PhrasePlugin.PhraseNode, syntax.RangeNode, syntax.WordNode, syntax.FieldnameNode
AllOf, OneOf, NoneOf = syntax.AndGroup, syntax.OrGroup, syntax.NotGroup

# Filters that do nothing without a tag of this kind: half of the time that parsing takes is spared.
_NEEDED = {
    plugins.FuzzyTermPlugin: Fuzziness,
    plugins.WildcardPlugin: Wild,
    plugins.FieldsPlugin: Field,
    plugins.GroupPlugin: Open,
}
# 2019..2021; the groups `open` and `close` are empty: both ends belong to it.
_SHORT_RANGE = r"(?<![^\s(:])(?=\d|\.\.\d)(?P<open>)(?P<start>\d[\d-]*)?\.\.(?P<end>\d[\d-]*)?(?P<close>)(?![^\s)])"
OPERATORS = ("AND", "OR", "NOT")
_RUN = re.compile(r"\w+")
_WORD_ENDS = ("", " ", ")")  # where a run of letters and digits is a word and nothing else, but for an operator
_END = re.compile(r"[.,;:!…،؛؟。？?]+")
_STAR_IN_WORD = re.compile(r"(?<=\w)\*|\*(?=\w)")


def read(text: str, fields: Sequence[str]) -> Any:
    """The syntax tree of a query: AllOf, OneOf and NoneOf over Word, Phrase, Start, Wild, FuzzyWord and Range.

    `fields` are the names that are taken for fields before a colon. Raises Refusal.
    """
    taggers, filters, parser = _parser(tuple(fields))
    tags = _tag(text, taggers, parser)
    _check(text, tags, fields)
    for before, tag in pairwise(tags):  # the parts of a pattern, which become one: all begin where it begins
        if isinstance(before, Wild | Word) and isinstance(tag, Wild | Word):
            tag.startchar = before.startchar
    tree = AllOf(tags)
    kinds = {type(tag) for tag in tags}
    for group in filters:
        needed = _NEEDED.get(type(group.__self__))
        if needed is None or needed in kinds:
            tree = group(parser, tree)
    return tree


@lru_cache(4)
def _parser(fields: tuple[str, ...]) -> tuple[list[Any], list[Any], Any]:
    """The taggers and filters in their order, which Whoosh's parser would sort anew for each query; and the parser."""
    # A known name before any colon; a name that might be meant as one; never the scheme of an address.
    name = rf"(?<![\w.])(?P<text>(?i:{'|'.join(fields)})(?=:)|[A-Za-z]\w*(?=:[^\s:])):(?!//)"
    alone = r"(?<![^\s()]){}(?![^\s()])"
    parser = QueryParser(
        None,
        None,
        plugins=[
            plugins.SingleQuotePlugin(r"(?<!\w)(?P<text>[A-Za-z][\w+.-]*://[^\s\"()]+)"),  # an address is one word
            plugins.FieldsPlugin(expr=name, remove_unknown=False),
            plugins.PhrasePlugin(),
            plugins.GroupPlugin(),
            plugins.OperatorsPlugin(
                And=alone.format("AND"),
                Or=alone.format("OR"),
                Not=rf"(?:{alone.format('NOT')}|(?<![^\s(])-(?=[^\s-]))",
                AndNot=None,
                AndMaybe=None,
                Require=None,
            ),
            plugins.FuzzyTermPlugin(r"(?<=\S)~(?P<maxdist>[0-9]+)?(/(?P<prefix>[1-9][0-9]*))?"),
            plugins.WildcardPlugin("(?P<text>[*?]+)"),
            plugins.RangePlugin(),
            plugins.RangePlugin(rcompile(_SHORT_RANGE)),
        ],
    )
    # White space, which Whoosh tries last, comes first here: nothing else starts with it, and it is every other tag.
    *taggers, white_space = parser.taggers()
    return [white_space, *taggers], parser.filters(), parser


def _tag(text: str, taggers: Sequence[Any], parser: Any) -> list[Any]:
    tags: list[Any] = []
    start = at = 0
    while at < len(text):
        run = _RUN.match(text, at)
        plain = run is not None and text[run.end() : run.end() + 1] in _WORD_ENDS and run[0] not in OPERATORS
        found = () if plain else (tagger.match(parser, text, at) for tagger in taggers)
        tag = next((tag for tag in found if tag is not None), None)
        if tag is None:
            # Nothing starts inside a run of letters and digits.
            at = run.end() if run else at + 1
            continue
        if start < at:
            tags.append(Word(text[start:at]).set_range(start, at))
        tags.append(tag)
        start = at = tag.endchar
    if start < at:
        tags.append(Word(text[start:at]).set_range(start, at))
    return tags


def _check(text: str, tags: Sequence[Any], fields: Sequence[str]) -> None:
    """Raises Refusal for what the filters would misread."""
    brackets: list[int] = []
    wanting: Any = None  # the operator, field or bracket that something must follow
    before: Any = None  # the tag just before, white space too
    for tag in tags:
        if tag.is_ws():
            if isinstance(wanting, Field):
                _refuse_wanting(text, wanting)
        elif isinstance(tag, Open):
            brackets.append(tag.startchar)
            if len(brackets) > MAX_DEPTH:
                _refuse(f"brackets are nested more than {MAX_DEPTH} deep: simplify the query", tag.startchar)
            wanting = tag
        elif isinstance(tag, Close):
            if not brackets:
                without = text[: tag.startchar] + text[tag.startchar + 1 :]
                _refuse(f"this ) closes nothing: remove it, or open a ( before{_whole(without)}", tag.startchar)
            if wanting is not None:
                _refuse_wanting(text, wanting)
            brackets.pop()
        elif isinstance(tag, syntax.Operator):
            _check_operator(text, tag, before_any=before is None, wanting=wanting)
            wanting = tag
        elif isinstance(tag, Field):
            _check_field(text, tag, wanting, fields)
            wanting = tag
        else:
            _check_operand(text, tag, before, wanting)
            wanting = None
        before = tag
    if wanting is not None:
        _refuse_wanting(text, wanting)
    if brackets:
        _refuse(f"this ( is not closed: add a ){_whole(text.rstrip() + ')' * len(brackets))}", brackets[-1])


def _check_operator(text: str, tag: Any, *, before_any: bool, wanting: Any) -> None:
    if isinstance(wanting, Field):
        _refuse_wanting(text, wanting)
    if isinstance(tag, syntax.PrefixOperator):
        if isinstance(wanting, syntax.PrefixOperator):
            _refuse("two NOT in a row: keep one, or none", tag.startchar)
    elif before_any or wanting is not None:
        _refuse(f"{tag.text} needs something before it; as a word to search for, put it in quotes", tag.startchar)


def _check_field(text: str, tag: Any, wanting: Any, fields: Sequence[str]) -> None:
    if isinstance(wanting, Field):
        _refuse_wanting(text, wanting)
    tag.fieldname = tag.fieldname.lower()
    if tag.fieldname not in fields:
        from muniment.search.proposals import field_meant

        known = ", ".join(f"{name}:" for name in fields)
        said = f"there is no field {tag.fieldname}:{field_meant(tag.fieldname, fields)}"
        _refuse(f"{said} (there are {known}); to search for it, use quotes", tag.startchar)


def _check_operand(text: str, tag: Any, before: Any, wanting: Any) -> None:
    if isinstance(tag, Fuzziness):
        if not isinstance(before, Word):
            _refuse('~ must follow a word or a phrase at once: word~ or "two words"~3', tag.startchar)
        if tag.prefixlength or not 1 <= tag.maxdist <= 2:
            _refuse("write word~1 or word~2: one or two letters may differ", tag.startchar)
    elif isinstance(tag, Word):
        _check_word(text, tag, wanting)
    elif isinstance(tag, Phrase) and (star := _STAR_IN_WORD.search(tag.text)):
        _refuse("* does not work inside quotes: write the words apart", tag.startchar + 1 + star.start())
    # Whoosh would glue these into one; a quoted text is no part of a word.
    glued = before is not None and not before.is_ws() and not isinstance(before, (Open, Close, Field, syntax.Operator))
    if glued and isinstance(before, Phrase) and isinstance(tag, Word | Wild) and _END.fullmatch(tag.text):
        return  # the end of a sentence
    if glued and (isinstance(tag, (Phrase, Range)) or isinstance(before, (Phrase, Range, Fuzziness))):
        _refuse("put a space here, or take the quotes or brackets away", tag.startchar)


def _check_word(text: str, tag: Any, wanting: Any) -> None:
    quote = tag.text.find('"')
    if quote >= 0:
        closed = _whole(text.rstrip() + '"')
        _refuse(f"this quote is not closed: add one where the phrase ends, or remove it{closed}", tag.startchar + quote)
    for at, character in enumerate(tag.text):
        if character in "[]{}":
            _refuse("brackets like these are for ranges: [2019 TO 2021]", tag.startchar + at)
    if isinstance(wanting, Field) and tag.text.startswith("-"):
        _refuse(f"put the minus before the field: -{wanting.fieldname}:{tag.text[1:]}", tag.startchar)
    if isinstance(wanting, Field) and tag.text in OPERATORS:
        _refuse(f"put {tag.text} before the field; as a word to search for, put it in quotes", tag.startchar)
    if tag.text.startswith("-") and len(tag.text) > 1 and tag.text[1] == "-":
        _refuse("two minus signs: keep one to leave the word out, or none", tag.startchar)


def _whole(query: str) -> str:
    """The query as it may have been meant, where it is short enough to be read at a glance."""
    return f"; did you mean {query} ?" if len(query) <= MAX_SHOWN and query.count('"') % 2 == 0 else ""


def _refuse_wanting(text: str, tag: Any) -> NoReturn:
    what = text[tag.startchar : tag.endchar]
    if isinstance(tag, Open):
        _refuse("there is nothing in these brackets: remove them, or fill them", tag.startchar)
    if isinstance(tag, Field):
        _refuse(f"{what} needs a value right after the colon, without a space", tag.startchar)
    _refuse(f"{what} needs something after it; as a word to search for, put it in quotes", tag.startchar)


def _refuse(message: str, place: int) -> NoReturn:
    raise Refusal(message, place)
