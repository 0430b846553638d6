"""The typed query tree in tantivy's terms.

Fields of the schema: `title`, `text`, `author` hold folded words with positions; `title_stem`, `text_stem` hold stems;
the value fields hold whole values, the facets and the sort keys are columns. Hazards of the library: a phrase of one
word panics; a purely negative query matches nothing without a positive part; the slop of its phrases lets words swap,
and is a guess where there are three (see `_two`, looking.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import tantivy

from muniment.errors import QueryError
from muniment.index import query, stemming
from muniment.index.facets import FACET_DATES, FACETS

MANY_TERMS = 500
FEW_ALTERNATIVES = 8
YEARS = "facet_year"
IDENTITIES = ("number", "article")
SORT_FIELDS = {
    "newest": ("newest", tantivy.Order.Desc),
    "oldest": ("oldest", tantivy.Order.Asc),
    "captured": ("captured_order", tantivy.Order.Desc),
}


def _build_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for field in query.WORD_FIELDS:
        ordered = "freq" if field in query.UNORDERED_FIELDS else "position"
        builder.add_text_field(field, tokenizer_name="whitespace", index_option=ordered)
    for field in query.STEMMED_FIELDS:
        builder.add_text_field(f"{field}_stem", tokenizer_name="whitespace", index_option="freq")
    for field in query.VALUE_FIELDS:
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in FACETS:
        if field in FACET_DATES:
            builder.add_integer_field(f"facet_{field}", fast=True)
        else:
            builder.add_text_field(f"facet_{field}", tokenizer_name="raw", index_option="basic", fast=True)
    for field in query.NUMBER_FIELDS:
        builder.add_integer_field(field, indexed=field in IDENTITIES, fast=True)  # ranges are looked up in columns
    for field, _ in SORT_FIELDS.values():
        builder.add_integer_field(field, fast=True)
    builder.add_integer_field("version", fast=True)
    return builder.build()


SCHEMA = _build_schema()


class Compiler:
    """Compiles trees for one state of an index, in which the articles have these languages (tags)."""

    def __init__(self, searcher: tantivy.Searcher, languages: Sequence[str]):
        self._searcher = searcher
        self._languages = languages
        # One search compiles its tree several times.
        self._in_fields = lru_cache(64)(self._compile_leaf)

    def is_hopeless(self, tree: query.Query) -> bool:
        """Whether a condition that all matches must meet is met by none: spares a search what it costs otherwise."""
        parts = tree.parts if isinstance(tree, query.And) else (tree,)
        return any(
            isinstance(part, query.Term)
            and part.field in query.VALUE_FIELDS
            and not self._searcher.doc_freq(part.field, part.word)
            for part in parts
        )

    def compile(self, tree: query.Query) -> tantivy.Query:
        match tree:
            case query.And(parts):
                return self._conjunction(parts)
            case query.Or() | query.Term() | query.Phrase() | query.Near():
                return _any(self._alternatives(tree))
            case query.Not():
                return self._conjunction((tree,))
            case query.Everything():
                return unscored(tantivy.Query.all_query())
            case query.Nothing():
                return tantivy.Query.empty_query()
            case query.Boosted(part, factor):
                return tantivy.Query.boost_query(self.compile(part), factor)
            case query.Range(field) if field in query.NUMBER_FIELDS or field == YEARS:
                return unscored(number_range(tree))
            case query.AnyOf(field, values):
                return unscored(_one_of(field, values))
            case query.Prefix() | query.Wildcard() | query.Fuzzy() | query.Range():
                return _any(self._alternatives(tree))

    def _alternatives(self, tree: query.Query) -> list[tantivy.Query]:
        """Queries, any of which may match. Flat, because each level of unions costs as much as the search itself."""
        match tree:
            case query.Or(parts):
                return [alternative for part in parts for alternative in self._alternatives(part)]
            case query.Term() | query.Phrase() | query.Near() | query.Prefix() | query.Wildcard() | query.Fuzzy():
                found = self._in_fields(tree)
            case query.Range(field) if field not in query.NUMBER_FIELDS:
                found = self._in_fields(tree)
            case _:
                found = [self.compile(tree)]
        return found

    def _compile_leaf(self, leaf: query.Leaf) -> list[tantivy.Query]:
        if leaf.field in query.VALUE_FIELDS:
            return [unscored(part) for part in self.in_field(leaf.field, leaf)]
        return [
            _boosted(part) if field == "title" else part
            for field in query.fields_of(leaf)
            for part in self.in_field(field, leaf)
        ]

    def _conjunction(self, parts: Sequence[query.Query]) -> tantivy.Query:
        parts = _in_whole_years(parts)
        must, must_not = tantivy.Occur.Must, tantivy.Occur.MustNot
        excluded = [
            (must_not, alternative)
            for part in parts
            if isinstance(part, query.Not)
            for alternative in self._alternatives(part.part)
        ]
        filters = [(must, self.compile(part)) for part in parts if _is_filter(part)]
        others = [part for part in parts if not _is_filter(part) and not isinstance(part, query.Not)]
        wanted = [self._alternatives(part) for part in others]
        if len(wanted) == 1 and 1 < len(wanted[0]) <= FEW_ALTERNATIVES and filters:
            # The filters go into each alternative: a union that is not led by its filter is worked out in full.
            wanted = [[tantivy.Query.boolean_query([(must, one), *filters]) for one in wanted[0]]]
            filters = []
        clauses = [*((must, _any(alternatives)) for alternatives in wanted), *filters, *excluded]
        if len(clauses) == len(excluded):
            clauses.append((must, self.compile(query.Everything())))
        return tantivy.Query.boolean_query(clauses)

    def in_field(self, field: str, leaf: query.Leaf) -> list[tantivy.Query]:
        match leaf:
            case query.Term(_, word) if field in query.STEMMED_FIELDS:
                stem_field = f"{field}_stem"
                forms = stemming.stem_forms(word, self._languages)
                return [term(stem_field, form) for form in forms if self._searcher.doc_freq(stem_field, form)]
            case query.Term(_, word):
                return [term(field, word)]
            case query.Phrase(_, words) | query.Near(_, words) if field in query.UNORDERED_FIELDS and len(words) > 1:
                return []
            case query.Phrase(_, words, slop):
                return _phrases(field, words, slop)
            case query.Near(_, words, distance):
                return _near(field, words, distance)
            case query.Prefix(_, start):
                # By far the fastest of the ways to ask for a prefix: no mistakes, and any end.
                return [tantivy.Query.fuzzy_term_query(SCHEMA, field, start, 0, prefix=True)]
            case query.Wildcard(_, pattern):
                return [_wildcard(field, pattern)]
            case query.Fuzzy(_, word, distance):
                return [tantivy.Query.fuzzy_term_query(SCHEMA, field, word, distance, transposition_cost_one=False)]
            case query.Range():
                # tantivy has no ranges of text.
                held = (word for word, _ in self._searcher.terms_with_prefix(field, ""))
                inside = [word for word in held if query.is_within(word, leaf)]
                return [tantivy.Query.term_set_query(SCHEMA, field, inside)]
            case query.AnyOf(_, values):
                return [_one_of(field, values)]


def _in_whole_years(parts: Sequence[query.Query]) -> Sequence[query.Query]:
    """The two conditions that make whole years (published:2020, 2019..2021) as one: half of the values to look at.

    An interval of publication is never longer than a year, so that it overlaps the years that it lies in.
    """
    first = last = None
    for part in parts:
        if isinstance(part, query.Range) and part.include_low and part.include_high:
            if part.field == "last_day" and part.high is None and str(part.low).endswith("0101"):
                first = part
            elif part.field == "first_day" and part.low is None and str(part.high).endswith("1231"):
                last = part
    if first is None or last is None:
        return parts
    years = query.Range(YEARS, int(first.low or 0) // 10_000, int(last.high or 0) // 10_000)
    return [years, *(part for part in parts if part not in (first, last))]


def term(field: str, word: str | int) -> tantivy.Query:
    return tantivy.Query.term_query(SCHEMA, field, word)


def _any(parts: Sequence[tantivy.Query]) -> tantivy.Query:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return tantivy.Query.empty_query()
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in parts])


def _is_filter(part: query.Query) -> bool:
    """Whether the part is a quick condition on values, without a score."""
    match part:
        case query.Term(field) | query.Range(field) | query.AnyOf(field):
            return field in query.VALUE_FIELDS or field in query.NUMBER_FIELDS or field == YEARS
        case _:
            return False


def _one_of(field: str, values: Sequence[int] | Sequence[str]) -> tantivy.Query:
    """Any of the values; a set of terms, which is looked up in the whole dictionary, is faster for many only."""
    if field in query.NUMBER_FIELDS and field not in IDENTITIES:
        return _any([number_range(query.Range(field, value, value)) for value in values])
    if len(values) <= MANY_TERMS:
        return _any([term(field, value) for value in values])
    return tantivy.Query.term_set_query(SCHEMA, field, values)


def unscored(compiled: tantivy.Query) -> tantivy.Query:
    return tantivy.Query.const_score_query(compiled, 0.0)


def _boosted(compiled: tantivy.Query) -> tantivy.Query:
    return tantivy.Query.boost_query(compiled, query.TITLE_BOOST)


def _wildcard(field: str, pattern: str) -> tantivy.Query:
    try:
        return tantivy.Query.regex_query(SCHEMA, field, query.wildcard_regex(pattern))
    except ValueError as e:  # the automaton has too many states: the query language refuses such a pattern before
        raise QueryError("this pattern is too complex: use fewer letters, * and ?", pattern) from e


def _phrases(field: str, words: Sequence[str], slop: int) -> list[tantivy.Query]:
    if len(words) == 1:
        return [term(field, words[0])]
    if len(words) == 2:
        return _two(field, words, slop + 1)
    gaps = itertools.product(range(1, slop + 2), repeat=len(words) - 1)
    forms = (zip(itertools.accumulate((0, *gap)), words, strict=True) for gap in gaps)
    return [tantivy.Query.phrase_query(SCHEMA, field, list(form)) for form in forms]


def _two(field: str, words: Sequence[str], reach: int) -> list[tantivy.Query]:
    """Two words in this order, at most `reach` places apart. Of two words, tantivy's slop is how far they are from the
    places asked for, either way; so that the places from 1 to an odd number are those around the middle."""
    odd = reach - 1 + reach % 2
    found = [tantivy.Query.phrase_query(SCHEMA, field, [(0, words[0]), ((1 + odd) // 2, words[1])], (odd - 1) // 2)]
    if odd != reach:
        found.append(tantivy.Query.phrase_query(SCHEMA, field, [(0, words[0]), (reach, words[1])]))
    return found


def _near(field: str, words: Sequence[str], distance: int) -> list[tantivy.Query]:
    if len(words) == 1:
        return [term(field, words[0])]
    if len(words) == 2 and words[0] != words[1]:
        return [tantivy.Query.phrase_query(SCHEMA, field, [(0, words[0]), (0, words[1])], distance)]
    if len(words) == 2:
        return _two(field, words, distance)
    if distance < len(words) - 1:  # there is no room, and more orders than can be gone through
        return []
    # The first of them at 0, whichever that is, and the others anywhere behind.
    forms = {
        tuple(sorted(zip((0, *behind), order, strict=True)))
        for order in set(itertools.permutations(words))
        for behind in itertools.combinations(range(1, distance + 1), len(words) - 1)
    }
    return [tantivy.Query.phrase_query(SCHEMA, field, list(form)) for form in sorted(forms)]


def forms_of(leaf: query.Leaf) -> int:
    """How many exact phrases a leaf of several words stands for, about."""
    if isinstance(leaf, query.Phrase):
        return int((leaf.slop + 1) ** (len(leaf.words) - 1))
    if not isinstance(leaf, query.Near):
        return 1
    return math.perm(max(leaf.distance, 1), len(leaf.words) - 1) * len(leaf.words)


def number_range(leaf: query.Range) -> tantivy.Query:
    if leaf.low is None and leaf.high is None:
        return tantivy.Query.exists_query(leaf.field)
    return tantivy.Query.range_query(
        SCHEMA,
        leaf.field,
        tantivy.FieldType.Integer,
        leaf.low,
        leaf.high,
        leaf.include_low or leaf.low is None,
        leaf.include_high or leaf.high is None,
    )
