"""The ZIP around a document: opened only where nothing in it can hurt.

Refused by name: members that inflate to far more than their bytes, encrypted ones, names that leave the package,
members that overlap. Members are read up to the size that they declare, which zipfile holds them to; nothing is ever
written to disk, and a ZIP in a ZIP stays closed.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from muniment.ingest.decode import NoText

MAX_MEMBERS = 10_000
MAX_MEMBER = 64_000_000  # bytes of one member that is read, inflated
MAX_RATIO, SMALL = 200, 8_000_000  # how far a member over this many bytes may inflate
_MIME = b"mimetypeapplication/"


def kind_of(data: bytes) -> Literal["docx", "odt", "epub"]:
    """What the package is, by its own statement or its members; raises NoText."""
    head = data[30:120]
    if head.startswith(_MIME + b"epub+zip"):
        return "epub"
    if head.startswith(_MIME + b"vnd.oasis.opendocument.text"):
        return "odt"
    if head.startswith(_MIME + b"vnd.oasis.opendocument."):
        raise NoText("unsupported: an OpenDocument file that is no text")
    names = set(_opened(data).namelist())
    if "META-INF/container.xml" in names and any(name.endswith(".opf") for name in names):
        return "epub"
    if "content.xml" in names and "META-INF/manifest.xml" in names:
        return "odt"
    if "[Content_Types].xml" in names or "_rels/.rels" in names:
        if any(name.startswith("word/") for name in names):
            return "docx"
        if any(name.startswith(("xl/", "ppt/")) for name in names):
            raise NoText("unsupported: a table or slides of Office")
        return "docx" if any(name.endswith("document.xml") for name in names) else _no_document()
    return _no_document()


def _no_document() -> Literal["docx"]:
    raise NoText("not-text: looks like ZIP")


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, IndexError) as e:
        raise NoText("not-text: looks like ZIP, and is broken") from e


class Package:
    """A document's package; raises NoText where it should not be opened. `kind` is its name for people ("ODT")."""

    def __init__(self, data: bytes, kind: str):
        self.kind = kind
        self._zip = _opened(data)
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise NoText(f"unsafe-archive: {len(members)} members")
        end = 0
        for member in sorted(members, key=lambda m: m.header_offset):
            _check(member, kind)
            if member.header_offset < end:
                raise NoText("unsafe-archive: members overlap")
            end = member.header_offset + 30 + member.compress_size
        self.names = {member.filename: member for member in members}

    def read(self, name: str) -> bytes | None:
        """A member's bytes; None where there is no such member. Raises NoText where it is broken or too large."""
        member = self.names.get(name)
        if member is None:
            return None
        if member.file_size > MAX_MEMBER:
            raise NoText(f"too-large: {name[:80]}")
        try:
            return self._zip.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError) as e:
            raise NoText(f"broken: {self.kind}, {name[:80]}") from e

    def xml(self, name: str) -> Element | None:
        """A member as XML; None where there is no such member. Raises NoText where it is none, or has entities."""
        data = self.read(name)
        if data is None:
            return None
        return parse_xml(data, f"{self.kind}, {name[:80]}")

    def refuse_entities(self) -> None:
        """Raises NoText where XML that somebody else will parse declares entities, in any encoding."""
        for name in self.names:
            if name.endswith((".xml", ".rels")) and b"<!ENTITY" in (self.read(name) or b"").replace(b"\0", b""):
                raise NoText(f"unsafe-xml: {self.kind}, {name[:80]}")


def _check(member: zipfile.ZipInfo, kind: str) -> None:
    name = member.filename
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or ":" in parts[0]:
        raise NoText(f"unsafe-archive: the name {name[:80]!r}")
    if member.flag_bits & 1:
        raise NoText(f"encrypted: {kind}")
    if member.file_size > SMALL and member.file_size > MAX_RATIO * max(1, member.compress_size):
        raise NoText(f"content-bomb: {name[:80]}")


def parse_xml(data: bytes, what: str) -> Element:
    """The root of an XML document from outside: entities of its own, external ones and DTDs from afar are refused."""
    try:
        root: Element = ElementTree.fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as e:
        raise NoText(f"unsafe-xml: {what}") from e
    except (ParseError, ValueError, LookupError) as e:
        raise NoText(f"broken: {what}: {e}"[:200]) from e
    return root
