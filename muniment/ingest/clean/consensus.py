"""The running text that several extractors agree on, how far they agree, and what only one of them kept.

Two extractors that share nothing look first: trafilatura, set to precision, and resiliparse. Where their runs of four
words agree, that is the text; nine of ten news pages need no more. Where resiliparse has prose between its lines that
it lacks, trafilatura's default is asked for those, for precision loses a paragraph here and there. Where the two
disagree, four more give their opinion: trafilatura's default, two of readability's kind (one over trafilatura's fork,
one of ours) and jusText. The most central text is the base; a line of it that no other independent extractor kept is
dropped, and a line that it lacks and three others kept is put in its place.

Agreement is the similarity (Dice's, over counted runs of four words) of the text with the others', from 0 to 1, and is
the article's confidence: pages at .95 have a mean F1 of .98, pages under .7 one of .76.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, TypeVar

from justext.core import ParagraphMaker, classify_paragraphs, preprocessor, revise_paragraph_classification
from justext.utils import get_stoplist, get_stoplists
from lxml.html import HtmlElement, document_fromstring
from resiliparse.extract.html2text import extract_plain_text
from trafilatura.readability_lxml import Document

from muniment.ingest.clean.phrases import BOILERPLATE, SHARE
from muniment.ingest.clean.readable import lines_of, readable
from muniment.model import Dropped

AGREED = 0.8  # from here on the first two extractors are enough
_FAVOUR = {"precision": 0.05, "default": 0.035}  # added to centrality: trafilatura is right more often than the others
_KEPT, _PLACED = 0.5, 0.6  # share of a line's runs that an extractor holds where it kept the line
_LACKING = 0.3  # share of a line's runs up to which a text lacks it
_PROSE, _LONG_PROSE = 8, 20  # words of a line whose loss is worth asking another extractor for; before the first line
_STANDFIRST = 2  # lines before the first that may be of the article
_ENDED = re.compile(r"[.!?…。！？؟।:»”\"’)]\s*$")
_SHORT, _FEW_WORDS = 90, 6  # characters of a line that may be chrome by its wording; words that are met by chance
_MAX_WORDS = 200_000
_RUN = 4
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+")
_ORIGINS = {
    "precision": "trafilatura",
    "default": "trafilatura:default",
    "own": "readable",
    "readability": "readability",
    "resiliparse": "resiliparse",
    "justext": "justext",
}
_T = TypeVar("_T")
_Words = tuple[str, ...]
_Line = tuple[str, _Words]


@dataclass(frozen=True, slots=True)
class Agreed:
    """A text, one paragraph a line; the extractor it is from; the agreement on it; the lines left out of it."""

    text: str
    origin: str
    agreement: float
    dropped: tuple[Dropped, ...] = ()


@dataclass(eq=False)
class View:
    """What one extractor kept of the page."""

    text: str
    _runs: dict[int, frozenset[_Words]] = field(default_factory=dict)

    @cached_property
    def words(self) -> _Words:
        """Its words, up to a limit."""
        return tuple(words(self.text)[:_MAX_WORDS])

    @cached_property
    def grams(self) -> Counter[_Words]:
        """Its runs of four words, counted."""
        return Counter(runs(self.words, _RUN))

    def holds(self, line: _Words) -> float:
        """The share of the line's runs of words that the extractor kept; a short line's counts for less."""
        n = min(_RUN, len(line))
        if n not in self._runs:
            self._runs[n] = frozenset(runs(self.words, n))
        asked = runs(line, n)
        return sum(run in self._runs[n] for run in asked) / len(asked) * (1 if len(line) > _FEW_WORDS else 0.8)


def agree(tree: HtmlElement, source: str, trafilatura: Callable[..., Any]) -> Agreed:
    """The agreed text of a page, given as its tree and its source; empty where no extractor finds any.

    `trafilatura` is its `bare_extraction`. The tree is left as it is.
    """

    def extract(**mode: bool) -> View:
        document = _opinion(lambda: trafilatura(tree, include_comments=False, deduplicate=False, **mode))
        return View(getattr(document, "text", None) or "")

    first, second = extract(favor_precision=True), View(_opinion(lambda: _resiliparse(source)) or "")
    agreement = similarity(first, second)
    if first.words and agreement >= AGREED:
        kept, dropped = _without_chrome(_lines(first))
        if _lacks_prose(kept, first, second):
            whole = _completed(kept, extract(fast=True), second, cache(lambda: View(readable(tree))))
            if len(whole) > len(kept):
                kept, agreement = whole, similarity(_view(whole), second)
        return _agreed(kept, dropped, "trafilatura", agreement)
    views = {
        "precision": first,
        "resiliparse": second,
        "default": extract(),
        "own": View(readable(tree)),
        "readability": View(_opinion(lambda: _readability(tree)) or ""),
        "justext": View(_opinion(lambda: _justext(tree)) or ""),
    }
    return _central({name: view for name, view in views.items() if view.words})


def _central(views: dict[str, View]) -> Agreed:
    """The text of the view that is most like the others, less what they lack, with what they share."""
    if not views:
        return Agreed("", "", 0.0)
    near = {
        name: sum(similarity(view, other) for other in views.values() if other is not view) / max(1, len(views) - 1)
        for name, view in views.items()
    }
    whole = [name for name in views if name not in ("resiliparse", "justext")] or list(views)
    base = max(whole, key=lambda name: near[name] + _FAVOUR.get(name, 0.0))
    judges = [views[name] for name in ("own", "readability", "resiliparse", "justext") if name in views]
    others = [judge for judge in judges if judge is not views[base]]
    kept, dropped = _without_chrome(_lines(views[base]))
    if len(others) > 1:
        lonely = [line for line in kept if all(other.holds(line[1]) < _KEPT for other in others)]
        alone = {id(line) for line in lonely}
        dropped += [Dropped(text, "no-independent-vote") for text, _ in lonely]
        kept = [line for line in kept if id(line) not in alone]
    donors = [views[name] for name in ("default", "own") if name in views and name != base]

    def is_shared(line: _Line, donor: View, _: bool) -> bool:
        return sum(judge.holds(line[1]) >= _PLACED for judge in judges if judge is not donor) >= 3

    return _agreed(_placed(kept, donors, is_shared), dropped, _ORIGINS[base], near[base])


def _lacks_prose(kept: Sequence[_Line], first: View, second: View) -> bool:
    """Whether the second view has prose, which the first lacks, between the first's lines or as a standfirst."""
    same, starts = {text for text, _ in kept}, {line[1][:_FEW_WORDS] for line in kept}
    lines = [text for text in second.text.split("\n") if text.strip()]
    shared = [i for i, text in enumerate(lines) if text in same or tuple(words(text)[:_FEW_WORDS]) in starts]
    if not shared:
        return False
    for i in set(range(max(0, shared[0] - _STANDFIRST), shared[-1])).difference(shared):
        if _ENDED.search(lines[i]) and not lines[i].isupper():
            line = tuple(words(lines[i]))
            if len(line) >= (_PROSE if i > shared[0] else _LONG_PROSE) and first.holds(line) <= _LACKING:
                return True
    return False


def _completed(kept: Sequence[_Line], default: View, second: View, own: Callable[[], View]) -> list[_Line]:
    """The lines, and those of trafilatura's default between them that the second view has too; what does not end as a
    sentence does has to be in our own opinion as well, and a line in capitals is a teaser."""

    def is_lost(line: _Line, _: View, is_inside: bool) -> bool:
        text, found = line
        return (
            is_inside
            and not text.isupper()
            and second.holds(found) >= _PLACED
            and bool(_ENDED.search(text) or own().holds(found) >= _PLACED)
        )

    return _placed(kept, [default], is_lost)


def _agreed(kept: Iterable[_Line], dropped: Iterable[Dropped], origin: str, agreement: float) -> Agreed:
    return Agreed("\n".join(text for text, _ in kept), origin, round(agreement, 3), tuple(dropped))


def _lines(view: View) -> list[_Line]:
    """The view's lines that hold any word, each with its words."""
    return [(text, found) for text in view.text.split("\n") if (found := tuple(words(text)))]


def _without_chrome(lines: Iterable[_Line]) -> tuple[list[_Line], list[Dropped]]:
    """(kept, dropped): short lines go whose wording is that of share buttons, related articles and the like."""
    kept, dropped = list[_Line](), list[Dropped]()
    for line in lines:
        text = line[0].strip()
        if len(text) < _SHORT and SHARE.match(text):
            dropped.append(Dropped(text, "share-line"))
        elif len(text) < _SHORT and BOILERPLATE.match(text):
            dropped.append(Dropped(text, "boilerplate"))
        else:
            kept.append(line)
    return kept, dropped


def _placed(base: Sequence[_Line], donors: Iterable[View], belongs: Callable[[_Line, View, bool], bool]) -> list[_Line]:
    """The base's lines, and those of the donors that it lacks and that belong to it, each after the line that it
    follows in its donor. `belongs` is given the line, its donor, and whether the base goes on behind it."""
    following: list[list[_Line]] = [[], *([line] for line in base)]
    places = {line[1][:_FEW_WORDS]: i for i, line in reversed(list(enumerate(base, 1)))}
    own, added = _view(base), set[_Words]()
    for donor in donors:
        place = 0
        for line in _lines(donor):
            start = line[1][:_FEW_WORDS]
            if start in places:
                place = places[start]
                continue
            is_new = len(line[1]) >= _RUN + 1 and start not in added and own.holds(line[1]) <= _LACKING
            if is_new and belongs(line, donor, place < len(base)) and not _without_chrome([line])[1]:
                added.add(start)
                following[place].append(line)
    return [line for group in following for line in group]


def _view(lines: Iterable[_Line]) -> View:
    return View("\n".join(text for text, _ in lines))


def words(text: str) -> list[str]:
    """Words in lower case, a character each where a script writes no spaces."""
    return _WORD.findall(text.lower())


def runs(tokens: Sequence[str], n: int) -> list[_Words]:
    """The runs of n tokens; a shorter text is one run."""
    if len(tokens) < n:
        return [tuple(tokens)] if tokens else []
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def similarity(one: View, other: View) -> float:
    """Dice's coefficient of the two views' counted runs of words."""
    total = one.grams.total() + other.grams.total()
    return 2 * (one.grams & other.grams).total() / total if total else 0.0


def _opinion(extractor: Callable[[], _T]) -> _T | None:
    """What an extractor finds; None where it fails, for none is made for every broken tree, and others look too."""
    try:
        return extractor()
    except MemoryError:
        raise  # the page's limit
    except Exception:  # noqa: BLE001 - their own errors, lxml's, and failed asserts
        return None


def _resiliparse(source: str) -> str:
    return str(extract_plain_text(source, main_content=True, alt_texts=False, list_bullets=False, comments=False))


def _readability(tree: HtmlElement) -> str:
    """The text that readability keeps."""
    return lines_of(document_fromstring(Document(deepcopy(tree)).summary()))


def _justext(tree: HtmlElement) -> str:
    """jusText over the stop words of all its languages, as trafilatura asks it."""
    paragraphs = ParagraphMaker.make_paragraphs(preprocessor(deepcopy(tree)))
    classify_paragraphs(paragraphs, _stop_words(), 50, 150, 0.1, 0.2, 0.3, True)
    revise_paragraph_classification(paragraphs, 150)
    return "\n".join(paragraph.text for paragraph in paragraphs if not paragraph.is_boilerplate)


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(word.lower() for language in get_stoplists() for word in get_stoplist(language))
