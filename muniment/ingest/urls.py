"""Addresses as text: what a person types, what is asked for, and what says that two captures are one article.

    normalise_target("HTTP://Bücher.Example:80/a b#top")     -> "http://xn--bcher-kva.example/a%20b"
    article_key("https://www.example.org/story/?utm_source=x")  -> "example.org/story"

Reading follows the URL Standard where that and RFC 3986 differ on what to ask for (backslashes, dot
segments, spellings of IPv4), and RFC 3986 on what to write: the result holds only characters that a URI may
hold. Escapes that are there already stay as typed, since a server may tell `%7E` from `~`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin

from muniment.errors import FetchError

MAX_URL = 8192

_DEFAULT_PORT = {"http": 80, "https": 443}
# Pasted text brings marks along that no eye sees: byte order mark, zero-width and bidirectional marks.
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069"
_EDGES = _INVISIBLE + "\u00a0\u3000" + "".join(map(chr, range(0x21)))
_URL = re.compile(r"(https?)://([^/\\?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.I | re.S)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_QUERY_SAFE = _PATH_SAFE + "?"

_TRACKING = re.compile(
    r"utm_.*|mtm_.*|pk_.*|piwik_.*|hsa_.*|at_(?:medium|campaign|custom\d*|format|link_.*|ptr_.*|bbc_team)|__hs(?:tc|sc|fp)"
    r"|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|ysclid|yclid|twclid|ttclid|li_fat_id|igshid|igsh|_ga|_gl"
    r"|mc_cid|mc_eid|mkt_tok|_hsenc|_hsmi|hsctatracking|vero_id|vero_conv|oly_enc_id|oly_anon_id|rb_clickid|s_cid"
    r"|ref_src|ref_url|cmpid|wickedid|guccounter|guce_referrer|guce_referrer_sig|__twitter_impression"
    r"|phpsessid|jsessionid",
    re.I,
)
_PLAIN = re.compile(r"[A-Za-z0-9/_.-]*")  # nothing that could be spelled otherwise
_SESSION = re.compile(r";jsessionid=[^/;]*", re.I)


class _Parts(NamedTuple):
    """An address in its normal spelling; `authority` is the host, with any port but the scheme's own."""

    scheme: str
    authority: str
    path: str
    query: str | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}" + (f"?{self.query}" if self.query is not None else "")


def normalise_target(text: str) -> str:
    """What a person types, as an absolute http or https URL of at most 8,192 ASCII characters to fetch.

    The host becomes lower-case ASCII (IDNA 2008 with UTS 46 mapping; any spelling of an IPv4 address its
    dotted form); default port, fragment, dot segments and the host's final dot go; spaces and non-ASCII
    characters are percent-encoded as UTF-8 (bytes of a command line that are no UTF-8, as they are). Raises
    FetchError("bad-url").
    """
    return str(_parts(text))


def follow(base: str, reference: str) -> str:
    """The address that a `Location` header means, seen from `base`. Raises FetchError("bad-url")."""
    try:
        joined = urljoin(base, reference.strip(_EDGES))
    except ValueError as e:
        raise _refused(reference, f"it cannot be read ({e})") from e
    return normalise_target(joined)


@lru_cache(256)
def article_key(url: str) -> str:
    """The identity under which versions of one article stand together: host, path, query; no scheme.

    http and https are the same, as are a leading `www.` and none, a trailing slash and none, any order of
    parameters; parameters that only track the reader, and session numbers, do not count. Text that is no
    http or https address is its own key. Needs w3lib (80 ms to import), so it is kept out of the search
    path.
    """
    try:
        parts = _parts(url)
    except FetchError:
        return url.strip()
    pairs = (parts.query or "").split("&")
    query = "&".join(pair for pair in pairs if not _TRACKING.fullmatch(unquote(pair.partition("=")[0])))
    plain = parts._replace(path=_SESSION.sub("", parts.path), query=query or None)
    rest = plain.authority + plain.path
    if plain.query or not _PLAIN.fullmatch(plain.path):
        from w3lib.url import canonicalize_url

        _, _, rest = canonicalize_url(str(plain)).partition("://")
    path, mark, query_text = rest.partition("?")
    host, _, path = path.partition("/")
    return f"{_without_www(host)}/{path.rstrip('/')}{mark}{query_text}"


def rendered_uri(kind: str, url: str) -> str:
    """The name of what a browser made of a page: its document ("dom"), a picture ("fullPage"), a PDF ("pdf")."""
    return f"urn:{kind}:{url}"


def page_of(uri: str) -> str:
    """The address of the page whose document this is as a browser had it; any other URI as it is."""
    return uri.removeprefix("urn:dom:") if uri.startswith("urn:dom:http") else uri


def host_of(url: str) -> str:
    """The host of an http or https address in ASCII, without port or brackets; empty for anything else."""
    try:
        authority = _parts(url).authority
    except FetchError:
        return ""
    return authority[1:].partition("]")[0] if authority[0] == "[" else authority.partition(":")[0]


def source_of(url: str) -> str:
    """The host as people read it: in Unicode, without a leading `www.`; empty where there is none."""
    host = _without_www(host_of(url))
    if "xn--" not in host:
        return host
    import idna

    try:
        return idna.decode(host)
    except idna.IDNAError:
        return host


def port_of(url: str) -> int:
    """The port that a normalised URL asks for."""
    scheme, _, rest = url.partition("://")
    _, _, port = re.split("[/?]", rest, maxsplit=1)[0].rpartition(":")
    return int(port) if port.isdigit() else _DEFAULT_PORT[scheme]


def origin_of(url: str) -> str:
    """Scheme, host and port of a normalised URL: `https://example.org:8443`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0]}"


def ascii_host(host: str) -> str:
    """A host as it is asked for: lower-case ASCII, IPv6 in brackets. Raises FetchError("bad-url")."""
    if host.startswith("["):
        return _ipv6(host)
    try:
        name = unquote(host, errors="strict").lower()
    except UnicodeDecodeError as e:
        raise _refused(host, "its host is no text") from e
    if not name.isascii():
        name = _idna(name)
    name = name.removesuffix(".")
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise _refused(host, "it has no valid host name")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name)
    return name


@lru_cache(256)  # of one address, several things are asked
def _parts(text: str) -> _Parts:
    if len(text) > MAX_URL:
        raise _refused(text, f"it has over {MAX_URL:,} characters")
    clean = re.sub("[\t\r\n]", "", text.strip(_EDGES))
    match = _URL.fullmatch(clean)
    if match is None:
        raise _refused(text, "it does not begin with http:// or https://")
    scheme, authority, path, query = match.groups()
    if not authority:
        raise _refused(text, "it names no host")
    scheme = scheme.lower()
    parts = _Parts(
        scheme,
        _authority(authority, scheme),
        _without_dots(_encode(path.replace("\\", "/"), _PATH_SAFE)),
        None if query is None else _encode(query, _QUERY_SAFE),
    )
    if len(str(parts)) > MAX_URL:
        raise _refused(text, f"it has over {MAX_URL:,} characters once percent-encoded")
    return parts


def _authority(text: str, scheme: str) -> str:
    if "@" in text:
        # Not repeated: messages end in logs, and this one may hold a password.
        raise FetchError("bad-url", "this address holds a user name or password before an @; give it without")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise _refused(text, "its host and port cannot be read")
    host, port = ascii_host(match[1]), (match[2] or "").lstrip("0")
    if match[2] and (not port or len(port) > 5 or int(port) > 65535):
        raise _refused(text, "its port is not between 1 and 65535")
    return host if not port or int(port) == _DEFAULT_PORT[scheme] else f"{host}:{port}"


def _encode(text: str, safe: str) -> str:
    try:
        raw = _STRAY_PERCENT.sub("%25", text).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as e:
        raise _refused(text, "it holds half of a surrogate pair") from e
    return quote(raw, safe=safe)


def _without_dots(path: str) -> str:
    """The path with `.` and `..` resolved (RFC 3986 section 5.2.4); `%2e` is a dot too (URL Standard)."""
    if path.startswith("/") and "/." not in path and "%2" not in path:
        return path
    segments = path.split("/")[1:]
    kept: list[str] = []
    for position, segment in enumerate(segments, 1):
        plain = segment.lower().replace("%2e", ".")
        if plain == ".." and kept:
            kept.pop()
        if plain not in (".", ".."):
            kept.append(segment)
        elif position == len(segments):
            kept.append("")
    return "/" + "/".join(kept)


def _idna(name: str) -> str:
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as e:
        raise _refused(name, f"its host is no valid international name ({e})") from e


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host[1:-1])
    except ValueError as e:
        raise _refused(host, "its IPv6 address cannot be read") from e
    if address.scope_id is not None:
        raise _refused(host, "an IPv6 zone means something on one machine only")
    return f"[{address}]"


def _ipv4(name: str) -> str:
    """Decimal, octal and hexadecimal spellings of one to four parts, as browsers and inet_aton read them."""
    labels = name.split(".")
    try:
        numbers = [_number(label) for label in labels]
    except ValueError as e:
        raise _refused(name, "its host ends in a number but is no IPv4 address") from e
    *heads, tail = numbers
    if len(numbers) > 4 or any(n > 255 for n in heads) or tail >= 256 ** (5 - len(numbers)):
        raise _refused(name, "its host ends in a number but is no IPv4 address")
    value = tail + sum(n << (24 - 8 * i) for i, n in enumerate(heads))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _number(label: str) -> int:
    if not _NUMBER.fullmatch(label) or len(label) > 40:
        raise ValueError(label)
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if label.startswith("0") else 10)


def _without_www(host: str) -> str:
    rest = host.removeprefix("www.")
    return rest if "." in rest else host


def _refused(text: str, why: str) -> FetchError:
    shown = text if len(text) <= 200 else text[:200] + "…"
    return FetchError("bad-url", f"cannot fetch {shown!r}: {why}")
