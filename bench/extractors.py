"""The extractors that muniment's cleaning is measured beside: each takes a decoded page and gives its text.

readability-lxml and newspaper4k are no dependencies of the project: bench/extraction.py has the commands that make an
environment with them. What is not installed is named and left out.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

Extract = Callable[[str], str]


def available() -> Iterator[tuple[str, Extract | None]]:
    """(name with version, extractor), or (name, None) where it is not installed."""
    for name, package, make in (
        ("trafilatura default", "trafilatura", _trafilatura),
        ("trafilatura precision", "trafilatura", partial(_trafilatura, favor_precision=True)),
        ("trafilatura recall", "trafilatura", partial(_trafilatura, favor_recall=True)),
        ("resiliparse", "resiliparse", _resiliparse),
        ("readability-lxml", "readability-lxml", _readability),
        ("jusText", "justext", _justext),
        ("newspaper4k", "newspaper4k", _newspaper),
    ):
        try:
            extract = make()
            yield f"{name} {version(package)}", extract
        except ImportError:
            yield name, None


def _trafilatura(**mode: bool) -> Extract:
    extract: Any = importlib.import_module("trafilatura").extract
    return lambda page: extract(page, include_comments=False, deduplicate=False, **mode) or ""


def _resiliparse() -> Extract:
    plain: Any = importlib.import_module("resiliparse.extract.html2text").extract_plain_text
    return lambda page: str(plain(page, main_content=True, alt_texts=False, list_bullets=False, comments=False))


def _readability() -> Extract:
    document: Any = importlib.import_module("readability").Document
    from lxml.html import document_fromstring

    def extract(page: str) -> str:
        tree: Any = document_fromstring(document(page).summary())
        for block in tree.iter("p", "div", "li", "h1", "h2", "h3", "h4", "blockquote", "br", "tr"):
            block.tail = "\n" + (block.tail or "")
        return str(tree.text_content())

    return extract


def _justext() -> Extract:
    justext: Any = importlib.import_module("justext")
    words = frozenset().union(*map(justext.get_stoplist, justext.get_stoplists()))  # as trafilatura asks it

    def extract(page: str) -> str:
        found = justext.justext(page, words, 50, 150, 0.1, 0.2, 0.3, 150, True)
        return "\n".join(paragraph.text for paragraph in found if not paragraph.is_boilerplate)

    return extract


def _newspaper() -> Extract:
    article: Any = importlib.import_module("newspaper").Article

    def extract(page: str) -> str:
        found = article("http://localhost/", fetch_images=False)
        found.download(input_html=page)
        found.parse()
        return str(found.text)

    return extract
