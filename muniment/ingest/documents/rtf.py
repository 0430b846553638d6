"""RTF 1.9 to paragraphs, and what its `info` group says.

A font names the code page of the bytes set in it; `\\u` gives characters by number, with a fallback for old readers
behind it, which is passed over. Of the groups that hold no running text (tables of fonts, pictures, headers) nothing
is kept, nor of those marked as unknown to old readers, but for the few that hold text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from muniment.ingest.documents.document import Document, one_line, people, plausible_date, plausible_title, words

_TOKEN = re.compile(rb"\\(?:'([0-9a-fA-F]{2})|([a-zA-Z]{1,32})(-?\d{1,10})? ?|([^a-zA-Z]))|([{}])|([^\\{}\r\n]+)")
_SKIPPED = words(
    """fonttbl colortbl stylesheet listtable listoverridetable revtbl rsidtbl generator pict objdata header headerl
    headerr headerf footer footerl footerr footerf fldinst filetbl themedata colorschememapping datastore
    latentstyles xmlnstbl listtext pntext pntxta pntxtb bkmkstart bkmkend template annotation atnid atnauthor
    atntime atnicn atnref nonshppict formfield mmathPr pgptbl private1 userprops do list listoverride listpicture
    listlevel sp tc xe info comment doccomm keywords company manager category hlinkbase vern"""
)
_KEPT = frozenset({"shptxt", "shpinst", "flymaincnt"})  # marked with \*, and hold text
_INFO = frozenset({"title", "author", "operator", "subject"})
_TIMES = frozenset({"creatim", "revtim"})
_UNITS = {"yr": 0, "mo": 1, "dy": 2}
_LETTERS = {
    "par": "\n", "sect": "\n", "page": "\n", "line": "\n", "row": "\n", "tab": "\t", "cell": "\t", "nestcell": "\t",
    "nestrow": "\n", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "emspace": "\u2003", "enspace": "\u2002", "zwj": "\u200d", "zwnj": "\u200c", "ltrmark": "\u200e",
    "rtlmark": "\u200f", "softline": "\n", "chdate": "", "qmspace": "\u2005",
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "\u2011", b"-": "", b"\n": "\n", b"\r": "\n", b"{": "{", b"}": "}", b"\\": "\\"}
_CHARSETS = {
    0: "cp1252", 77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
MAX_DEPTH = 1_000  # groups in groups


@dataclass(frozen=True, slots=True)
class _State:
    """What holds within a group: where text goes ("" the text, "-" nowhere, else a field), its font, how many
    characters of a fallback follow each `\\u`."""

    place: str = ""
    font: int = 0
    fallback: int = 1
    is_hidden: bool = False


@dataclass(slots=True)
class _Reader:
    codec: str = "cp1252"
    default_font: int = 0
    fonts: dict[int, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=lambda: {"": []})
    times: dict[str, list[int]] = field(default_factory=dict)
    pending: bytearray = field(default_factory=bytearray)  # bytes of one font, decoded together


def read_rtf(data: bytes) -> Document:
    """The document's text; what is malformed is read as far as it makes sense."""
    reader = _Reader()
    _read(reader, data)
    text = _joined(reader.texts[""])
    said = {f"rtf:{name}": value for name in sorted(_INFO) if (value := one_line(_joined(reader.texts.get(name, []))))}
    for name, (year, month, day) in sorted(reader.times.items()):
        if 1000 <= year <= 2200 and 1 <= month <= 12 and 1 <= day <= 31:
            said[f"rtf:{name}"] = f"{year:04}-{month:02}-{day:02}"
    title, authors = plausible_title(said.get("rtf:title", "")), people([said.get("rtf:author", "")])
    return Document(
        text=text,
        title=title,
        title_origin="rtf:title" if title else "",
        authors=authors,
        authors_origin="rtf:author" if authors else "",
        published=plausible_date(said.get("rtf:creatim", "")),
        published_origin="rtf:creatim",
        said=said,
        decoding="rtf",
    )


def _joined(pieces: list[str]) -> str:
    """The pieces as text; characters beyond 16 bits come as two halves."""
    text = "".join(pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return "\n".join(filter(None, (line.strip() for line in text.split("\n"))))


def _tokens(data: bytes) -> Iterator[tuple[re.Match[bytes], bool]]:
    """The tokens, and whether the group that one opens is marked `\\*`; what `\\bin` counts is passed over."""
    at = 0
    while m := _TOKEN.search(data, at):
        at = m.end()
        if m[2] == b"bin" and m[3]:
            at += max(0, int(m[3]))
        yield m, m[5] == b"{" and data[at : at + 2] == b"\\*"


def _read(reader: _Reader, data: bytes) -> None:
    state, stack, skip, just_opened = _State(), list[_State](), 0, False
    for m, marked in _tokens(data):
        byte, word, number, symbol, brace, text = m.groups()
        if skip and (byte or text):  # the fallback of the last \u
            if byte:
                skip -= 1
                continue
            text, skip = text[skip:], max(0, skip - len(text))
        elif brace or word:
            skip = 0
        if text:
            _put(reader, state, bytes(text))
        elif byte:
            _put(reader, state, bytes([int(byte, 16)]))
        elif brace == b"{":
            _flush(reader, state)
            if len(stack) < MAX_DEPTH:
                stack.append(state)
            state = replace(state, place="?" + state.place) if marked else state
        elif brace == b"}":
            _flush(reader, state)
            state = stack.pop() if stack else state
        elif symbol and symbol != b"*":
            _flush(reader, state)
            _emit(reader, state, _SYMBOLS.get(symbol, ""))
        elif word:
            _flush(reader, state)
            name, value = word.decode(), int(number) if number else None
            if name == "u" and value is not None:
                _emit(reader, state, chr(value & 0xFFFF))
                skip = state.fallback
            else:
                state = _command(reader, state, name, value, just_opened or state.place.startswith("?"))
        just_opened = brace == b"{" or (symbol == b"*" and just_opened)
    _flush(reader, state)


def _command(reader: _Reader, state: _State, name: str, value: int | None, opens: bool) -> _State:
    """The state after a control word; `opens`: it is the first of its group, and may name a destination."""
    if opens:
        marked = state.place.startswith("?")
        if name == "upr" or (state.place.startswith("=") and not marked):  # the same in ANSI stands before \ud
            return replace(state, place="=" + state.place.lstrip("=?"))
        if marked and name == "ud":
            return replace(state, place=state.place.lstrip("=?"))
        if name in _INFO or name in _TIMES:
            reader.times.setdefault(name, [0, 0, 0]) if name in _TIMES else reader.texts.setdefault(name, [])
            return replace(state, place=name)
        if name == "fonttbl":
            return replace(state, place="fonttbl")
        if name in _SKIPPED or (marked and name not in _KEPT):
            return replace(state, place="-")
        if marked:
            state = replace(state, place=state.place[1:])
    if name == "ansicpg" and value:
        reader.codec = _codec(f"cp{value}") or reader.codec
    elif name == "mac":
        reader.codec = "mac-roman"
    elif name == "deff":
        reader.default_font = value or 0
        return replace(state, font=value or 0)
    elif name == "f" and value is not None:
        return replace(state, font=value)
    elif name == "fcharset" and state.place == "fonttbl" and value in _CHARSETS and value != 0:
        reader.fonts[state.font] = _CHARSETS[value]
    elif name == "uc":
        return replace(state, fallback=min(max(value or 0, 0), 100))
    elif name == "plain":
        return replace(state, font=reader.default_font, is_hidden=False)
    elif name == "v":
        return replace(state, is_hidden=value != 0)
    elif name in _UNITS and state.place in _TIMES:
        reader.times[state.place][_UNITS[name]] = value or 0
    elif name in _LETTERS:
        _emit(reader, state, _LETTERS[name])
    return state


def _codec(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _put(reader: _Reader, state: _State, content: bytes) -> None:
    if state.place in reader.texts and not state.is_hidden:
        reader.pending += content


def _flush(reader: _Reader, state: _State) -> None:
    if reader.pending:
        codec = reader.fonts.get(state.font, reader.codec)
        reader.texts[state.place].append(reader.pending.decode(codec, "replace"))
        reader.pending.clear()


def _emit(reader: _Reader, state: _State, text: str) -> None:
    if state.place in reader.texts and not state.is_hidden:
        reader.texts[state.place].append(text)
