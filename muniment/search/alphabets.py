"""Text in an alphabet of single bytes, one for each script, in which words are found at the speed of memory.

All letters that fold to one are the same byte, and what folds to several (ß) is a byte of its own; what is nothing to
the analyzer is the byte 0, to be taken out; every sign that parts words is a space, and so is what an alphabet has no
room for.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from itertools import islice, product
from typing import Any

from muniment.index import analysis

SPACE, IGNORED = 0x20, 0
MAX_SLOP = 5  # between the words of a phrase that are looked for together
_NO_LETTER = "\ufffe"
_PLAIN = "".join(map(chr, range(0x20, 0x7F)))
_SIGNS = "\n\t\r\xa0\u200c’“”–—…«»،؛؟"
_UNSEEN = "\u200d\u200e\u200f\xad\u0301"
_DIGITS = "".join(map(chr, (*range(0x660, 0x66A), *range(0x6F0, 0x6FA))))
_LATIN = (
    "".join(chr(code) for code in range(0xC0, 0x100) if chr(code).isalpha())
    + "œŒšŠžŽčČćĆđĐłŁąĄęĘśŚźŹżŻńŃřŘěĚůŮňŇťŤďĎőŐűŰğĞşŞıİăĂșȘțȚţŢāēīūņļ\u0300\u0302\u0303\u0308\u0327"
)
_ARABIC = "".join(map(chr, (*range(0x621, 0x656), 0x670, 0x671, *range(0x679, 0x6C4), *range(0x6CC, 0x6D6))))
_BLOCKS_OF_SCRIPTS = {"cyrillic": (*range(0x400, 0x460), *range(0x48A, 0x4C0)), "greek": tuple(range(0x370, 0x400))}
_PERSIAN_PREFIX = re.compile("^(ن?مي)(?=.)")
_PERSIAN_SUFFIX = re.compile("(?<=..)(ها?|ها(?:ي(?:ي|م|ت|ش|ما?|مان|تا|تان|شا|شان)?)?|تر?|تر(?:ين?|ها?)?)$")
# What a word of the index with its hamza on one seat (analysis.py) may look like, letter by letter.
_SEATS = {
    "مسوو": ("مسيو",), "شوون": ("شيون", "شءون"), "رووس": ("ريوس", "رءوس"), "رووف": ("ريوف",), "هيا": ("هيي",),
    "مسال": ("مسيل",), "جرات": ("جريت",), "نشات": ("نشيت",), "سوال": ("سيوال",),
    "قرايت": ("قراءت",), "برايت": ("براءت",),
}  # fmt: skip
_TWO_LETTERS = ("ss", "ae", "oe", "th")
_TWO = re.compile("ss|ae|oe|th|.", re.DOTALL)


def script_of(core: str) -> str:
    letter = next((c for c in core if not c.isdigit()), core[0])
    code = ord(letter)
    if code < 0x300 or 0x1E00 <= code < 0x1F00:
        return "latin"
    if 0x370 <= code < 0x400:
        return "greek"
    if 0x400 <= code < 0x530:
        return "cyrillic"
    return "arabic" if 0x600 <= code < 0x700 else str(code >> 7)


@lru_cache(256)
def forms_of(core: str, script: str, is_start: bool, is_whole: bool = False) -> list[bytes]:
    """How the letters may be written: initials with points, two letters as one, affixes apart from their word."""
    forms = [core]
    if is_start and 1 < len(core) < 6 and core.isascii() and core.isalpha():
        forms.append(" ".join(core))
    if script == "arabic":
        forms += [core.replace(seat, other) for seat, others in _SEATS.items() if seat in core for other in others]
        prefixed, suffixed = _PERSIAN_PREFIX.sub(r"\1 ", core), _PERSIAN_SUFFIX.sub(r" \1", core)
        forms += [prefixed, suffixed, _PERSIAN_SUFFIX.sub(r" \1", prefixed)]
    written = [way for form in dict.fromkeys(forms) for way in _in_bytes(form, script)]
    # One that ends, or begins, in the midst of two letters that may be written as one.
    codes = alphabet(script)[2]
    for two in _TWO_LETTERS if script == "latin" else ():
        one = bytes([codes[two]])
        if not is_whole and core.endswith(two[0]):
            written += [way[:-1] + one for way in _in_bytes(core, script)]
        if not is_start and core.startswith(two[1]):
            written += [one + way[1:] for way in _in_bytes(core, script)]
    return written


def _in_bytes(form: str, script: str) -> list[bytes]:
    """The bytes of folded letters; none where the alphabet lacks one. Each `ss` may also be a ß."""
    codes = alphabet(script)[2]
    pieces = _TWO.findall(form)
    ways: list[list[bytes]] = []
    for piece in pieces:
        apart = [codes.get(letter) for letter in piece]
        way = [bytes(code for code in apart if code is not None)] if None not in apart else []
        if len(piece) > 1 and (code := codes.get(piece)) is not None:
            way.append(bytes([code]))
        ways.append(way)
    return [b"".join(way) for way in islice(product(*ways), 16)]


@lru_cache(256)
def phrase_pattern(words: tuple[str, ...], slop: int, script: str) -> re.Pattern[bytes] | None:
    """Finds the words in this order, from the space before the first of them."""
    written = [forms_of(word, script, True, True) for word in words]
    if not all(written):
        return None
    between = rb"(?: s)? {1,20}" + (
        # Initials, and what stands before an apostrophe, are two words here.
        rb"(?:[^ ]{1,64} {1,20}){0,%d}?" % (2 * slop + 1) if slop else b""
    )
    choices = [
        b"(?:" + b"|".join(map(re.escape, forms)) + b")" if forms[1:] else re.escape(forms[0]) for forms in written
    ]
    return re.compile(b" " + between.join(choices) + b" " * (len(words[-1]) < analysis.MAX_WORD))


@lru_cache(1)
def ascii_folding() -> bytes:
    return bytes(c if chr(c).isalnum() or c in b"+#" else SPACE for c in range(128)).lower() + bytes(128)


@lru_cache(1)
def latin_folding() -> bytes:
    """As the second of `alphabet("latin")`, for what is encoded in Latin-1."""
    slots, folding, _ = alphabet("latin")
    table = bytearray([SPACE]) * 256
    for code in range(256):
        slot = codecs.charmap_encode(chr(code), "ignore", slots)[0]
        if slot:
            table[code] = folding[slot[0]]
    return bytes(table)


@lru_cache(16)
def alphabet(script: str) -> tuple[Any, bytes, dict[str, int]]:
    """From letters to slots; from slots to bytes; from folded letters, or what folds to several, to bytes."""
    letters = {"latin": _LATIN + _DIGITS, "arabic": _ARABIC + _DIGITS}.get(script)
    if letters is None:
        codes = _BLOCKS_OF_SCRIPTS.get(script) or range(int(script) << 7, (int(script) + 1) << 7)
        letters = "".join(map(chr, codes))
    # The first slot must be NUL's, or the encoder is ten times as slow; what has no slot is written as a question mark.
    slots = list(dict.fromkeys("\0" + _PLAIN + _SIGNS + _UNSEEN + letters))[:256]
    folding = bytearray(256)
    bytes_of: dict[str, int] = {" ": SPACE}
    for slot, letter in enumerate(slots):
        folded = analysis.fold(letter)
        if not folded:
            folding[slot] = IGNORED
        elif letter == "\0" or (folded not in "+#" and analysis.words(folded) != [folded]):
            folding[slot] = SPACE
        elif folded.isascii() and len(folded) == 1:
            folding[slot] = bytes_of[folded] = ord(folded)
        else:
            folding[slot] = bytes_of.setdefault(folded, 0x80 + sum(code >= 0x80 for code in bytes_of.values()))
    return codecs.charmap_build("".join(slots).ljust(256, _NO_LETTER)), bytes(folding), bytes_of
