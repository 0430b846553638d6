"""Text to words: the one analyzer, shared by every engine, by the query language and by the snippets.

Each text is indexed twice: as folded words (`words`) and as stems in the article's language (stemming.py). What
counts as the same word:

* **Letters.** NFKC and case folding; then Latin and Greek letters lose their accents (cafe finds café and café cafe),
  ß is ss, ø o, æ ae, ı i; Cyrillic keeps й but ё is е. Arabic and Persian forms of one letter are one (ي ى ی, ك ک,
  ة ه, أ إ آ ا, ؤ و, ئ ي); harakat, tatweel, niqqud, bidi marks and soft hyphens are nothing. Marks that are part of a
  letter in Indic scripts stay. Digits of every script are 0 to 9. A hamza that is written on several seats within one
  word has one there (`_SEATS`): مسئول, مسؤول and مسوول are one word; but ویدئو is ویدیو, and شئون is not شیون.
* **Persian joints.** A zero-width non-joiner is a space, and then the affixes مي, نمي, ها, هاي, تر and their like are
  joined to their word: می‌خواهم, می خواهم and میخواهم are one word, so are کتاب‌ها, کتاب ها and کتابها. Compounds
  written with it (دانش‌آموز) are two words, as with a space; and where stems are, the joined word too (`compounds`).
* **Points and signs.** An apostrophe splits (l'élection is l and election), but a possessive 's is nothing. U.S. is us;
  C++, C# are words. Any other sign splits: AT&T, an e-mail or web address, co-operate are asked for as a phrase.
* **Scripts without spaces.** Runs of Han, Kana, Hangul, Thai, Lao, Khmer and Myanmar become overlapping pairs of
  characters and the last character: 東京都 is 東京, 京都, 都. A query leaves out the last one, so that a run is found
  anywhere inside a longer run, and a single character as the start of a pair.
* **Long words** are cut at 64 characters, in the index and in queries alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import Stemmer

VERSION = f"5 stemmer {Stemmer.version()} unicode {unicodedata.unidata_version}"
MAX_WORD = 64
LONGEST_KNOWN = 40  # letters of a piece of text whose compounds are remembered
Span = tuple[str, int, int]


_LETTERS = {
    **dict.fromkeys("ىیئېۍے", "ي"),
    **dict.fromkeys("کڪ", "ك"),
    **dict.fromkeys("ةۀەہۂۃھ", "ه"),
    **dict.fromkeys("أإآٱ", "ا"),
    **dict.fromkeys("’‘ʼ`´＇", "'"),
    "ؤ": "و", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ё": "е", "_": " ",
    "\u0640": "", "\u200c": "\u200c",
}  # fmt: skip
_MARKS = ("\u0300", "\u036f"), ("\u0591", "\u05c7"), ("\u0610", "\u061a"), ("\u064b", "\u065f"), ("\u06d6", "\u06ed")
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_SPACELESS += "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
_MAY_BE_SPACELESS = re.compile("[^\x00-\u0dff]")  # as the set of what is above it takes 6 ms to compile
# \w leaves out the vowel signs of Indic and other scripts, which are part of a word.
_LETTER = r"[\w\u0900-\u0963\u0966-\u0dff\u0e00-\u0eff\u0f71-\u0f84\u1000-\u109f\u1780-\u17d3]"
_POSSESSIVE = r"'s(?<=\w's)(?!\w)"  # what begins with a letter is looked for 20 times as fast
_INITIALS = r"(?<![\w.])(?:[a-z]\.){2,}(?:[a-z](?!\w))?"
_TOKEN = re.compile(f"{_POSSESSIVE}|{_INITIALS}|[a-z](?:\\+\\+|#)(?!\\w)|{_LETTER}+")
_MAY_BE_INITIALS = re.compile(r"\.[a-z]\.")
_NON_JOINER = re.compile("(?<=[\u0600-\u06ff])\u200c+")
# The hamza of one word on several seats, in texts of the last 100 years: mas'ul, shu'un, ru'us, ra'uf; hay'at, mas'ale,
# jur'at, nash'at; su'al with two seats, the second of which is a tatweel here and so nothing; qira'at, bara'at.
# Strings, since an archive in English never needs them compiled.
_SEATS = (
    ("ئ(?:(?<=مسئ)(?=و)|(?<=شئ)(?=ون)|(?<=رئ)(?=وس|وف))", "ؤ"),
    ("ئ(?:(?<=ه[يیى]ئ)(?=[تةه]|ات)|(?<=مسئ)(?=ل)|(?<=جرئ|نشئ)(?=ت))", "أ"),
    ("ئو(?<=سئو)(?=ال)", "ؤ\u0640"),
    ("ء(?:(?<=رء)(?=وس)|(?<=شء)(?=ون))", "ؤ"),
    ("ء(?<=[قب]راء)(?=ت)", "ئ"),
)
_BEFORE = frozenset({"مي", "نمي"})
_KEPT = "'.+#\u200c"  # signs that mean something beside letters
_AFTER = frozenset({"ها", "هاي", "هايي", "هايم", "هايت", "هايش", "هايمان", "هايتان", "هايشان", "تر", "ترين", "ترها"})
_AFFIXES = _BEFORE | _AFTER
_ARABIC = re.compile("[\u0620-\u064a\u0671-\u06d3]")  # Persian's own letters too: پ چ ژ گ


class _Folding(dict[int, str]):
    """A table for str.translate that works out each character when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = folded = _fold_character(character)
        return folded


class _Separating(dict[int, str]):
    """As `_Folding`, and what is no part of a word is a space."""

    def __missing__(self, code: int) -> str:
        folded = _FOLDING[code]
        spaced = "".join(c if c in _KEPT or re.match(_LETTER, c) else " " for c in folded)
        self[code] = spaced
        return spaced


def _fold_character(character: str) -> str:
    if character in _LETTERS:
        return _LETTERS[character]
    if any(first <= character <= last for first, last in _MARKS):
        return ""
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if unicodedata.name(character, "").startswith(("LATIN", "GREEK")):
        base = unicodedata.normalize("NFD", character)[0]
        return _LETTERS.get(base, base)
    return character


_FOLDING = _Folding()
_COMPOUND = re.compile("[\u0600-\u06ff]++(?:\u200c++[\u0600-\u06ff]++)++")
_SEPARATING = _Separating()
_PLAIN_SPACES = str.maketrans({code: " " for code in range(128) if not chr(code).isalnum()})


def fold(text: str) -> str:
    """The text with letters folded as the module's head says; not yet split, a zero-width non-joiner still in it."""
    if text.isascii():
        return _lowered(text)
    return _seated(_composed(text)).translate(_FOLDING)


def _lowered(ascii_text: str) -> str:
    return ascii_text.lower().replace("_", " ").replace("`", "'")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _seated(composed: str) -> str:
    """The text, of the same length, with each hamza on the seat that its word has in the index."""
    if "ئ" in composed or "ء" in composed:
        for misplaced, seat in _SEATS:
            composed = re.sub(misplaced, seat, composed)
    return composed


@lru_cache(4096)  # the same sources and tags come with every article
def fold_value(value: str) -> str:
    """A source, tag or other whole value as it is compared: folded, its white space single."""
    return " ".join(fold(value).replace("\u200c", " ").split())


def words(text: str) -> list[str]:
    """The folded words of a text, in order: those of `spans`."""
    if text.isascii():
        return _split(_lowered(text))
    found = _split(_seated(_composed(text)).translate(_SEPARATING))
    return found if _AFFIXES.isdisjoint(found) else _with_affixes(found)


@lru_cache(2)
def words_once(text: str) -> list[str]:
    """As `words`, for those who ask for the same text one after the other. Not to be changed."""
    return words(text)


def compounds(text: str) -> list[str]:
    """What a text has of words that are joined by a zero-width non-joiner, each as one word, affixes aside.

    They stand in the index beside the stems, which have no order: so روزنامهنگار finds روزنامه‌نگار.
    """
    return [word for word, _, _ in compound_spans(text)]


def compound_spans(text: str) -> list[Span]:
    """As `compounds`, each with where it stands."""
    found: list[Span] = []
    end, at = 0, text.find("\u200c")
    while at >= 0:
        start, end = text.rfind(" ", end, at) + 1 or end, text.find(" ", at)
        piece = text[start:end] if end >= 0 else text[start:]
        spans = _compounds_in(piece) if len(piece) <= LONGEST_KNOWN else _compounds_in.__wrapped__(piece)
        found += [(word, start + first, start + last) for word, first, last in spans]
        at = text.find("\u200c", end) if end >= 0 else -1
    return found


@lru_cache(20_000)
def _compounds_in(piece: str) -> list[Span]:
    found = ((words(match[0]), match) for match in _COMPOUND.finditer(piece))
    # Affixes leave a single word.
    return [("".join(parts)[:MAX_WORD], match.start(), match.end()) for parts, match in found if len(parts) > 1]


def query_words(text: str) -> list[str]:
    """The words as a query asks for them: as `words`, less the last character of a run without spaces."""
    found = words(text)
    if len(found) > 1 and len(found[-1]) == 1 and found[-1] == found[-2][1:] and is_spaceless(found[-1]):
        found.pop()
    return found


def is_one_word(left: str, right: str) -> bool:
    """Whether two words side by side are one word of the index: one of them a Persian affix."""
    if left.isascii() or right.isascii():
        return False
    lefts, rights = words(left), words(right)
    return bool(lefts and rights) and _are_joined(lefts[-1], rights[0])


def is_spaceless(word: str) -> bool:
    """Whether the word is of a script that writes no spaces (or is treated so)."""
    return _MAY_BE_SPACELESS.match(word) is not None and _spaceless_runs().match(word) is not None


def runs_without_spaces(text: str) -> list[tuple[int, int]]:
    """Where the runs of scripts that write no spaces stand in a text: (start, end)."""
    if _MAY_BE_SPACELESS.search(text) is None:
        return []
    return [match.span() for match in _spaceless_runs().finditer(text)]


@lru_cache(1)
def _spaceless_runs() -> re.Pattern[str]:
    # Takes 3 ms to compile, which most searches can do without.
    return re.compile(f"([{_SPACELESS}]+)")


def spans(text: str) -> list[Span]:
    """The words of `words`, each with where it stands in the text: (word, start, end).

    Many times slower than `words`: for passages, not for articles.
    """
    folded, places = _fold_in_place(text)
    found = [
        # The end of a token is the end of its last character's cluster: its accents too.
        (word, places[m.start()], _cluster_end(text, places[m.end() - 1] + 1))
        for m in _TOKEN.finditer(folded)
        if (word := m[0].replace(".", "")) != "'s"
    ]
    found = [pair for word, start, end in found for pair in _pairs(word, start, end)]
    for place in reversed(_affixed([word for word, _, _ in found])):
        (left, start, _), (right, _, end) = found[place - 1 : place + 1]
        found[place - 1 : place + 1] = [(left + right, start, end)]
    return [(word[:MAX_WORD], start, end) for word, start, end in found]


def _split(folded: str) -> list[str]:
    """The words of a folded text, affixes not yet joined: what `_TOKEN` finds, in a third of its time, for most of the
    signs mean nothing."""
    ascii_only = folded.isascii()
    if not ascii_only and "\u200c" in folded:
        folded = _NON_JOINER.sub(" ", folded).replace("\u200c", "")
    if "#" in folded or "++" in folded:
        found = [w.replace(".", "") for w in _TOKEN.findall(folded) if w != "'s"]
    else:
        if "'s" in folded:
            folded = re.sub(_POSSESSIVE, " ", folded)
        if _MAY_BE_INITIALS.search(folded):
            folded = re.sub(_INITIALS, lambda m: m[0].replace(".", "") + " ", folded)
        if ascii_only:
            found = folded.translate(_PLAIN_SPACES).split()
        else:
            found = folded.replace("'", " ").replace(".", " ").replace("+", " ").split()
    if not ascii_only and _MAY_BE_SPACELESS.search(folded) and _spaceless_runs().search(folded):
        found = [word for token in found for word, _, _ in _pairs(token, 0, 0)]
    return [w[:MAX_WORD] for w in found] if max(map(len, found), default=0) > MAX_WORD else found


def _with_affixes(found: list[str]) -> list[str]:
    made: list[str] = []
    at = 0
    for place in _affixed(found):
        made += found[at:place]
        made[-1] = (made[-1] + found[place])[:MAX_WORD]
        at = place + 1
    return made + found[at:]


def _affixed(found: Sequence[str]) -> list[int]:
    """Which of the words belong to the one before them: Persian affixes and what follows them."""
    places: list[int] = []
    left, last = "", -1
    for place in [n + (word in _BEFORE) for n, word in enumerate(found) if word in _AFFIXES]:
        if place in (0, last, len(found)):
            continue
        # What was joined begins with the word that it began with, and is no affix that stands before a word.
        left = left if last == place - 1 else found[place - 1]
        if (found[place] in _AFTER or last != place - 1) and _are_joined(left, found[place]):
            places.append(place)
            last = place
    return places


def _are_joined(left: str, right: str) -> bool:
    prefixed = left in _BEFORE and _ARABIC.match(right) is not None
    return prefixed or (right in _AFTER and _ARABIC.match(left) is not None)


def _pairs(token: str, start: int, end: int) -> Iterator[Span]:
    """A token, its runs without spaces cut into overlapping pairs and the last character.

    The places inside a token assume that folding kept its length, as it does in these scripts.
    """
    if _MAY_BE_SPACELESS.search(token) is None or _spaceless_runs().search(token) is None:
        yield token, start, end
        return
    for n, part in enumerate(_spaceless_runs().split(token)):
        if n % 2:  # a run
            for i in range(len(part)):
                pair = part[i : i + 2]
                yield pair, start + i, start + i + len(pair)
        elif part:
            yield part, start, start + len(part)
        start += len(part)


_CLUSTER = re.compile(r".[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u3099\u309a]*", re.DOTALL)


def _fold_in_place(text: str) -> tuple[str, list[int]]:
    """The folded text without non-joiners, and for each of its characters the place of the one that it came from."""
    clusters = [(cluster.start(), _composed(cluster[0])) for cluster in _CLUSTER.finditer(text)]
    starts = [start for start, composed in clusters for _ in composed]
    folded: list[str] = []
    places: list[int] = []
    for start, character in zip(starts, _seated("".join(composed for _, composed in clusters)), strict=True):
        piece = _FOLDING[ord(character)]
        if piece == "\u200c":
            piece = " " if folded and _ARABIC.match(folded[-1]) else ""
        if piece:
            folded.append(piece)
        places += [start] * len(piece)
    return "".join(folded), places


def _cluster_end(text: str, end: int) -> int:
    cluster = _CLUSTER.match(text, end - 1)
    return cluster.end() if cluster else end
