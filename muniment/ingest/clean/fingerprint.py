"""The fingerprint of a cleaning: the rules and every library and table that its result can depend on.

Two articles with the same bytes and the same fingerprint are equal; `RULES` grows with any change of ours that can
change a result.
"""

from __future__ import annotations

import platform
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import cast, get_args

from muniment.ingest.decode import Kind

RULES = "3"

_SHARED = ("beautifulsoup4", "charset-normalizer", "chardet", "cchardet", "py3langid", "numpy", "hijridate")
_HTML = ("trafilatura", "lxml", "htmldate", "dateparser", "justext", "courlan", "resiliparse")
_PARTS = {
    "html": _HTML,
    "mail": _HTML,
    "pdf": ("pypdfium2",),
    "docx": ("lxml", "mammoth", "cobble"),
    "odt": ("defusedxml",),
    "epub": ("lxml", "defusedxml"),
    "markdown": ("lxml", "markdown-it-py"),
}


def current(extractor: str) -> Mapping[str, str] | None:
    """The settings that this cleaner has where it is the extractor of that id; None where it is another."""
    kind = extractor.removeprefix("muniment-").partition("/")[0]
    if kind not in get_args(Kind):
        return None
    here, settings = fingerprint(cast(Kind, kind))
    return dict(settings) if here == extractor else None


@cache
def fingerprint(kind: Kind) -> tuple[str, Mapping[str, str]]:
    """(extractor id, settings) for a kind of page, such as ("muniment-html/3", {"trafilatura": "2.3.1", …})."""
    settings = {"rules": RULES, "python": platform.python_version(), "unicode": unicodedata.unidata_version}
    for name in _SHARED + _PARTS.get(kind, ()):
        try:
            settings[name] = version(name)
        except PackageNotFoundError:
            continue  # chardet and cchardet are not ours, but change a guess where they are installed
    if "lxml" in settings:
        from lxml.etree import LIBXML_VERSION

        settings["libxml2"] = ".".join(map(str, LIBXML_VERSION))
    if kind in ("html", "mail"):
        settings["options"] = "consensus, no comments, no deduplication"
    return f"muniment-{kind}/{RULES}", MappingProxyType(settings)
