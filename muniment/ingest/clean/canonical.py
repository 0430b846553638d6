"""The address that a page names as its own, where that can be believed.

    link rel=canonical, then og:url      of the same site; no front page for a page that is none, and no section's page
    an AMP, print or mobile twin         names the page that it is a twin of in its canonical link

Publishers' templates get this wrong: the front page, the section's, another site's article that was taken over, a test
server. What is not of the page's own site, but for `www.`, `m.`, `amp.` and the like, is not believed.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urljoin, urlsplit

from muniment.ingest.clean.metadata import Declarations

_TWIN = re.compile(r"^(?:www\d?|m|mobile|mobil|amp|touch|wap|print)\.")
_OF_A_PAGE = re.compile(r"(?:amp|print(?:able|-version)?|mobile|index|page[-/]?|p)?[\d/-]*(?:\.\w+)?", re.I)  # below it
_MAX_LENGTH = 2_000


def canonical(page: Declarations, url: str) -> tuple[str | None, str]:
    """(address, origin), or (None, ""): the first plausible one that the page at `url` names as its own.

    Without an http(s) `url` (a file that was handed in) any complete address is plausible."""
    candidates = [(href, "link:canonical") for href in page.links.get("canonical", ())]
    candidates += [(href, "meta:og:url") for href in page.metas.get("og:url", ())]
    for href, origin in candidates:
        try:
            address = urljoin(url, href.strip())
            if _is_plausible(address, url):
                return urlsplit(address)._replace(fragment="").geturl(), origin
        except ValueError:
            continue
    return None, ""


def _is_plausible(address: str, url: str) -> bool:
    named, own = urlsplit(address), urlsplit(url)
    if named.scheme not in ("http", "https") or not named.hostname or named.username or len(address) > _MAX_LENGTH:
        return False
    if own.scheme not in ("http", "https"):
        return "." in named.hostname
    if not _same_site(named.hostname, own.hostname or ""):
        return False
    is_front = named.path in ("", "/") and not named.query
    return (not is_front or own.path in ("", "/")) and not _is_section(named, own)


def _is_section(named: SplitResult, own: SplitResult) -> bool:
    """Whether the address is that of the section which a page stands in, by its path."""
    above, path = named.path.rstrip("/"), own.path.rstrip("/")
    if named.query or above.count("/") > 2 or not path.startswith(f"{above}/"):
        return False
    return not _OF_A_PAGE.fullmatch(path[len(above) + 1 :])


def _same_site(one: str, other: str) -> bool:
    """Whether two hosts are one, or one is below the other, their twins' prefixes aside."""
    a, b = _TWIN.sub("", one.lower()), _TWIN.sub("", other.lower())
    return a == b or (min(a.count("."), b.count(".")) >= 1 and (a.endswith(f".{b}") or b.endswith(f".{a}")))
