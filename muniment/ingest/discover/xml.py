"""XML as the world writes it: elements one after another, with what is wrong and where. Pure.

No entity is ever expanded and no document type read, so that a bomb of entities stays the few bytes that it is:
declarations that nest or reach outside are refused, and others left as they stand. What breaks feeds most often
(stray ampersands, HTML's entities, control characters, a cut end) is mended or survived.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from html.entities import html5
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*>")
_DOCTYPE = re.compile(r"<!DOCTYPE\b[^\[>]*(?:\[([^\]]*(?:\](?!\s*>)[^\]]*)*)\]\s*)?>", re.I)
_ENTITY = re.compile(r"<!ENTITY\s+(%?)[^>\"']*(?:\"([^\"]*)\"|'([^']*)')?", re.I)
_OUTSIDE = re.compile(r"<!ENTITY\s+[^>\"']*\b(?:SYSTEM|PUBLIC)\b", re.I)
_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)([A-Za-z][A-Za-z0-9]{1,30};)?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_PROLOG = 65_536  # characters in which a document type may stand
_MAX_PROBLEM = 200
_MAX_MENDED = 3_000_000  # ampersands, or CDATA sections: there are not so many in 50 MB of anything honest
_SECONDS, _ON_THE_CLOCK, _LOOK_EVERY = 5.0, 10.0, 256  # CPU time, and on a busy machine; what was read by then is taken


class NotXml(ValueError):
    """It is no XML document that we would read; the message says why, with the line."""


class Elements:
    """The elements of a document, one after another; then look at `problem` ("line 3, column 7: …"; None where it is
    sound).

    They come at their end, with their children, and only those of the given names (without namespace); whoever takes
    one may clear it. `root` has no children yet. Raises NotXml where there is no element at all.
    """

    def __init__(self, text: str, names: tuple[str, ...]):
        from lxml.etree import XMLSyntaxError, iterparse

        self.problem: str | None = None
        self._names = frozenset(names)
        self._parsing = iterparse(
            BytesIO(_mended(text).encode()),
            events=("start", "end"),
            recover=True,
            encoding="utf-8",
            no_network=True,
            load_dtd=False,
            resolve_entities=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            self.root: _Element = next(iter(self._parsing))[1]
        except StopIteration:
            raise NotXml(self._logged() or "line 1: there is no element in it") from None
        except XMLSyntaxError as e:
            raise NotXml(_problem(e.lineno or 1, e.offset or 0, e.msg or "it is broken")) from e

    def __iter__(self) -> Iterator[_Element]:
        from lxml.etree import XMLSyntaxError

        wanted: dict[object, bool] = {}
        begun, since, given = time.process_time(), time.monotonic(), 0
        try:
            for event, element in self._parsing:
                tag = element.tag
                if event == "end":
                    if tag not in wanted:
                        wanted[tag] = local_name(element) in self._names
                    if wanted[tag]:
                        yield element
                        given += 1
                        if given % _LOOK_EVERY == 0 and (
                            time.process_time() - begun > _SECONDS or time.monotonic() - since > _ON_THE_CLOCK
                        ):
                            self.problem = f"line {element.sourceline or 1}: it is too long to be read to its end"
                            return
        except XMLSyntaxError as e:
            self.problem = _problem(e.lineno or 1, e.offset or 0, e.msg or "it is cut or broken")
        self.problem = self.problem or self._logged()

    def _logged(self) -> str | None:
        """The first error that the parser went on after."""
        errors = (entry for entry in self._parsing.error_log if entry.level_name in ("ERROR", "FATAL"))
        return next((_problem(error.line, error.column, error.message) for error in errors), None)


def local_name(element: _Element) -> str:
    """An element's name without its namespace or an undeclared prefix, in lower case."""
    return _local(element.tag)


@lru_cache(1024)
def _local(tag: object) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(tag, str) else ""


def text_of(element: _Element | None) -> str:
    """All text in an element, white space at its ends left out."""
    if element is not None and not len(element):
        return (element.text or "").strip()
    return "" if element is None else "".join(element.itertext()).strip()  # type: ignore[arg-type]  # as its stubs have it


def _problem(line: int, column: int, message: str) -> str:
    return f"line {line}, column {column}: {' '.join(message.split())[:_MAX_PROBLEM]}"


def _mended(text: str) -> str:
    """The document without its declaration and document type, with every reference one that needs no declaration."""
    if text.count("&") > _MAX_MENDED or text.count("<![CDATA[") > _MAX_MENDED // 10:
        raise NotXml("line 1: it has more ampersands or CDATA sections than would be read")
    text = _CONTROL.sub("", text)
    lines = 0
    if m := _DECLARATION.match(text):
        lines, text = m[0].count("\n"), text[m.end() :]
    start = text.find("<!DOCTYPE", 0, _PROLOG)
    start = text.find("<!doctype", 0, _PROLOG) if start < 0 else start
    if start >= 0:
        end = min(start + _PROLOG, len(text))
        m = _DOCTYPE.match(text, start, end)
        if m is None:
            raise NotXml(f"line {lines + text.count(chr(10), 0, start) + 1}: its document type has no end")
        _refuse_bombs(m[1] or "", lines + text.count("\n", 0, start) + 1)
        lines, text = lines + m[0].count("\n"), text[:start] + text[m.end() :]
    parts = text.split("<![CDATA[")
    mended = [_without_strays(parts[0])]
    for part in parts[1:]:
        inside, end_mark, rest = part.partition("]]>")
        mended += ["<![CDATA[", inside, end_mark, _without_strays(rest)]
    return "\n" * lines + "".join(mended)


def _without_strays(text: str) -> str:
    return _AMPERSAND.sub(_reference, text) if "&" in text else text


def _reference(m: re.Match[str]) -> str:
    """A stray ampersand as text, and one of HTML's entities as its character."""
    name = m[1]
    if name and name in html5:
        return escape(html5[name])  # `&LT;` is one, too
    return f"&amp;{name or ''}"


def _refuse_bombs(subset: str, line: int) -> None:
    if _OUTSIDE.search(subset):
        raise NotXml(f"line {line}: it declares an entity that lies outside, which is refused")
    for m in _ENTITY.finditer(subset):
        value = m[2] or m[3] or ""
        if m[1] or re.search(r"[&%](?!#)", value) or len(value) > 1000:
            raise NotXml(f"line {line}: it declares entities that expand without end, which are refused")
