"""Conditions on dates, shares, states and values of few kinds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date

from muniment.index import query
from muniment.kinds import KINDS
from muniment.search import dates
from muniment.search.dates import Interval
from muniment.search.proposals import like, meant
from muniment.search.syntax import Fuzzy, Leaf, Pattern, Phrase, Range, Word
from muniment.search.words import Refusal

FLAGS = ("paywall", "cookie-wall", "soft-404")
_COMPARED = re.compile(r"(<=|>=|<|>|=)(.+)")
_SPREAD = re.compile(r"([\d.]*?)\.\.([\d.]*)")
_SHARE = re.compile(r"0|1|0?\.[0-9]{1,3}|1\.0{1,3}", re.ASCII)


def _known(field: str) -> query.Query:
    return query.Not(query.Term(field, ""))


def _any_word(field: str) -> query.Query:
    """A condition and no words, so that it is neither scored nor marked."""
    return query.Not(query.Not(query.Prefix(field, "")))


_DATED = query.Range("last_day")
WITHDRAWN = query.Term("is", "withdrawn")  # no engine knows it: muniment/withdrawn.py answers
HAS = {
    **{field: _any_word(field) for field in ("title", "text", "author", "removed")},
    **{field: _known(field) for field in ("source", "language", "tag", "collection", "flag")},
    "date": _DATED, "confidence": query.Range("confidence"), "versions": query.Term("alone", "no"), "note": "note",
}  # fmt: skip
IS = {
    "latest": query.Term("latest", "yes"), "earlier": query.Term("latest", "no"), "flagged": _known("flag"),
    "dated": _DATED, "undated": query.Not(_DATED), "upload": query.Term("kind", "upload"), "scanned": "scanned",
    "withdrawn": WITHDRAWN,
}  # fmt: skip
EXAMPLES = {"has": "has:author", "is": "is:latest"}
_ALSO = {"published": "date", "tags": "tag", "authors": "author", "notes": "note", "version": "versions",
         "collections": "collection", "flags": "flag", "newest": "latest", "older": "earlier", "uploaded": "upload",
         "lang": "language"}  # fmt: skip
_TONGUES = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "farsi": "fa",
    "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "norwegian": "no", "persian": "fa",
    "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "spanish": "es", "swedish": "sv",
    "turkish": "tr", "ukrainian": "uk", "urdu": "ur",
}  # fmt: skip


_BY_THREE = {
    "ara": "ar", "ben": "bn", "ces": "cs", "chi": "zh", "cze": "cs", "dan": "da", "deu": "de", "dut": "nl", "ell": "el",
    "eng": "en", "fas": "fa", "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gre": "el", "heb": "he", "hin": "hi",
    "hun": "hu", "ind": "id", "ita": "it", "jpn": "ja", "kor": "ko", "nld": "nl", "nor": "no", "per": "fa", "pol": "pl",
    "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "spa": "es", "swe": "sv", "tur": "tr", "ukr": "uk", "urd": "ur",
    "zho": "zh",
}  # fmt: skip


def state(leaf: Leaf, lookup: Callable[[str], Sequence[int]] | None) -> query.Query:
    """The tree of `has:author`, `is:latest`. What only the archive knows becomes the numbers that `lookup` gives."""
    field, name, place = leaf.field or "is", leaf.text, leaf.place
    if not isinstance(leaf, (Word, Phrase)):
        raise Refusal(f"{field}: takes a name, such as {EXAMPLES[field]}", place)
    known = HAS if field == "has" else IS
    plain = name.lower().strip()
    found = known.get(_ALSO.get(plain, plain))
    if found is None:
        other = "is" if field == "has" else "has"
        if plain in (IS if field == "has" else HAS):
            raise Refusal(f"did you mean {other}:{plain}?", place)
        names = ", ".join(f"{field}:{name}" for name in known)
        raise Refusal(f"there is no {field}:{plain}{meant(plain, known, field + ':{}')} (there are {names})", place)
    if isinstance(found, str):
        if lookup is None:
            raise Refusal(f"{field}:{found} can be asked of an archive only", place)
        return query.AnyOf("number", tuple(lookup(found)))
    return found


def check_value(field: str, text: str, place: int) -> None:
    """Raises Refusal for a value that nothing can have: an unknown flag or kind, a language by its name."""
    plain = text.strip().lower()
    if field == "language" and plain in _BY_THREE:
        raise Refusal(
            f"languages have codes of two letters where there is one: did you mean language:{_BY_THREE[plain]}?", place
        )
    if field == "language" and not re.fullmatch(r"[a-z]{2,3}([-_]\w+)*", plain):
        tag = _TONGUES.get(like(plain, _TONGUES) or "")
        said = f"did you mean language:{tag}?" if tag else "write language:en, language:fa"
        raise Refusal(f"{text!r} is no language's code of two or three letters: {said}", place)
    names = {"flag": FLAGS, "kind": KINDS}.get(field)
    if names and plain and plain not in names:
        listed = ", ".join(names)
        raise Refusal(f"there is no {field} {text!r}{meant(plain, names, field + ':{}')} (there are {listed})", place)


def share(node: Leaf) -> query.Query:
    """A condition on a share from 0 to 1, which the index holds in thousandths."""
    field, text, place = node.field or "confidence", _in_ascii_digits(node.text), node.place
    spread = _SPREAD.fullmatch(text)
    if spread or isinstance(node, Range):
        ends = (node.low, node.high) if isinstance(node, Range) else spread.groups() if spread else ()
        low, high = (_thousandths(field, end, place) if end else None for end in ends)
        if low is None and high is None:
            raise Refusal(f"a range needs at least one end: {field}:0.5..0.8", place)
        if low is not None and high is not None and low > high:
            raise Refusal("this range ends before it begins: swap its ends", place)
        without = (node.without_low, node.without_high) if isinstance(node, Range) else (False, False)
        return query.Range(field, low, high, not without[0], not without[1])
    if text == "*":
        return query.Range(field)
    found = _COMPARED.fullmatch(text)
    if found is None or found[1] == "=" or isinstance(node, (Pattern, Fuzzy)):
        raise Refusal(f"write {field}:<0.7, {field}:>=0.9 or {field}:0.5..0.8", place)
    value = _thousandths(field, found[2], place)
    if found[1].startswith("<"):
        return query.Range(field, None, value, True, found[1] == "<=")
    return query.Range(field, value, None, found[1] == ">=", True)


def _in_ascii_digits(text: str) -> str:
    return "".join(str(int(character)) if character.isdecimal() else character for character in text)


def _thousandths(field: str, text: str, place: int) -> int:
    if not _SHARE.fullmatch(text):
        raise Refusal(f"{field} is a number from 0 to 1, with at most three decimals, such as 0.7", place)
    return round(float(text) * 1000)


def dated(node: Leaf, today: date) -> query.Query:
    """A condition on the day of publication or of capture."""
    name, place = node.field or "published", node.place
    if name in (*query.WORD_FIELDS, "exact"):
        raise Refusal(f"write {name}:[a TO b]; .. is for dates", place)
    if isinstance(node, Range) and name not in ("published", "date", "captured"):
        raise Refusal(f"{name}: takes one date", place)
    if isinstance(node, Range):
        first, last = (_interval(end, place, today) if end and end != "*" else None for end in (node.low, node.high))
        if first is None and last is None:
            raise Refusal(f"a range needs at least one end: {name}:[2019 TO 2021], {name}:2019..", place)
        if first and last and first[0] > last[1]:
            raise Refusal("this range ends before it begins: swap its ends", place)
        return between(name, first, last, not node.without_low, not node.without_high)
    if isinstance(node, Fuzzy):
        raise Refusal(f"~ does not work in {name}: give a range such as 2019..2021", place)
    if isinstance(node, Pattern):
        if node.text != "*" or name not in ("published", "date", "captured"):
            raise Refusal(f"* does not work in dates: {dates.HOW_TO}", place)
        return between(name, None, None)
    sign, text = "", node.text
    if compared := _COMPARED.fullmatch(text):
        if name not in ("published", "date", "captured"):
            raise Refusal(f"{name}: takes one date; {compared[1]} goes with published: and captured:", place)
        sign, text = compared[1], compared[2]
        place += len(sign)
    when = _interval(text, place, today)
    if name == "before" or sign == "<":
        return between("captured" if name == "captured" else "published", None, when, include_last=False)
    if name == "after" or sign == ">":
        return between("captured" if name == "captured" else "published", when, None, include_first=False)
    if name == "since" or sign == ">=":
        return between("captured" if name == "captured" else "published", when, None)
    if name == "until" or sign == "<=":
        return between("captured" if name == "captured" else "published", None, when)
    return between(name, when, when)


def _interval(text: str, place: int, today: date) -> Interval:
    try:
        return dates.interval(text, today)
    except ValueError as e:
        raise Refusal(str(e), place) from None


def between(
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
    return dates.published(
        dates.number(first[0 if include_first else 1]) if first else None,
        dates.number(last[1 if include_last else 0]) if last else None,
        strictly=(not include_first, not include_last),
    )
