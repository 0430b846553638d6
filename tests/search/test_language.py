"""The query language: what is read, and what is refused, with the place."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime

import pytest

from muniment.errors import QueryError
from muniment.index.query import And, AnyOf, Fuzzy, Near, Not, Or, Phrase, Prefix, Query, Range, Term, Wildcard
from muniment.search import conversion, language, syntax, words
from muniment.search.language import parse

TODAY = date(2026, 11, 22)  # a Sunday


SPELLED = (("de", "sv"), ("da", "nb", "nn", "no", "sv"))


def word(text: str, field: str = "words") -> Term:
    return Term(field, text)


def published(low: int | None, high: int | None, *, strictly: bool = False) -> Query:
    parts: list[Query] = []
    if low:
        parts.append(Range("last_day", low, None, include_low=not strictly))
    if high:
        parts.append(Range("first_day", None, high, include_high=not strictly))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def captured(first: str, last: str) -> Range:
    start = datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp()
    end = datetime.fromisoformat(last).replace(tzinfo=UTC).timestamp() + 86_400
    return Range("captured", int(start), int(end), True, False)


READ: list[tuple[str, Query]] = [
    # Words
    ("massacre", word("massacre")),
    ("Massacre  IRAN", And((word("massacre"), word("iran")))),
    ("cats & dogs", And((word("cats"), word("dogs")))),
    ("cats - dogs", And((word("cats"), word("dogs")))),
    ("and or not", And((word("and"), word("or"), word("not")))),
    ("AT&T", Phrase("words", ("at", "t"))),
    ("co-operate", Phrase("words", ("co", "operate"))),
    ("12:30", Phrase("words", ("12", "30"))),
    ("Iran: what", And((word("iran"), word("what")))),
    ("https://x.org:80/~u?a=b", Phrase("words", ("https", "x", "org", "80", "u", "a", "b"))),
    ("e.g. wait...", And((word("eg"), word("wait")))),
    # Shares
    ("confidence:<0.7", Range("confidence", None, 700, True, False)),
    ("confidence:<=.7 a", And((Range("confidence", None, 700), word("a")))),
    ("-confidence:>0.95", Not(Range("confidence", 950, None, False, True))),
    ("confidence:>=1", Range("confidence", 1000, None)),
    ("confidence:0.5..0.8", Range("confidence", 500, 800)),
    ("confidence:..0.8", Range("confidence", None, 800)),
    ("confidence:0..1", Range("confidence", 0, 1000)),
    ("confidence:[0.5 TO 0.8}", Range("confidence", 500, 800, True, False)),
    ("confidence:*", Range("confidence")),
    # Operators
    ("a AND b", And((word("a"), word("b")))),
    ("a OR b", Or((word("a"), word("b")))),
    ("a OR b c", And((Or((word("a"), word("b"))), word("c")))),
    ("a AND b OR c AND d", Or((And((word("a"), word("b"))), And((word("c"), word("d")))))),
    ("NOT a", Not(word("a"))),
    ("-a", Not(word("a"))),
    ("b -a", And((word("b"), Not(word("a"))))),
    ("-(a b)", Not(And((word("a"), word("b"))))),
    ("a OR -b", Or((word("a"), Not(word("b"))))),
    ("(a OR b) -c", And((Or((word("a"), word("b"))), Not(word("c"))))),
    ("((a))", word("a")),
    ("a (b OR (c d))", And((word("a"), Or((word("b"), And((word("c"), word("d")))))))),
    ('"AND"', Phrase("words", ("and",))),
    # Phrases
    ('"Mass Grave"', Phrase("words", ("mass", "grave"))),
    ('"a b"~1', Phrase("words", ("a", "b"), 0)),
    ('"a b"~3', Phrase("words", ("a", "b"), 2)),
    ("“a b” «c d»", And((Phrase("words", ("a", "b")), Phrase("words", ("c", "d"))))),
    ('title:"a b"', Phrase("title", ("a", "b"))),
    ('"who killed JFK?"', Phrase("words", ("who", "killed", "jfk"))),
    # Patterns
    ("gov*", Prefix("words", "gov")),
    ("Élec*", Prefix("words", "elec")),
    ("wom?n", Wildcard("words", "wom?n")),
    ("*gate", Wildcard("words", "*gate")),
    ("g**e s??t*r", And((Wildcard("words", "g*e"), Wildcard("words", "s??t*r")))),
    ("d" + "*" * 60 + "k", Wildcard("words", "d*k")),
    ("g" * 500 + "*", Prefix("words", "g" * 500)),
    ("jfk?", Or((word("jfk"), Wildcard("words", "jfk?")))),
    ("what?!", Or((word("what"), Wildcard("words", "what?")))),
    ("qui ?", word("qui")),
    ("the U.S.?", And((word("the"), word("us")))),
    ("Geun-hye?", Phrase("words", ("geun", "hye"))),
    ('say "a b".', And((word("say"), Phrase("words", ("a", "b"))))),
    ('who "a b"?', And((word("who"), Phrase("words", ("a", "b"))))),
    ('من "a b"؟', And((word("من"), Phrase("words", ("a", "b"))))),
    ('"a b", c', And((Phrase("words", ("a", "b")), word("c")))),
    ("teh~ tehr~2", And((Fuzzy("words", "teh", 1), Fuzzy("words", "tehr", 2)))),
    ("title:[a TO m}", Range("title", "a", "m", True, False)),
    ("[a TO]", Range("words", "a", None)),
    ("2012/05..2014", published(20120501, 20141231)),
    ("-2012/05/03..2014-02", Not(published(20120503, 20140228))),
    ("2019..yesterday", published(20190101, 20261121)),
    ("yesterday..today", published(20261121, 20261122)),
    ("..today", published(None, 20261122)),
    ("today..", published(20261122, None)),
    # Fields
    ("title:a text:b author:c", And((word("a", "title"), word("b", "text"), word("c", "author")))),
    ("TITLE:a", word("a", "title")),
    ("title:(a OR -b)", Or((word("a", "title"), Not(word("b", "title"))))),
    ("title:(a text:b)", And((word("a", "title"), word("b", "text")))),
    ("-title:a", Not(word("a", "title"))),
    ("title:a b", And((word("a", "title"), word("b")))),
    ("source:Example.ORG", word("example.org", "source")),
    ('source:"Le Monde"', word("le monde", "source")),
    ("source:ex*", Prefix("source", "ex")),
    ("source:*news*", Wildcard("source", "*news*")),
    ("source:*", Not(word("", "source"))),
    ("author:*", Not(Not(Prefix("author", "")))),
    ("-text:*", Not(Not(Not(Prefix("text", ""))))),
    ('"a || b ^2"', Phrase("words", ("a", "b", "2"))),
    ("https://x.org/?a&&b^2", Phrase("words", ("https", "x", "org", "a", "b", "2"))),
    ("in 2012...", And((word("in"), word("2012")))),
    ("language:en-GB", word("en", "language")),
    ("lang:fa", word("fa", "language")),
    ("tag:(war OR Peace)", Or((word("war", "tag"), word("peace", "tag")))),
    ("site:www.Example.org", word("www.example.org", "host")),
    ("site:https://example.org:8080/a?b", word("example.org", "host")),
    # As written, near, known
    ("exact:Floods", Phrase("words", ("floods",))),
    ("exact:(a b)", And((Phrase("words", ("a",)), Phrase("words", ("b",))))),
    ("-exact:a b", And((Not(Phrase("words", ("a",))), word("b")))),
    ("exact:gov*", Prefix("words", "gov")),
    ('"a b c d e f"~9', Phrase("words", ("a", "b", "c", "d", "e", "f"), 8)),
    ('"a"~5', Phrase("words", ("a",))),
    ('near:"Dam flood"', Near("words", ("dam", "flood"), 10)),
    ('near:"dam flood"~1', Near("words", ("dam", "flood"), 1)),
    ('x -near:"a b c"~40', And((word("x"), Not(Near("words", ("a", "b", "c"), 40))))),
    ("has:author", Not(Not(Prefix("author", "")))),
    ("has:Tags", Not(word("", "tag"))),
    ("-has:source", Not(Not(word("", "source")))),
    ("has:date", Range("last_day")),
    ("has:(author date)", And((Not(Not(Prefix("author", ""))), Range("last_day")))),
    ("has:versions", word("no", "alone")),
    ("is:latest", word("yes", "latest")),
    ("is:undated", Not(Range("last_day"))),
    ("is:upload", word("upload", "kind")),
    ("kind:PDF", word("pdf", "kind")),
    ("-source:x -source:y", And((Not(word("x", "source")), Not(word("y", "source"))))),
    ("-source:(x OR y)", Not(Or((word("x", "source"), word("y", "source"))))),
    # Dates
    ('published:"last 2 weeks"', published(20261108, 20261122)),
    ('captured:"past 10 days"', captured("2026-11-12", "2026-11-22")),
    ("published:last-3-months", published(20260822, 20261122)),
    ('published:"2 days ago"', published(20261120, 20261120)),
    ('published:"30 May 2021"', published(20210530, 20210530)),
    ('published:"may 2021"', published(20210501, 20210531)),
    ('since:"last monday"', published(20261116, None)),
    ("until:yesterday", published(None, 20261121)),
    ("after:yesterday", published(20261121, None, strictly=True)),
    ('before:"2 weeks ago"', published(None, 20261102, strictly=True)),
    ("published:>=2020", published(20200101, None)),
    ("published:>2020", published(20201231, None, strictly=True)),
    ("published:<=2020-05", published(None, 20200531)),
    ("published:<2020", published(None, 20200101, strictly=True)),
    ("captured:>=2026-02", Range("captured", captured("2026-02-01", "2026-02-01").low, None, True, False)),
    ("captured:>2025", Range("captured", captured("2025-12-31", "2025-12-31").high, None, True, False)),
    ("published:[2020 TO *]", published(20200101, None)),
    ("published:[* TO 2020]", published(None, 20201231)),
    ("published:[TO 2020]", published(None, 20201231)),
    ("published:2021", published(20210101, 20211231)),
    ("published:2021-05", published(20210501, 20210531)),
    ("published:2021-5-3", published(20210503, 20210503)),
    ("published:۲۰۲۱", published(20210101, 20211231)),
    ("date:2024-02", published(20240201, 20240229)),
    ("published:[2019 TO 2020-05]", published(20190101, 20200531)),
    ("published:{2019 TO 2020}", published(20191231, 20200101, strictly=True)),
    ("published:[2019 TO]", published(20190101, None)),
    ("2019..2021", published(20190101, 20211231)),
    ("..2021", published(None, 20211231)),
    ("2019.. a", And((Range("last_day", 20190101), word("a")))),
    ("published:2019..2021-05", published(20190101, 20210531)),
    ("before:2020", published(None, 20200101, strictly=True)),
    ("after:2019-05", published(20190531, None, strictly=True)),
    ("published:*", Range("last_day")),
    ("-published:*", Not(Range("last_day"))),
    ("captured:today", captured("2026-11-22", "2026-11-22")),
    ("captured:yesterday", captured("2026-11-21", "2026-11-21")),
    ('captured:"last week"', captured("2026-11-09", "2026-11-15")),
    ('captured:"This Month"', captured("2026-11-01", "2026-11-30")),
    ("captured:last-year", captured("2025-01-01", "2025-12-31")),
    ("captured:2026-01..2026-02", captured("2026-01-01", "2026-02-28")),
    ("captured:..2026", Range("captured", None, captured("2026-12-31", "2026-12-31").high, True, False)),
    # Scripts
    ("Müller", Or((word("muller"), word("mueller")))),
    ("Müll*", Or((Prefix("words", "mull"), Prefix("words", "muell")))),
    ("Müllr~", Or((Fuzzy("words", "mullr", 1), Fuzzy("words", "muellr", 1)))),
    ("mue*", Prefix("words", "mue")),
    ("bluff~", Fuzzy("words", "bluff", 1)),
    ('"Søren Ask"', Or((Phrase("words", ("soren", "ask")), Phrase("words", ("soeren", "ask"))))),
    ("blue", word("blue")),
    (
        '"Hans Mueller"',
        Or(
            (
                Phrase("words", ("hans", "mueller")),
                And((Phrase("words", ("hans", "muller")), AnyOf("language", ("de", "sv")))),
            )
        ),
    ),
    (
        "author:Soeren",
        Or((word("soeren", "author"), *(And((word("soren", "author"), AnyOf("language", n))) for n in SPELLED))),
    ),
    ('near:"neue Quellen"', Near("words", ("neue", "quellen"))),
    ("می‌خواهم", word("ميخواهم")),
    ("می خواهم", word("ميخواهم")),
    ("کتاب ها OR ایران", And((word("كتاب"), Or((word("ها"), word("ايران")))))),
    (
        "دانش‌آموز",
        Or((Phrase("words", ("دانش", "اموز")), And((word("دانش"), word("اموز"))), word("دانشاموز"))),
    ),
    ("\u200fsource:خبر\u200f", word("خبر", "source")),
    ("東京都", Phrase("words", ("東京", "京都"))),
    ("東京*", word("東京")),
    ("水", Prefix("words", "水")),
    ('"水"', Prefix("words", "水")),
    ("（a　OR　b）", Or((word("a"), word("b")))),
]


@pytest.mark.parametrize(("text", "tree"), READ, ids=[text for text, _ in READ])
def test_queries_are_read(text: str, tree: Query) -> None:
    assert parse(text, today=TODAY) == tree


REFUSED: list[tuple[str, int, str]] = [
    ("confidence:0.7", 11, "confidence:<0.7"),
    ("near:dam", 5, 'near:"dam flood"'),
    ('near:"dam"', 5, "two words or more"),
    ("near:da*", 5, "takes words in quotes"),
    ('near:"' + "a " * 21 + '"', 5, "at most 20 words"),
    ('near:"a b c d e f g h i j k l"', 5, "12 words cannot stand within 10 places: write ~12"),
    ("has:authr", 4, "no has:authr; did you mean has:author"),
    ("has:latest", 4, "did you mean is:latest"),
    ("is:*", 3, "takes a name, such as is:latest"),
    ("has:note", 4, "of an archive only"),
    ("flag:paywal", 5, "did you mean flag:paywall"),
    ("kind:spreadsheet", 5, "no kind 'spreadsheet' .there are page, pdf"),
    ("language:english", 9, "did you mean language:en"),
    ("lang:Persain", 5, "did you mean language:fa"),
    ("sorce:x", 0, "no field sorce:; did you mean source:"),
    ("by:x", 0, "did you mean author:"),
    ("dam year:2020", 4, "did you mean published:"),
    ("published:2021-30-05", 10, "did you mean 2021-05-30"),
    ("published:yesturday", 10, "did you mean yesterday"),
    ('published:"lst week"', 10, 'did you mean "last week"'),
    ("published:>=soon", 12, "'soon' is no date"),
    ("since:>2020", 6, "takes one date"),
    ("since:[2019 TO 2020]", 6, "takes one date"),
    ("exact:2019..2020", 6, "is for dates"),
    ("(a OR b", 0, r"did you mean .a OR b. \?"),
    ('"a b', 0, 'did you mean "a b" ?'),
    ("a b)", 3, "did you mean a b ?"),
    ("dam~10", 3, "write word~1 or word~2"),
    ("confidence:<2", 11, "from 0 to 1"),
    ("confidence:<0.12345", 11, "from 0 to 1"),
    ("confidence:0.8..0.5", 11, "swap"),
    ("confidence:..", 11, "at least one end"),
    ("confidence:high", 11, "confidence:<0.7"),
    ("confidence:0.5~", 11, "confidence:<0.7"),
    ("", 0, "nothing to search"),
    (" \t", 0, "nothing to search"),
    ("&", 0, "nothing to search"),
    ("?", 0, "nothing to search"),
    ('a "b c', 2, "quote is not closed"),
    ("“a", 0, "quote is not closed"),
    ("(a", 0, r"this \( is not closed"),
    ("a (b (c)", 2, r"this \( is not closed"),
    ("a)", 1, "closes nothing"),
    ("a ()", 2, "nothing in these brackets"),
    ("[a b]", 0, "brackets like these are for ranges"),
    ("a ] b", 2, "brackets like these are for ranges"),
    ("[2019 TO", 0, "brackets like these are for ranges"),
    ("*", 0, "at least one letter"),
    ("title:?", 6, "at least one letter"),
    ("dam || flood", 4, "write OR"),
    ("dam||flood", 3, "write OR"),
    ("dam && flood", 4, "write AND"),
    ("x dam^2", 5, "boosts are not part of the language: leave .2 away"),
    ('"a b"^1.5', 5, "boosts are not"),
    ("x 2012 .. 2014", 2, "write 2012..2014, with two dots and no space"),
    ("2012...2014", 0, "write 2012..2014, with two dots"),
    ("(2012-05.. 2014)", 1, "write 2012-05..2014, with two dots"),
    ("a AND", 2, "AND needs something after"),
    ("OR a", 0, "OR needs something before"),
    ("a OR OR b", 5, "OR needs something before"),
    ("(AND a)", 1, "AND needs something before"),
    ("(a OR) b", 3, "OR needs something after"),
    ("NOT", 0, "NOT needs something after"),
    ("NOT NOT a", 4, "two NOT"),
    ("NOT -a", 4, "two NOT"),
    ("--a", 0, "two minus"),
    ("a OR &", 5, "no word here"),
    ("-title:&", 7, "no word here"),
    ("foo:bar", 0, "no field foo: .*title:.*published:"),
    ("a x:1", 2, "no field x"),
    ("title:", 0, "needs a value"),
    ("title: a", 0, "needs a value"),
    ("title:text:a", 6, "in a row: keep one"),
    ("title:-a", 6, "minus before the field: -title:a"),
    ("title:NOT a", 6, "put NOT before"),
    ('source:""', 7, "value is missing"),
    ("source:a~", 7, "does not work in source"),
    ("published:soon", 10, "'soon' is no date: write 2021"),
    ("published:2021-13", 10, "there is no date '2021-13'"),
    ("published:2021-02-30", 10, "there is no date '2021-02-30'"),
    ("published:0000", 10, "there is no date '0000'"),
    ("published:2021*", 10, "does not work in dates"),
    ("published:2021~", 10, "does not work in published"),
    ("published:[2021 TO 2019]", 10, "ends before it begins"),
    ("2021..2019", 0, "ends before it begins"),
    ("[b TO a]", 0, "ends before it begins"),
    ("[TO]", 0, "at least one end"),
    ("published:[TO]", 10, "at least one end"),
    ("before:[2019 TO 2020]", 7, "takes one date"),
    ("title:2019..2020", 6, "is for dates"),
    ("a~3", 1, "word~1 or word~2"),
    ("a~1/2", 1, "word~1 or word~2"),
    ("*~", 1, "must follow a word"),
    ("a~b", 1, "one or two letters may differ"),
    ('"a"b', 3, "put a space here"),
    ('"a"*', 3, "put a space here"),
    ('a"b"', 1, "put a space here"),
    ('"gov* iran"', 4, "does not work inside quotes"),
    ("co-op*", 0, "without other signs"),
    ("x " + "d*" * 60, 2, "pattern is too complex"),
    ("*" + "?" * 400 + "a", 0, "pattern is too complex"),
    ("a?" * 9, 0, "pattern is too complex: use at most 6"),
    ("source:???", 7, "at least one letter"),
    ("source:a" + "?" * 9, 7, "pattern is too complex"),
    ("ab*" + "c" * 400, 0, "pattern is too complex"),
    ("東*都", 0, "do not work inside words of this script"),
    ('"a b"~10001', 0, "too wide: at most ~10000"),
    ("(" * 60 + "a" + ")" * 60, 50, "nested more than 50 deep"),
    ("x" * 5001, 5000, "longer than 5000 characters"),
    ("flood !dam", 6, "! is not part of the language: to leave the word out, write -word"),
    ("dam −flood", 4, "this dash is no minus: to leave the word out, write -word"),
    ("dam –flood", 4, "this dash is no minus"),
    ("dam AND-flood", 4, "put a space behind AND"),
    ("published >= 2020", 0, "write published:>="),
    ("published:2012 .. 2014", 10, "write 2012..2014"),
    ('"a b" ~5', 6, "~ must follow the quotes at once"),
    ("source:(a b)", 10, r"an article has one source: write source:\(a OR b\)"),
    ("language:fa dam language:en", 25, "an article has one language"),
    ("lang:eng", 5, "did you mean language:en"),
    ("published:11/06/2021", 10, "did you mean 2021-06-11 or 2021-11-06"),
    ('removed:"warned in writing"', 8, "removed:warned removed:in removed:writing"),
    ("[dam]", 0, r"ranges: published:\[2019 TO 2021\]"),
    ("near:gate", 5, 'near:"dam flood"'),
    ("published:2020 TO 2021", 15, "write published:2020..2021"),
    ("dam captured:2020-05 to 2021", 21, "write captured:2020-05..2021"),
    ("published:1400", 10, "2021-03-21..2022-03-20 in the Persian calendar or 1979-11-20..1980-11-08 in the Hijri"),
    ("published:۱۴۰۰-۰۲", 10, "2021-04-21..2021-05-21 in the Persian"),
    ("1399-12-30..", 0, "2021-03-20 in the Persian"),
    ('published:"last 2 wekes"', 10, 'did you mean "last 2 weeks"'),
    ("\u200f\u200fa AND", 4, "AND needs something after"),
]


@pytest.mark.parametrize(("text", "position", "message"), REFUSED, ids=[text[:20] for text, _, _ in REFUSED])
def test_what_could_be_misread_is_refused_with_the_place(text: str, position: int, message: str) -> None:
    with pytest.raises(QueryError, match=message) as refused:
        parse(text, today=TODAY)
    assert (refused.value.query, refused.value.position) == (text, position)
    assert f"(at character {position + 1})" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_any_text_is_read_or_refused_and_nothing_else() -> None:
    signs = ["a", "b ", '"', "(", ")", "[", "]", "{", "~", "*", "?", ":", "-", " ", " AND ", " OR ", "NOT ", " TO "]
    signs += ["title:", "published:", "2019", "..", "\u200f", "می‌", "ها ", "東京", "/", "\\", "^", "+", "'", "&", "\0"]
    rng = random.Random(4)
    read = refused = 0
    for _ in range(6000):
        text = "".join(rng.choices(signs, k=rng.randrange(1, 9)))
        try:
            parse(text, today=TODAY)
            read += 1
        except QueryError as e:
            assert e.position is not None and 0 <= e.position <= len(text), text
            refused += 1
    assert read > 500 and refused > 500


def test_words_alone_are_read_as_with_the_parser() -> None:
    """The short way without the parser and the way through it give the same tree."""
    for text in ("a b", "AT&T iran's", "می خواهم کتاب ها", "東京都 x", "e.g. 3.14 … &", "état café"):
        through_parser = conversion.Conversion(TODAY)
        assert parse(text) == through_parser.convert(syntax.read(text, language.FIELDS))


def test_a_value_is_asked_for_as_it_is_stored() -> None:
    assert words.stored_value("source", "  Le   Café ") == "le cafe"
    assert words.stored_value("language", "pt_BR") == "pt"
