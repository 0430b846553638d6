"""Words to stems: what stands for a word and its regular inflected forms, in each language.

Stemming works on folded words, so that café and cafe have one stem. What Snowball's stemmers then miss in Arabic and
Persian is taken off before: articles with what is written before them, and regular plurals. A stem carries its language
(`run/en`): it can only meet a query word's stem in that same language. A text in a language without a stemmer, or
unknown, has its folded words in place of stems.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache

import Stemmer

MAX_STEMS = 200_000  # words of a language whose stems are kept, some 30 MB
ALGORITHMS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
NORTHERN = frozenset({"da", "nb", "nn", "no", "sv"})
SOUTHERN = frozenset({"bs", "hr", "sh", "sl", "sr"})  # of the Slavs, who write đ

# Endings and beginnings that are taken off before stemming, of folded words. Strings, since an archive in English never
# needs them compiled. Arabic: the article with a conjunction or preposition before it, but not of words that only look
# so (father, God, adult, balloon, worn); the plurals -at and, of words in -i, -un and -in.
_ARTICLE = r"^(?!والد(?:ي|ين|يه|يها|ت?ه|ت?ها|ت?هم|ت?ي)?$|بالغ|بالون|بالي|الله$)[وف]?(?:[بك]?(?:ال)+|لل)(?=..)"
_ARABIC_PLURALS = ((r"(?<=...)ات$", "ه"), (r"(?<=...ي)(?:ين|ون)$", ""))
# Persian: -ha with its possessives (tanha is "alone"); -dagan, -tagan of words in -de, -te; -yan of words in -i; -an of
# people, where the word tells it (zan) or its last part (kargar): for -an is a part of many other words (ostan, payan).
_PERSIAN_THINGS = r"(?<=..)(?<!^تن)ها(?:ي(?:ي|م|ت|ش|مان|تان|شان)?|م|ت|ش)?$"
_PERSIAN_PEOPLE = (
    (r"(?<=.[دت])گان$", "ه"),
    (r"(?<=...[^او]ي)ان$", ""),
    (r"(..(?:گر|گار|كار|دار|مند|وند|ور|ورز|بان|موز|نويس|شناس|نشين|پژوه|ساز|يار))ان$", r"\1"),
    (r"^(زن|مرد|كودك|پدر|مادر|برادر|خواهر|پسر|دختر|همسر|فرزند|جوان|استاد|پزشك|مهندس|وزير|سرباز|شاعر)ان$", r"\1"),
)


def stems(found: Sequence[str], language: str | None) -> Sequence[str]:
    """What stands for each of the folded words in the index's field of stems."""
    tag = language_tag(language)
    if tag not in ALGORITHMS:
        return found
    known = _stems_of(tag)
    if len(known) > MAX_STEMS:
        known.clear()
    return list(map(known.__getitem__, found))


def stem_forms(word: str, languages: Sequence[str]) -> list[str]:
    """All that stands for a query's word in the field of stems, where the archive holds these languages (tags).

    In the languages of the North Aarhus is Århus too, and Soeren Søren, in those of the South Djoković Đoković; in
    German the stemmer sees to it.
    """
    forms = {_stems_of(tag)[word] if tag in ALGORITHMS else word: None for tag in languages}
    if "aa" in word or "oe" in word:
        respelled = word.replace("aa", "a").replace("oe", "o")
        forms |= {_stems_of(tag)[respelled]: None for tag in languages if tag in NORTHERN}
    if "dj" in word:
        crossed = word.replace("dj", "d")
        forms |= {_stems_of(t)[crossed] if t in ALGORITHMS else crossed: None for t in languages if t in SOUTHERN}
    return list(forms)


@lru_cache(1024)
def language_tag(language: str | None) -> str:
    """The primary subtag in lower case: "en" of "en-GB"; "" where unknown."""
    return re.split("[-_]", language.strip().lower(), maxsplit=1)[0] if language else ""


class _Stems(dict[str, str]):
    """The stem of each word met in a language: looking one up is ten times as fast as stemming it again."""

    def __init__(self, tag: str):
        self._stem = Stemmer.Stemmer(ALGORITHMS[tag], 0).stemWord
        self._prepare = {"ar": _without_article, "fa": _singular}.get(tag)
        self._suffix = "/" + tag

    def __missing__(self, word: str) -> str:
        prepared = word if self._prepare is None or word.isascii() else self._prepare(word)
        stem: str = self._stem(prepared) + self._suffix
        self[word] = stem = sys.intern(stem)  # one object for all forms, or the memory of a processor is too small
        return stem


def _without_article(word: str) -> str:
    """An Arabic word as Snowball's stemmer wants it, which it takes for another word where it sees an article."""
    # Most words are spared the expressions, which take ten times as long.
    if "ال" in word or "لل" in word:
        word = re.sub(_ARTICLE, "", word)
    if word.endswith(("ات", "ين", "ون")):
        for ending, singular in _ARABIC_PLURALS:
            word = re.sub(ending, singular, word)
    return word


def _singular(word: str) -> str:
    """A Persian word without the endings of a regular plural that Snowball's stemmer leaves on, and a last hamza."""
    if "ها" in word:
        word = re.sub(_PERSIAN_THINGS, "", word)
    if word.endswith("اء") and len(word) > 3:
        return word[:-1]
    if word.endswith("ان"):
        for ending, singular in _PERSIAN_PEOPLE:
            word = re.sub(ending, singular, word)
    return word


class _Stemmers(threading.local):
    """The stemmers of this thread: one that is shared between threads gives wrong stems."""

    def __init__(self) -> None:
        self.by_tag: dict[str, _Stems] = {}


_STEMMERS = _Stemmers()


def _stems_of(tag: str) -> _Stems:
    stems = _STEMMERS.by_tag.get(tag)
    if stems is None:
        stems = _STEMMERS.by_tag[tag] = _Stems(tag)
    return stems
